"""Gradescope's autograder: a zip with setup.sh, run_autograder, the wheel, hidden judges and the reference solution.

https://gradescope-autograders.readthedocs.io/en/latest/specs/: unpacked to /autograder/source; setup.sh runs once, when
the image is built, run_autograder for each submission, both as root. The zip holds answers: it is for the instructor
alone. What one submission's run protects against is in course/grading/release/gradescope_run.py.
"""

from __future__ import annotations

import secrets
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from course.authoring import find_root
from course.errors import GradingError, UnknownName
from course.files import replacing
from course.grading.release.class_copy import class_copy
from course.grading.release.manifest import make_parent
from course.grading.release.wheel import build_wheel
from course.grading.run.gather_settings import hidden_folders
from course.judging.exercise import exercises_of, hidden_judges, notebook_numbers
from course.judging.exercise_folders import CHANGES

TIME_LIMIT_S = 540  # below Gradescope's own 10 minutes, after which it gives a 0
_DATE = (2020, 2, 2, 0, 0, 0)

_SETUP = """\
#!/usr/bin/env bash
# Once, when the image is built: Python, torch for a CPU, the course; then the proof that the reference solution passes.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update
python=""
for candidate in python3.13 python3.12 python3.11; do
    if apt-get install -y --no-install-recommends "$candidate" "$candidate-venv"; then python="$candidate"; break; fi
done
if [ -z "$python" ]; then
    echo "The course needs Python 3.11 to 3.13; choose Ubuntu 22.04 or newer as the base image." >&2
    exit 1
fi
"$python" -m venv /opt/course
/opt/course/bin/python -m pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch torchvision
/opt/course/bin/python -m pip install --no-cache-dir "/autograder/source/@WHEEL@[grade]"
chmod -R go= /autograder/source
/opt/course/bin/python -I -m course.grading.release.gradescope_run --prove
"""

_RUN = """\
#!/usr/bin/env bash
# For each submission. Without results.json Gradescope says that the autograder failed, and gives no score: right for a
# failure of ours, which must not become a zero. So this must end before Gradescope's own time limit, which gives one.
cd /
rm -f /autograder/results/results.json
chmod go= /autograder || exit 1
exec timeout --kill-after=10 @LIMIT@ /opt/course/bin/python -I -m course.grading.release.gradescope_run
"""

_README = """\
Autograder of notebook @NUMBER@, for Gradescope. It holds answers and hidden judges: give it to nobody.

1. Gradescope: Assignment > Configure Autograder > Ubuntu 22.04 or newer > upload this zip > Update Autograder.
   Building takes about ten minutes and ends with the proof that the reference solution gets full marks there.
2. Autograder Settings: at least 1 CPU and 3 GB of memory, a time limit of at least 10 minutes.
   Autograder points: @POINTS@.
3. Try it with the released notebook (0 points) and with your own solution.

A run that fails on our side writes no results.json: the learner gets no score, never a zero, and you find the reason in
the run's output. "Rerun autograder" tries again.

Gradescope's containers allow no namespaces, so this is the lower level of isolation, "container", as each result
records: a learner's code runs as an unprivileged user within limits of time, memory and processes, and cannot read the
judges, the solution or earlier results, which only root can. It can see the container's other files and processes, and
might use a hole in its kernel. Where that is not enough, download the submissions and use `course grade`.
"""


def release_gradescope(out: str | Path, notebook: str, *, root: Path | None = None, hidden: Path | None = None) -> Path:
    """Write the autograder's zip for one notebook ("02"), readable by you alone; its path.

    `hidden` is a folder of hidden judges instead of solutions/hidden. It carries a secret of its own from which the
    inputs are drawn, so a regrade draws the same and two zips don't. Raises GradingError, UnknownName for a
    notebook without exercises, and CannotWrite.
    """
    root, out = find_root(root), Path(out).absolute()
    number = Path(notebook).name[:2]
    if number not in notebook_numbers():
        raise UnknownName.of("notebook with exercises", notebook, notebook_numbers())
    with tempfile.TemporaryDirectory(prefix="course-wheel-") as folder, class_copy(root) as source:
        files = _secret_files(source / "solutions", hidden_folders(hidden or root / "solutions" / "hidden"), number)
        wheel = build_wheel(source, Path(folder))
        files[wheel.name] = wheel.read_bytes()
    fill = {
        "@WHEEL@": wheel.name,
        "@LIMIT@": str(TIME_LIMIT_S),
        "@NUMBER@": number,
        "@POINTS@": str(_points(number, hidden_folders(hidden or root / "solutions" / "hidden"))),
    }
    for name, text in (("setup.sh", _SETUP), ("run_autograder", _RUN), ("README.txt", _README)):
        for mark, value in fill.items():
            text = text.replace(mark, value)
        files[name] = text.encode()
    _write(out, files)
    return out


def _secret_files(solutions: Path, hidden: Sequence[Path], number: str) -> dict[str, bytes]:
    """What only root may read: the reference solutions, the hidden judges, the notebook's number and the secret."""
    judges = [path for folder in hidden for path in sorted(folder.glob(f"nb{number}_*.py"))]
    changes = solutions / "hidden" / CHANGES
    found = [*solutions.glob(f"{number}_*.ipynb"), *judges, *([changes] if changes.is_file() else [])]
    if not any(path.suffix == ".ipynb" for path in found):
        raise GradingError(f"there is no reference solution of notebook {number} in {solutions}; run this in a clone")
    names = {path: f"solutions/{'' if path.suffix == '.ipynb' else 'hidden/'}{path.name}" for path in found}
    files = {name: path.read_bytes() for path, name in names.items()}
    return {**files, "notebook": number.encode(), "secret": secrets.token_hex(16).encode()}


def _points(number: str, hidden: Sequence[Path]) -> int:
    exercises = {exercise.id: exercise.points for exercise in exercises_of(number)}
    judges = [judge for folder in hidden for judge in hidden_judges(folder) if judge.exercise_id in exercises]
    return sum(exercises.values()) + sum(judge.points for judge in judges)


def _write(out: Path, files: dict[str, bytes]) -> None:
    """Write the zip in one step, readable by its owner alone."""
    make_parent(out)
    with (
        replacing(out, private=True) as unfinished,
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, content in sorted(files.items()):
            member = zipfile.ZipInfo(name, _DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o700 if name in ("setup.sh", "run_autograder") else 0o600
            member.external_attr = (0o100000 | mode) << 16
            archive.writestr(member, content)
