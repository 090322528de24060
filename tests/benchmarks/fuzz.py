"""How many damaged notebooks break the grader: each must get grades, or a line that says why it has none."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from course.grading.gradebook.book import Gradebook
from course.grading.grades import MACHINERY, MAX_NOTEBOOK, STATUSES, Submission, digest
from course.grading.reports.write import write_reports
from course.grading.run.gather_settings import gather_settings
from course.grading.run.pools import LocalPool
from course.grading.run.queue import grade_submissions
from course.grading.run.reading import read_attempts
from tests.benchmarks import Figure
from tests.hostile.mutants import mutants
from tests.hostile.trial import SOLVED

SEED = 20240
LONGEST_S = 60.0


def measure(count: str = "5000", sample: str = "200") -> Figure:
    notebook = json.loads(SOLVED.read_text(encoding="utf-8"))
    started = time.monotonic()
    broken = list(_misread(notebook, int(count)))
    read_s = time.monotonic() - started
    broken += _misgraded(notebook, int(sample))
    notes = (
        *broken[:50],
        f"fuzz: {count} damaged notebooks read in {read_s:.0f} s, {sample} others graded in "
        f"{time.monotonic() - started - read_s:.0f} s",
    )
    return Figure(len(broken), "damaged notebooks broke it", "0", notes)


def _misread(notebook: dict, count: int) -> Iterator[str]:
    """A line for each mutant whose reading raises, takes too long, or says neither what it holds nor why not."""
    for name, content in mutants(notebook, count, SEED):
        started = time.monotonic()
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # warnings about invalid escapes in its code
                reading = read_attempts(content)
        except BaseException as error:
            yield f"{name}: {type(error).__name__}: {error}"[:300]
            continue
        if (not reading.problem and not reading.attempts) or (reading.problem and "\n" in reading.problem.strip()):
            yield f"{name}: neither attempts nor one line that says why: {reading.problem[:200]!r}"
        if (seconds := time.monotonic() - started) > LONGEST_S:
            yield f"{name}: read in {seconds:.0f} s"


def _misgraded(notebook: dict, count: int) -> list[str]:
    """A line for each mutant that the gradebook has neither grades nor a reason for; reports are written of all."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        submissions, names = [], {}
        for number, (name, content) in enumerate(mutants(notebook, count, SEED + 1)):
            path = folder / f"{number:04}.ipynb"
            path.write_bytes(content)
            names[f"learner {number:04}"] = name, digest(content), len(content)
            submissions.append(Submission(f"learner {number:04}", path))
        pool = LocalPool(1)
        try:
            with Gradebook.open(folder / "gradebook.sqlite") as book:
                summary = grade_submissions(submissions, book, pool, gather_settings(book, private=[folder]))
                rows = {row.learner: row for row in book.submissions()}
                kinds = {(made.submission, made.exercise): made.status for made in book.grades()}
                write_reports(book, folder / "reports")
        finally:
            pool.close()
        broken = list(summary.failures)
        for learner, (name, key, size) in names.items():
            row = rows.get(learner)
            if row is None:
                broken.append(f"{name}: not in the gradebook")
            elif not row.problem:
                statuses = {kinds.get((key, exercise)) for exercise in row.exercises}
                if not statuses or not statuses <= {*STATUSES} - {MACHINERY}:
                    broken.append(f"{name}: {statuses}")
            elif size > MAX_NOTEBOOK and "MiB" not in row.problem:
                broken.append(f"{name}: {row.problem}")
            if not (folder / "reports" / "learners").is_dir():
                broken.append("there are no reports")
        return broken
