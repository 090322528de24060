#!/usr/bin/env bash
# The course as Colab has it, from nothing: an environment with the versions of tests/colab_versions.txt, the wheel
# installed into it without changing one of them, and every notebook run there in the quick profile.
#
#   PYTHON=python3.13 tests/colab.sh [notebooks/NN_NAME.ipynb ...]
#
# Takes 6 GB and some 10 minutes. ENVIRONMENT=folder keeps the environment (it is used again), RUN=command goes before
# each run of a notebook, as in RUN="nice -n 5".
set -euo pipefail
cd "$(dirname "$0")/.."

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
environment="${ENVIRONMENT:-$work/environment}"
python="$environment/bin/python"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYDEVD_DISABLE_FILE_VALIDATION=1

if [ ! -x "$python" ]; then
    "${PYTHON:-python3.13}" -m venv "$environment"
fi
# Nothing of the course needs fastai: it is in the list as a peer of a benchmark.
grep -v '^fastai==' tests/colab_versions.txt >"$work/colab.txt"
"$python" -m pip uninstall -q -y pretrained-course 2>/dev/null
"$python" -m pip install -q -r "$work/colab.txt"
"$python" -m pip freeze | sort >"$work/before.txt"

"$python" -m pip wheel -q --no-deps --wheel-dir "$work" .
"$python" -m pip install -q --constraint "$work/before.txt" "$work"/pretrained_course-*.whl # as the setup cell does
"$python" -m pip freeze | sort >"$work/after.txt"
changed="$(comm -23 "$work/before.txt" "$work/after.txt")"
if [ -n "$changed" ]; then
    printf 'installing the course changed what Colab has:\n%s\nit became:\n' "$changed"
    comm -13 "$work/before.txt" "$work/after.txt"
    exit 1
fi
"$python" -m pip check
printf 'the wheel changed none of %s packages and added:\n%s\n' "$(wc -l <"$work/before.txt")" \
    "$(comm -13 "$work/before.txt" "$work/after.txt" | sed 's/ @ .*//' | paste -sd ' ')"

# Copies, run from outside of the repository, so that `course` is the installed one.
cp -r notebooks solutions tests/run_notebook.py "$work"
cd "$work"
failed=0
[ $# -gt 0 ] || set -- notebooks/*.ipynb solutions/*.ipynb
for notebook in "$@"; do
    # shellcheck disable=SC2086 # RUN may be several words
    ${RUN:-} "$python" run_notebook.py "$notebook" || failed=$((failed + 1))
done
if [ "$failed" != 0 ]; then
    echo "$failed notebooks failed"
    exit 1
fi
echo "all notebooks ran"
