"""Seconds a submission to grade a class on two cores, hidden judges included, beside nbgrader and otter-grader.

Warm: a first small class starts the workers, and proves the machine by the reference solution. The clock runs from the
folder of notebooks to the last grade on the disk. The peers get ten notebooks of one exercise; so do we, beside them.
"""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Mapping
from itertools import cycle, islice
from pathlib import Path

from course.grading.gradebook.book import Gradebook
from course.grading.run.class_run import report_class
from course.grading.run.gather_settings import gather_settings
from course.grading.run.pools import LocalPool
from course.grading.run.queue import Summary, grade_submissions
from course.grading.submissions.collect import collect
from tests.benchmarks import Figure, _other_graders
from tests.benchmarks._submissions import answers, write_class

NOTEBOOK, JOBS, WARM = "02", 2, 8


def measure(submissions: str = "200", peers: str = "10") -> Figure:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        notes, others = _peers(root / "peers", int(peers)) if int(peers) else ([], {})
        with Gradebook.open(root / "gradebook.sqlite") as book:
            grader = _Grader(book)
            try:
                grader.seconds(*write_class(root / "warm", WARM, NOTEBOOK, seed=1))
                write_class(root / "class", int(submissions), NOTEBOOK)
                seconds, summary = grader.seconds(root / "class")
                if others:
                    notes += _beside(grader, root / "peers", others)
            finally:
                grader.pool.close()
            started = time.perf_counter()
            report_class(book, root / "out")
            written = time.perf_counter() - started
    each = seconds / summary.submissions
    counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.most_common())
    notes.append(f"{summary.submissions} submissions, {JOBS} processes, {seconds:.1f} s; exercises: {counts}")
    notes.append(f"the reports on them afterwards: {written:.1f} s")
    return Figure(each, "s a submission", "0.25", tuple(notes))


class _Grader:
    """The course's own, warm from the second class on."""

    def __init__(self, book: Gradebook) -> None:
        self.book, self.settings, self.pool = book, gather_settings(book), LocalPool(JOBS)

    def seconds(self, *sources: Path) -> tuple[float, Summary]:
        started = time.perf_counter()
        summary = grade_submissions(collect(sources, tell=lambda line: None), self.book, self.pool, self.settings)
        seconds = time.perf_counter() - started
        if summary.problems or summary.failures:
            raise RuntimeError("\n".join((*summary.problems, *summary.failures)))
        return seconds, summary


def _peers(root: Path, count: int) -> tuple[list[str], dict[str, float]]:
    """Seconds a submission of each that is installed, with a line on each."""
    sources = list(islice(cycle(answers(NOTEBOOK)[_other_graders.EXERCISE]), count))
    learners = {f"learner{number:04d}": source for number, source in enumerate(sources)}
    if not _other_graders.is_installed("nbgrader"):
        return ["nbgrader: not installed, and without it the peers are not measured"], {}
    root.mkdir()
    importlib.import_module("nbgrader.apps")
    seconds, marks, handed_in = _other_graders.nbgrader(root, learners)
    others, lines = {"nbgrader": seconds / count}, [_line("nbgrader", seconds, marks)]
    if _other_graders.is_installed("otter"):
        importlib.import_module("otter.api")
        seconds, marks = _other_graders.otter(root, handed_in)
        others["otter-grader"] = seconds / count
        lines.append(_line("otter-grader", seconds, marks))
    else:
        lines.append("otter-grader: not installed, skipped")
    return lines, others


def _beside(grader: _Grader, root: Path, others: Mapping[str, float]) -> list[str]:
    """A line on ourselves, with the files that the peers had, and one that compares."""
    seconds, summary = grader.seconds(root / "submitted")
    marks = {
        row.learner: grade.score == grade.points
        for row in grader.book.submissions()
        if str(root) in row.path
        for grade in grader.book.grades(submission=row.digest, exercise=_other_graders.EXERCISE)
    }
    times = min(others.values()) / (seconds / summary.submissions)
    fastest = min(others, key=others.__getitem__)
    return [
        _line("course, the same files", seconds, marks),
        f"{times:.1f} times faster a submission than {fastest}, the faster of the two (bar 10)",
    ]


def _line(name: str, seconds: float, marks: Mapping[str, bool]) -> str:
    return f"{name}: {seconds / len(marks):.2f} s a submission; {sum(marks.values())} of {len(marks)} have full marks"
