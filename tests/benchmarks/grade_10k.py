"""Seconds for what an instructor does with 10,000 recorded results: export, report, report again, resume.

2,500 submissions of four exercises, each by a learner of its own, their files on the disk as they were handed in. The
judges decide once on each answer. What they say is recorded for every submission that holds it, with a comment of the
learner's own in the answer and other numbers in the messages, as no two submissions are judged on the same inputs.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from course.grading.digests import judges_digest, seed_digest
from course.grading.exports.export import export
from course.grading.gradebook.book import Gradebook
from course.grading.grades import Grade, digest
from course.grading.run.class_run import report_class
from course.grading.run.gather_settings import gather_settings
from course.grading.run.pools import Pool
from course.grading.run.queue import grade_submissions
from course.grading.submissions.collect import collect
from course.grading.work import Settings
from course.judging.exercise import exercises_of, find_exercise, hidden_judges
from course.judging.runner import LocalRunner
from course.judging.verdict import judge_exercise, unattempted
from tests.benchmarks import Figure
from tests.benchmarks._submissions import ROOT, answers, notebook_with

NOTEBOOK = "02"


def measure(submissions: str = "2500") -> Figure:
    seconds: dict[str, float] = {}

    def timed(name: str, function: Callable[[], object]) -> None:
        started = time.perf_counter()
        function()
        seconds[name] = time.perf_counter() - started

    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # 12,500 commits take minutes on a disk
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory(dir=memory) as quick:
        root, draft = Path(name), Path(quick, "gradebook.sqlite")
        with Gradebook.open(draft) as book:
            settings = gather_settings(book)
            count = _record(book, settings, root / "class", int(submissions))
        shutil.copy(draft, root)
        with Gradebook.open(root / "gradebook.sqlite") as book:
            timed("export csv", lambda: export(book, "csv", root / "grades.csv"))
            timed("export moodle", lambda: export(book, "moodle", root / "moodle.csv"))
            timed("report", lambda: report_class(book, root / "out"))
            timed("report again", lambda: report_class(book, root / "out"))
            timed("resume", lambda: _resume(book, settings, root / "class"))
    notes = [f"{count} results", *(f"{what}: {took:.2f} s" for what, took in seconds.items())]
    return Figure(max(seconds.values()), "s, the slowest", "10", tuple(notes))


class _NoPool:
    """Nothing may be left to do."""

    width = 2

    def submit(self, function: Callable, *arguments: object) -> object:
        raise RuntimeError(f"{function.__name__} was asked for; everything is graded already")


def _resume(book: Gradebook, settings: Settings, folder: Path) -> None:
    pool: Pool = _NoPool()  # type: ignore[assignment]
    summary = grade_submissions(collect([folder], tell=lambda line: None), book, pool, settings)
    if summary.already != 4 * summary.submissions:
        raise RuntimeError(f"only {summary.already} results were found again")


def _record(book: Gradebook, settings: Settings, folder: Path, count: int) -> int:
    """Write the notebooks, and what the judges say of their answers; how many results that makes."""
    folder.mkdir()
    choices = {exercise.id: _graded(exercise.id) for exercise in exercises_of(NOTEBOOK)}
    judges, rng = judges_digest(NOTEBOOK, settings.hidden), random.Random(0)
    recorded = 0
    for number in range(count):
        path = folder / f"learner{number:04d}.ipynb"
        chosen = [made[1] if rng.random() < 0.5 else rng.choice(made) for made in choices.values()]
        content = notebook_with(
            NOTEBOOK, {made.exercise: made.source for made in chosen if made.source}, f"handed in by {path.stem}"
        )
        path.write_bytes(content)
        name = digest(content)
        seed = seed_digest(settings.secret, name)
        (submission,) = collect([path], tell=lambda line: None)
        book.add_submission(submission, name, notebook=NOTEBOOK, exercises=list(choices))
        for made in chosen:
            recorded += book.add_grade(replace(_own(made, number), submission=name, judges=judges, seed=seed))
    return recorded


def _own(made: Grade, number: int) -> Grade:
    """The grade as this learner's submission would have got it."""
    outcomes = tuple(
        outcome if outcome.passed else replace(outcome, got=f"{outcome.got} {number}") for outcome in made.outcomes
    )
    return replace(made, outcomes=outcomes, source=f"{made.source}\n# mine: {number}\n")


def _graded(name: str) -> list[Grade]:
    """A grade for no answer to this exercise, for the solution, and for each other answer."""
    exercise = find_exercise(name)
    hidden = [one for one in hidden_judges(ROOT / "solutions" / "hidden") if one.exercise_id == name]
    judges = [*exercise.judges, *hidden]
    grades = []
    for source in ["", *answers(NOTEBOOK)[name]]:
        namespace = {"__name__": "__main__", "torch": torch, "nn": torch.nn}
        exec(source, namespace)
        runner = LocalRunner(namespace)
        result = judge_exercise(exercise, runner, judges=judges) if source else unattempted(exercise, judges=judges)
        about = {"outcomes": result.outcomes, "failure": result.failure, "printed": result.printed, "source": source}
        grades.append(Grade("", name, "", "", result.status, result.score, result.points, **about))
    return grades
