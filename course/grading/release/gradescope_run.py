"""Within Gradescope's container: grade the one submission there and write results.json; run_autograder starts this.

A failure of ours leaves no results.json and exit code 1: Gradescope then shows that the autograder failed, and gives no
score. A notebook that cannot be read is the learner's and scores 0 with the reason.

The container allows no namespaces. A learner's code runs at the level "container" (see course.grading.sandbox.runner):
as an unprivileged user behind a system call filter and within limits, with the judges, the solution, the secret, the
metadata with earlier results and the results in folders that only root can enter. This is *not* protection against a
hole in the kernel, nor against code that looks at what everybody in the container may read.
"""

from __future__ import annotations

import json
import stat
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from course.errors import ExerciseError, GradingError, SubmissionError
from course.files import replacing
from course.grading.exports.export import export
from course.grading.gradebook.book import Gradebook
from course.grading.grades import NOT_ATTEMPTED, Grade, Submission, digest
from course.grading.run.gather_settings import gather_settings
from course.grading.run.queue import grade_notebook
from course.grading.submissions.collect import collect
from course.grading.work import Reading, Settings
from course.judging.answers import cells_of, find_answers

GradeOne = Callable[..., tuple[Reading, list[Grade]]]
BASE = Path("/autograder")


def main(
    arguments: list[str] | None = None, *, base: Path = BASE, grade: GradeOne = grade_notebook, level: str = "container"
) -> int:
    """Grade what lies in base/submission; the exit code. With --prove grade the reference solution instead.

    What is printed goes to Gradescope's log for instructors.
    """
    results = base / "results" / "results.json"
    try:
        results.unlink(missing_ok=True)
        # Only its owner can enter it.
        with tempfile.TemporaryDirectory() as folder, Gradebook.open(Path(folder, "gradebook.sqlite")) as book:
            if "--prove" in (sys.argv[1:] if arguments is None else arguments):
                _prove(book, base, grade, level)
                return 0
            _refuse_open(base)
            learner = _grade(book, base, grade, level)
            text = Path(folder, "results.json")
            export(book, "gradescope", text, learner=learner)
            _check(text.read_text(encoding="utf-8"))
            results.parent.mkdir(exist_ok=True)
            with replacing(results) as unfinished:
                unfinished.write_bytes(text.read_bytes())
        return 0
    except Exception:  # whatever it is, it is ours: no results, no score
        results.unlink(missing_ok=True)
        traceback.print_exc()
        print("The autograder failed, so there is no score. Fix the cause, or rerun the autograder on this submission.")
        return 1


def _refuse_open(base: Path) -> None:
    """Raise GradingError where others than root could read what only root may."""
    mode = stat.S_IMODE(base.stat().st_mode)
    if mode & 0o077:
        raise GradingError(f"others may enter {base} (mode {mode:o}); run_autograder must chmod go= it first")


def _settings(book: Gradebook, base: Path, level: str) -> tuple[Settings, str]:
    source = base / "source"
    solutions = source / "solutions"
    settings = gather_settings(book, level=level, hidden=solutions / "hidden", solutions=solutions, private=[base])
    # A regrade draws the same inputs: the zip's secret, not this run's.
    secret = (source / "secret").read_text(encoding="ascii").strip()
    return replace(settings, secret=secret), (source / "notebook").read_text(encoding="ascii").strip()


def _prove(book: Gradebook, base: Path, grade: GradeOne, level: str) -> None:
    settings, number = _settings(book, base, level)
    grades: dict[str, Grade] = {}
    problems: list[str] = []
    for solution in sorted((base / "source" / "solutions").glob("*.ipynb")):  # one, and one for each other's exercise
        reading, found = grade(solution.read_bytes(), settings, notebook=number)
        problems += filter(None, [reading.problem])
        grades |= {one.exercise: one for one in found if one.status != NOT_ATTEMPTED or one.exercise not in grades}
    short = [one for one in grades.values() if one.score != one.points]
    if short or problems or not grades:
        problems += [f"{one.exercise}: {one.status}, {one.score} of {one.points}" for one in short]
        raise GradingError(f"the reference solution does not get full marks: {'; '.join(problems)}")
    print(f"The reference solution of notebook {number} gets full marks in {len(grades)} exercises.")


def _grade(book: Gradebook, base: Path, grade: GradeOne, level: str) -> str:
    """Put the submission and its grades into the gradebook; the learner's name there."""
    settings, number = _settings(book, base, level)
    submission = _submission(base, number)
    try:
        if submission.problem:
            raise SubmissionError(submission.problem)
        content = submission.content()
    except SubmissionError as error:
        book.add_submission(submission, digest(str(error).encode()), notebook=number, exercises=(), problem=str(error))
        return submission.learner
    reading, grades = grade(content, settings, notebook=number)
    exercises = [one.exercise for one in grades]
    if not exercises and not reading.problem:
        raise GradingError(f"notebook {number} was graded, and no exercise of it came back")
    book.add_submission(submission, digest(content), notebook=number, exercises=exercises, problem=reading.problem)
    for one in grades:
        book.add_grade(one)
    return submission.learner


def _submission(base: Path, number: str) -> Submission:
    """The notebook to grade: of several the one with most exercises of this notebook; with a problem if undecided."""
    learner, handed_in, late = _metadata(base / "submission_metadata.json")
    folder = base / "submission"
    try:
        found = collect([folder], tell=lambda line: None)
    except SubmissionError:
        found = [Submission(learner, folder, problem="no notebook came; hand in the .ipynb file")]
    readable = [one for one in found if not one.problem] or found
    counts = [_count(one, number) for one in readable]
    best = [one for one, count in zip(readable, counts, strict=True) if count == max(counts)]
    problem = best[0].problem
    if len(best) > 1 and len({digest(one.content()) for one in best if not one.problem}) > 1:
        names = ", ".join(one.path.name for one in best[:3])
        problem = f"several notebooks came ({names}); hand in only the one of this assignment"
    return replace(best[0], learner=learner, handed_in=handed_in, late=late, problem=problem)


def _count(submission: Submission, number: str) -> int:
    try:
        cells = cells_of(submission.content(), submission.name)
    except (SubmissionError, ExerciseError):
        return -1
    return sum(answer.exercise.id.startswith(number) for answer in find_answers(cells))


def _metadata(path: Path) -> tuple[str, datetime | None, bool]:
    """(learner, handed in, late) as Gradescope's submission_metadata.json says it; guesses where it doesn't."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        users = content.get("users") or [{}]
        names = [user.get("email") or user.get("name") or str(user.get("id")) for user in users]
        handed_in = _moment(content.get("created_at"))
        due = _moment((content.get("assignment") or {}).get("due_date"))
    except (OSError, ValueError, TypeError, AttributeError):
        return "learner", None, False
    return ", ".join(names), handed_in, bool(handed_in and due and handed_in > due)


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if isinstance(text, str) else None


def _check(text: str) -> None:
    """Raise GradingError unless Gradescope can take this for results."""
    content = json.loads(text)
    if not isinstance(content, dict) or not isinstance(content.get("score"), (int, float)):
        raise GradingError("results.json would hold no score")


if __name__ == "__main__":
    raise SystemExit(main())
