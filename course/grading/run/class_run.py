"""From what was handed in to grades and reports, in one call: what `course grade` does."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from course.errors import GradingError
from course.grading.gradebook.book import Gradebook
from course.grading.gradebook.standings import Policy
from course.grading.grades import CapstoneSubmission, Submission
from course.grading.run.gather_settings import gather_settings, reference_notebooks
from course.grading.run.pools import DaskPool, LocalPool, Pool
from course.grading.run.queue import OnProgress, Summary, grade_submissions
from course.grading.run.renamed import move_renamed
from course.grading.sandbox.bubblewrap import namespaces
from course.grading.submissions.collect import collect
from course.grading.submissions.mistyped import refuse_mistyped
from course.grading.submissions.roster import read_roster

GRADEBOOK = "gradebook.sqlite"


@dataclass(frozen=True)
class Options:
    """How a class is graded; each option has a default that suits most classes."""

    gradebook: str = ""  # a file or a SQLAlchemy address; by default a file beside the reports
    notebook: str = ""  # the number of the notebook that all hand in
    roster: Path | None = None
    due: datetime | None = None
    hidden: Path | None = None  # hidden judges, and the reference solutions; by default those of this clone
    solutions: Path | None = None
    hidden_pictures: tuple[Path, ...] = ()  # folders of an instructor's own, for capstones
    jobs: int = 0  # processes on this machine; 0 for one per core
    scheduler: str = ""  # the address of a Dask cluster that is used instead
    level: str = "sandbox"
    policy: Policy = "last"


def grade_class(
    sources: Sequence[str | Path],
    out: Path,
    options: Options = Options(),
    *,
    tell: Callable[[str], Any] = print,
    on_begin: Callable[[int], Any] = lambda total: None,
    on_progress: OnProgress = lambda done, summary: None,
) -> Summary:
    """Grade what is new in `sources`, write the reports to `out`, and say what was done.

    Raises GradingError or one of its subclasses; whatever was graded by then is kept.
    """
    refuse_mistyped(sources)
    submissions = collect(sources, roster=options.roster, due=options.due, tell=tell)
    runs_code = any(not isinstance(one, CapstoneSubmission) for one in submissions)
    if options.level == "sandbox" and runs_code and not options.scheduler:
        namespaces()  # else each worker would load torch before it could say what is missing
    on_begin(len(submissions))
    _make(out)
    private = [out, *options.hidden_pictures, *(Path(source) for source in sources)]
    with Gradebook.open(options.gradebook or out / GRADEBOOK) as book:
        move_renamed(submissions, book, tell)
        # Without a roster, names are those of the files.
        book.keep_roster(read_roster(options.roster).full_names if options.roster else {})
        summary = _grade(submissions, book, options, private, on_progress)
        report_class(book, out, policy=options.policy, solutions=options.solutions)
        if absent := book.absent():
            names = ", ".join(name or learner for learner, name in absent.items())
            tell(f"{len(absent)} of the roster handed in nothing: {names}")
    return summary


def _grade(
    submissions: Sequence[Submission], book: Gradebook, options: Options, private: list[Path], on_progress: OnProgress
) -> Summary:
    settings = gather_settings(
        book, level=options.level, hidden=options.hidden, solutions=options.solutions, private=private
    )
    pool: Pool = DaskPool(options.scheduler) if options.scheduler else LocalPool(options.jobs or _cores())
    try:
        return grade_submissions(
            submissions,
            book,
            pool,
            settings,
            notebook=options.notebook,
            hidden_pictures=options.hidden_pictures,
            on_progress=on_progress,
        )
    finally:
        pool.close()


def _make(out: Path) -> None:
    """The folder for the reports, made if it is not there. Raises GradingError where it cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        here = next((path for path in (out, *out.parents) if os.path.exists(path) and not os.path.isdir(path)), None)
        why = f"{here} is a file" if here else str(error.strerror or error)
        raise GradingError(f"the folder --out {out} cannot be made ({why}); name another folder") from error


def _cores() -> int:
    """The cores that this process may use, which a container or a batch system may have made fewer."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def report_class(book: Gradebook, out: Path, *, policy: Policy = "last", solutions: Path | None = None) -> Path:
    """Write the pages of a class from its gradebook; the path of the instructor's page."""
    from course.grading.reports.write import write_reports
    from course.judging.answers import find_answers, read_notebook

    references = {
        answer.exercise.id: answer.source
        for path in reference_notebooks(solutions)
        for answer in find_answers(read_notebook(path))
    }
    return write_reports(book, out, policy=policy, references=references)
