"""The instructor's commands: grade, report, export, release. Each calls one function of course.grading."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from course.cli.exercises import Exercises
from course.errors import GradingError, MissingExtra
from course.extras import install_command
from course.legible import one_line

if TYPE_CHECKING:  # not at run time: `course --help` loads neither torch nor a database
    from course.grading.gradebook.book import Gradebook
    from course.grading.run.queue import Summary

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M%z", "%Y-%m-%d %H:%M"]


class Policy(StrEnum):
    """Which of a learner's submissions counts."""

    last = "last"
    best = "best"


Out = Annotated[Path, typer.Option("--out", help="A folder for the reports and the gradebook.")]
Book = Annotated[str, typer.Option(help="A file, or a SQLAlchemy address such as postgresql+psycopg://…")]
Counts = Annotated[Policy, typer.Option(help="Which of a learner's submissions counts in reports and exports.")]
Solutions = Annotated[Path | None, typer.Option(help="The reference solutions; by default those of this clone.")]


def grade(
    submissions: Annotated[
        list[str],
        typer.Argument(help="Folders, globs, notebooks, or zips from Canvas or Moodle; they may contain capstones."),
    ],
    out: Out,
    gradebook: Book = "",
    notebook: Annotated[str, typer.Option(help="The notebook that everybody submits, for example 02.")] = "",
    roster: Annotated[Path | None, typer.Option(help="A CSV of the class, to identify learners by.")] = None,
    due: Annotated[
        datetime | None, typer.Option(formats=_TIMES, help="Later submissions are marked late; no points are deducted.")
    ] = None,
    hidden: Annotated[
        Path | None, typer.Option(help="Your own hidden judges, like those in solutions/hidden/.")
    ] = None,
    capstone_pictures: Annotated[
        list[Path] | None,
        typer.Option(help="Your hidden pictures for capstones: FOLDER/class/picture or FOLDER/style/class/picture."),
    ] = None,
    solutions: Solutions = None,
    exercises: Exercises = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes on this machine; 0 for one per core.")] = 0,
    scheduler: Annotated[str, typer.Option(help="A Dask scheduler, tcp://HOST:PORT, on whose workers to grade.")] = "",
    policy: Counts = Policy.last,
    trust: Annotated[
        bool,
        typer.Option("--trust-submissions", help="No sandbox: only for your own answers. Every grade records it."),
    ] = False,
) -> None:
    """Grade notebooks in a sandbox and capstones as data, save every grade at once, and write the reports.

    If it is interrupted, run it again: it continues where it stopped. Exit code 1: something could not be graded.
    """
    from course.grading.reports.status_texts import lacking_line
    from course.grading.run.class_run import Options, grade_class

    _need_driver(gradebook)
    options = Options(
        gradebook=gradebook,
        notebook=_number(notebook),
        roster=roster,
        due=due,
        hidden=_folder(hidden, "--hidden"),
        solutions=_folder(solutions, "--solutions"),
        hidden_pictures=tuple(_folder(folder, "--capstone-pictures") or folder for folder in capstone_pictures or ()),
        jobs=jobs,
        scheduler=scheduler,
        level="trusted" if trust else "sandbox",
        policy=policy.value,
    )
    console = Console(stderr=True)
    with _progress(console) as progress, _ended_by_sigterm():
        try:
            summary = grade_class(
                submissions,
                out,
                options,
                tell=lambda line: console.print(Text(one_line(line)), soft_wrap=True),
                on_begin=progress.begin,
                on_progress=lambda done, _: progress.update(done),
            )
        except KeyboardInterrupt as stopped:
            print("\nstopped; all grades so far are saved, and the same command continues from there", file=sys.stderr)
            raise typer.Exit(143 if isinstance(stopped, _Terminated) else 130) from None
    for line in (*summary.problems, *(f"not graded, our fault: {failure}" for failure in summary.failures)):
        print(one_line(line))
    for lacks, learners in sorted(summary.lacking.items()):
        print(one_line(lacking_line(lacks, len(learners))))
    print(_summary_line(summary))
    print(f"the class: {out / 'index.html'}; a page for each learner: {out / 'learners'}")
    raise typer.Exit(int(bool(summary.problems or summary.failures or summary.lacking)))


def _summary_line(summary: Summary) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.most_common())
    return (
        f"{summary.submissions} submissions in {summary.seconds:.0f} s; exercises: "
        + (f"{summary.statuses.total()} new ({counts})" if counts else "none new")
        + (f", {summary.already} graded before" if summary.already else "")
        + (f"; {summary.copies} more are in copies of the same files" if summary.copies else "")
    )


class _Terminated(KeyboardInterrupt):
    """SIGTERM was received: end as with Ctrl-C."""


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Inside, SIGTERM raises, so that the workers are stopped and what they share is cleaned up."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would interrupt the cleanup
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[_Bar | _Lines]:
    """Shows progress on a terminal as a bar, and in a log as lines."""
    if not console.is_terminal:
        yield _Lines()
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}")
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as bars:
        yield _Bar(bars)


class _Bar:
    """Progress for a terminal: a bar with the number of submissions per second."""

    def __init__(self, bars: Progress) -> None:
        self._bars, self._task = bars, bars.add_task("grading", total=None, rate="")

    def begin(self, total: int) -> None:
        self._bars.update(self._task, total=total)

    def update(self, done: int) -> None:
        speed = self._bars.tasks[0].speed
        self._bars.update(self._task, completed=done, rate=f"{speed:.1f} per second" if speed else "")


class _Lines:
    """Progress for a log: one line for each tenth, and at most one every few seconds."""

    def __init__(self, every_s: float = 5.0) -> None:
        self._every_s, self._started, self._said, self._total, self._next = every_s, 0.0, 0.0, 0, 0.0

    def begin(self, total: int) -> None:
        self._started = self._said = time.monotonic()
        self._total, self._next = total, total / 10
        self._say(f"{total} submissions; what is new waits until the reference solutions have proven the machine")

    def update(self, done: int) -> None:
        now = time.monotonic()
        if done < self._next or now - self._said < self._every_s:
            return
        self._said, self._next = now, done + self._total / 10
        self._say(f"{done} of {self._total} submissions after {now - self._started:.0f} s")

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def report(
    out: Out,
    gradebook: Book = "",
    policy: Counts = Policy.last,
    solutions: Solutions = None,
    exercises: Exercises = None,
) -> None:
    """Write the reports again, and print the class as a table."""
    from course.grading.run.class_run import report_class

    with _open(gradebook, out) as book:
        page = report_class(book, out, policy=policy.value, solutions=_folder(solutions, "--solutions"))
        table = Table("learner", "name", "notebook", "score", "of", "late")
        for standing in book.standings(policy.value, details=False):
            score = "–" if standing.score is None else f"{standing.score:g}"
            late = "late" if standing.late else ""
            notebook = standing.notebook or "unreadable"
            points = f"{standing.points:g}" if standing.grades else "–"
            who = standing.learner, standing.submission.full_name
            table.add_row(*map(_cell, who), notebook, score, points, late)
        for absent in book.absent().items():
            table.add_row(*map(_cell, absent), "nothing came", "–", "–", "")
    Console().print(table)
    print(page)


def export(
    path: Annotated[Path, typer.Argument(help="The file to write.")],
    format: Annotated[str, typer.Option(help="canvas, moodle, gradescope, github-classroom, github-actions, csv, …")],
    out: Annotated[
        Path,
        typer.Option("--out", help="The --out folder of `course grade`, with its gradebook."),
    ] = Path(),
    gradebook: Book = "",
    notebook: Annotated[str | None, typer.Option(help="Only this notebook, for example 02.")] = None,
    learner: Annotated[str | None, typer.Option(help="Only this learner.")] = None,
    roster: Annotated[Path | None, typer.Option(help="The CSV that Canvas or Moodle exported.")] = None,
    assignment: Annotated[str | None, typer.Option(help="Canvas's column, by its title or number.")] = None,
    policy: Counts = Policy.last,
    exercises: Exercises = None,
) -> None:
    """Write the grades that count, in the format of another system."""
    from course.grading.exports.export import export as write

    with _open(gradebook, out) as book:
        exported = write(
            book,
            format,
            path,
            policy=policy.value,
            notebook=notebook,
            learner=learner,
            roster=roster,
            assignment=assignment,
        )
    print(exported)
    print(path)


def release(
    out: Annotated[Path, typer.Option("--out", help="A folder for the class, or with --gradescope the zip file.")],
    gradescope: Annotated[str, typer.Option(help="Build Gradescope's autograder for a notebook, for example 02.")] = "",
    hidden: Annotated[Path | None, typer.Option(help="Your own hidden judges, for --gradescope.")] = None,
    exercises: Exercises = None,
) -> None:
    """Write the files for a class: notebooks and library without answers, and a manifest of hashes."""
    from course.grading.release.autograder import release_gradescope
    from course.grading.release.class_folder import release_class

    if gradescope:
        known = out.exists()
        written = release_gradescope(out, _number(gradescope), hidden=_folder(hidden, "--hidden"))
        print(f"{written}{' (replaced: it draws other inputs than the previous one)' if known else ''}")
        return
    released = release_class(out)
    print(f"{len(released.files)} files in {released.folder}")


def _open(gradebook: str, out: Path) -> Gradebook:
    """The named gradebook, or the one in the folder; it must exist."""
    from course.grading.gradebook.book import Gradebook
    from course.grading.run.class_run import GRADEBOOK

    _need_driver(gradebook)
    place = gradebook or out / GRADEBOOK
    if "://" not in str(place) and not Path(place).exists():
        raise GradingError(
            f"there is no gradebook at {place}; name the folder that course grade wrote to: --out FOLDER"
        )
    return Gradebook.open(place)


def _need_driver(gradebook: str) -> None:
    """Raise MissingExtra for PostgreSQL without psycopg, which is in one of the course's extras."""
    if gradebook.startswith(("postgres://", "postgresql://", "postgresql+psycopg://")) and not find_spec("psycopg"):
        raise MissingExtra(
            f"a gradebook on PostgreSQL needs psycopg, which is not installed; run: {install_command('postgres')}"
        )


def _number(notebook: str) -> str:
    """The notebook's number, from "2", "02" or its whole name."""
    from course.grading.digests import graded_notebooks

    number = Path(notebook).name[:2].rstrip("_.").zfill(2) if notebook else ""
    if number and number not in (known := graded_notebooks()):
        raise GradingError(f"there is no notebook {notebook} with exercises; use one of {', '.join(known)}")
    return number


def _folder(path: Path | None, option: str) -> Path | None:
    if path is not None and not path.is_dir():
        raise GradingError(f"{option} {path} is not a folder")
    return path


def _cell(text: str) -> Text:
    """Untrusted text for a table: rich would take a str for its markup."""
    return Text(one_line(text))
