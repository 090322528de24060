"""From what was handed in to grades and reports, in one call: what `course grade` does."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from course.errors import GradingError
from course.grading.gradebook import Gradebook, Policy
from course.grading.grades import CapstoneSubmission
from course.grading.run.pools import DaskPool, LocalPool, Pool
from course.grading.run.queue import OnProgress, Summary, grade_submissions
from course.grading.run.renamed import move_renamed
from course.grading.run.settings import CLONE, settings_for
from course.grading.sandbox.bubblewrap import namespaces
from course.grading.submissions import collect, read_roster
from course.grading.submissions.mistyped import refuse_mistyped

GRADEBOOK = "gradebook.sqlite"


def grade_class(
    sources: Sequence[str | Path],
    out: Path,
    *,
    gradebook: str = "",
    notebook: str = "",
    hidden: Path | None = None,
    solutions: Path | None = None,
    roster: Path | None = None,
    due: datetime | None = None,
    jobs: int = 0,
    scheduler: str = "",
    level: str = "sandbox",
    policy: Policy = "last",
    hidden_pictures: Sequence[Path] = (),
    tell: Callable[[str], Any] = print,
    on_begin: Callable[[int], Any] = lambda total: None,
    on_progress: OnProgress = lambda done, summary: None,
) -> Summary:
    """Grade what is new in `sources`, write the reports to `out`, and say what was done.

    `gradebook` is a file or a SQLAlchemy address, by default a file in `out`; `jobs` the processes of this machine, by
    default one a core; `scheduler` the address of a Dask cluster to use instead; `hidden_pictures` are folders of an
    instructor's own, for capstones. Raises GradingError kin; whatever was
    graded by then is kept.
    """
    refuse_mistyped(sources)
    submissions = collect(sources, roster=roster, due=due, tell=tell)
    runs_code = any(not isinstance(one, CapstoneSubmission) for one in submissions)
    if level == "sandbox" and runs_code and not scheduler:
        namespaces()  # else each worker would load torch before it could say what is missing
    on_begin(len(submissions))
    _make(out)
    private = [out, *hidden_pictures, *(Path(source) for source in sources)]
    with Gradebook.open(gradebook or out / GRADEBOOK) as book:
        move_renamed(submissions, book, tell)
        book.keep_roster(read_roster(roster).full_names if roster else {})  # without one, names are those of the files
        settings = settings_for(book, level=level, hidden=hidden, solutions=solutions, private=private)
        pool: Pool = DaskPool(scheduler) if scheduler else LocalPool(jobs or _cores())
        try:
            summary = grade_submissions(
                submissions,
                book,
                pool,
                settings,
                notebook=notebook,
                hidden_pictures=hidden_pictures,
                on_progress=on_progress,
            )
        finally:
            pool.close()
        report(book, out, policy=policy, solutions=solutions)
        if absent := book.absent():
            names = ", ".join(name or learner for learner, name in absent.items())
            tell(f"{len(absent)} of the roster handed in nothing: {names}")
    return summary


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


def report(book: Gradebook, out: Path, *, policy: Policy = "last", solutions: Path | None = None) -> Path:
    """Write the reports on a gradebook; the path of the class's page."""
    from course.grading.reports import write_reports
    from course.judging.answers import find_answers, read_notebook

    references = {
        answer.exercise.id: answer.source
        for path in sorted((solutions or CLONE / "solutions").glob("[0-9][0-9]_*.ipynb"))
        for answer in find_answers(read_notebook(path))
    }
    return write_reports(book, out, policy=policy, references=references)
