"""`python -m tests.mutants_of_answers [EXERCISE ...]`: a line for each that no judge finds, and exit code 1."""

from __future__ import annotations

import sys

from course.judging.exercise import find_exercise
from tests.mutants_of_answers.survivors import try_mutants, with_code


def main(ids: list[str]) -> int:
    """Try the mutants of these exercises, or of all."""
    failed = False
    for exercise in [find_exercise(id) for id in ids] or with_code():
        outcome = try_mutants(exercise, lambda line: print(f"survived  {line}", flush=True))
        for change in outcome.stale:
            print(f"stale     {outcome.exercise}: {change}")
        left = f"{len(outcome.survivors)} survived, {len(outcome.equivalent)} are equivalent"
        print(f"{outcome.exercise}: {outcome.tried} mutants, {left}", flush=True)
        failed = failed or bool(outcome.survivors or outcome.stale)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
