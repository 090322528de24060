"""Submissions to grades: read as data, run in the sandbox, judged outside it, committed one by one.

Kill it at any moment and call it again: what was committed is skipped, the rest is graded.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.errors import CanaryFailed, MachineBusy, SandboxMissing, SubmissionError
from course.grading.capstone.rules import EXERCISE, NOTEBOOK
from course.grading.capstone.work import Capstones
from course.grading.digests import judges_digest, reader_digest, seed_digest
from course.grading.gradebook.book import Gradebook
from course.grading.grades import MACHINERY, CapstoneSubmission, Grade, Submission, digest, problem_digest
from course.grading.run import tasks
from course.grading.run.pools import Pool
from course.grading.run.tasks import machinery_failure
from course.grading.work import TRIES, Attempt, Reading, Settings

if TYPE_CHECKING:  # a worker loads torch
    from course.grading.run import worker


@dataclass
class Summary:
    """What a run did. `statuses` counts the exercises that it graded by status, `already` those graded before it.

    A file that was handed in several times is graded once; `copies` counts the exercises of the others.
    """

    submissions: int = 0
    already: int = 0
    copies: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)  # a line for each submission that cannot be graded
    failures: list[str] = field(default_factory=list)  # of the machinery: these exercises have no score
    lacking: dict[str, set[str]] = field(default_factory=dict)  # learners by what this machine lacks: no score either
    seconds: float = 0.0


OnProgress = Callable[[int, Summary], None]  # how many submissions are done


def grade_submissions(
    submissions: Sequence[Submission],
    gradebook: Gradebook,
    pool: Pool,
    settings: Settings,
    *,
    notebook: str = "",
    hidden_pictures: Sequence[Path] = (),
    on_progress: OnProgress = lambda done, summary: None,
) -> Summary:
    """Grade what the gradebook has not got yet, and say what was done.

    `notebook` is the number of the notebook that was asked for, if all hand in the same: then an exercise that is
    missing counts as not attempted even where nothing else is recognised; another chapter's notebook is graded as that
    one, and said to be so. `hidden_pictures` are folders of an instructor's own, for capstones. Raises CanaryFailed or
    SandboxMissing where a machine cannot grade at all; nothing that is committed is lost by that.
    """
    return _Run(gradebook, pool, settings, notebook, Capstones(settings, hidden_pictures), on_progress).all(submissions)


def grade_notebook(content: bytes, settings: Settings, *, notebook: str = "") -> tuple[Reading, list[Grade]]:
    """The grades of one notebook, judged in this process: for a container that holds one submission."""
    from course.grading.run import worker
    from course.grading.run.reading import read_attempts

    reading = read_attempts(content, notebook)
    if reading.attempts and reading.notebook != (notebook or reading.notebook):
        problem = f"this is notebook {reading.notebook}, and {notebook} was asked for; hand in that one"
        return Reading(notebook, problem=problem, lasting=True), []
    machine = worker.Machine(settings)
    try:
        name = digest(content)
        judges = {number: judges_digest(number, settings.hidden) for number in _numbers(reading)}
        grades = [_grade_twice(machine, name, one, judges[one.exercise[:2]]) for one in reading.attempts]
    finally:
        machine.close()
    return reading, grades


def _grade_twice(machine: worker.Machine, submission: str, attempt: Attempt, judges: str) -> Grade:
    """A grade; where the machine was too busy, tried once more, and then without a score."""
    for _ in range(2):
        try:
            return machine.grade_attempt(submission, attempt, judges)
        except MachineBusy as error:
            reason = str(error)
    return machinery_failure(machine.settings, submission, attempt, judges, reason)


def _numbers(reading: Reading) -> set[str]:
    return {attempt.exercise[:2] for attempt in reading.attempts}


@dataclass
class _Task:
    """Work that was given to the pool, and how often."""

    function: Callable
    arguments: tuple[Any, ...]
    submission: Submission
    digest: str
    attempt: Attempt | None = None  # None: the task reads the notebook
    tries: int = 0
    was_alone: bool = False


class _Run:
    """One call of `grade_submissions`."""

    def __init__(
        self,
        book: Gradebook,
        pool: Pool,
        settings: Settings,
        notebook: str,
        capstones: Capstones,
        on_progress: OnProgress,
    ) -> None:
        self._book, self._pool, self._settings, self._notebook = book, pool, settings, notebook
        self._capstones, self._on_progress = capstones, on_progress
        self._summary = Summary()
        self._graded = book.all_graded()
        rows = list(book.submissions())
        self._known = {row.digest: row for row in rows if row.exercises}
        self._unreadable = {
            row.digest: row.problem for row in rows if row.reader == reader_digest() and row.notebook == notebook
        }
        self._judges: dict[str, str] = {}
        self._waiting: deque[_Task] = deque()
        self._alone: deque[_Task] = deque()  # for which a machine was too busy: each once more, with nothing beside it
        self._pending: dict[Future, _Task] = {}
        self._begun: set[tuple[str, str]] = set()  # (submission, exercise) of this run
        self._met: Counter[tuple[str, str]] = Counter()  # how often each was handed in
        self._left: Counter[str] = Counter()  # exercises that a submission still waits for
        self._done = 0

    def all(self, submissions: Sequence[Submission]) -> Summary:
        started = time.monotonic()
        coming = iter(submissions)
        while True:
            self._fill(coming)
            if not self._pending:
                break
            for future in wait(self._pending, return_when=FIRST_COMPLETED).done:
                self._receive(self._pending.pop(future), future)
        self._summary.submissions = len(submissions)
        self._summary.already = len(self._met.keys() - self._begun)
        self._summary.copies = self._met.total() - len(self._met)
        self._summary.seconds = time.monotonic() - started
        return self._summary

    def _fill(self, coming: Iterator[Submission]) -> None:
        """Keep every worker busy and one task waiting for each, no more: a class may not fit into memory."""
        while len(self._pending) < 2 * self._pool.width:
            if self._waiting:
                self._give(self._waiting.popleft())
                continue
            submission = next(coming, None)
            if submission is None:
                if self._alone and not self._pending:
                    self._give(self._alone.popleft())
                return
            self._begin(submission)

    def _begin(self, submission: Submission) -> None:
        """Look at what was handed in; what is graded already costs nothing more."""
        if isinstance(submission, CapstoneSubmission):
            return self._begin_capstone(submission)
        try:
            if submission.problem:
                raise SubmissionError(submission.problem)
            content = submission.content()
        except SubmissionError as error:
            name = problem_digest(submission.learner, submission.name, str(error))
            return self._refuse(submission, name, str(error))
        name = digest(content)
        if problem := self._unreadable.get(name):  # by this version of the course, which needs no second look
            return self._refuse(submission, name, problem, reader_digest())
        known = self._known.get(name)
        if known is not None and known.notebook == (self._notebook or known.notebook):
            missing = [exercise for exercise in known.exercises if not self._has(name, exercise)]
            if not missing:
                self._record(submission, name, known.notebook, known.exercises)
                return self._finish()
        self._give(_Task(tasks.read_attempts, (content, self._notebook, reader_digest()), submission, name))
        return None

    def _begin_capstone(self, submission: CapstoneSubmission) -> None:
        arguments = self._capstones.arguments(submission)
        _, name, attempt, judges, *_ = arguments
        self._book.add_submission(submission, name, notebook=NOTEBOOK, exercises=[EXERCISE], problem="")
        self._met[name, EXERCISE] += 1
        if (name, EXERCISE, judges, "") in self._graded:
            return self._finish()
        if (name, EXERCISE) in self._begun:
            return self._finish()
        self._begun.add((name, EXERCISE))
        self._left[name] = 1
        return self._give(_Task(tasks.grade_capstone, arguments, submission, name, attempt))

    def _give(self, task: _Task) -> None:
        task.tries += 1
        self._pending[self._pool.submit(task.function, *task.arguments)] = task

    def _receive(self, task: _Task, future: Future) -> None:
        try:
            result = future.result()
        except (CanaryFailed, SandboxMissing):
            raise
        except Exception as error:
            self._retry(task, error)
            return
        if isinstance(result, Reading):
            self._read(task, result)
        else:
            self._commit(task, result)

    def _retry(self, task: _Task, error: Exception) -> None:
        """A worker was lost, or work failed on our side: once more, then without a score."""
        self._pool.recover(error)
        if isinstance(error, MachineBusy) and not task.was_alone:
            task.was_alone = True
            self._alone.append(task)
        elif task.tries < TRIES and not isinstance(error, MachineBusy):
            self._waiting.append(task)
        elif task.attempt is None:
            self._summary.failures.append(f"{task.submission.name}: {error}")
            self._finish()
        else:
            settings, name, attempt, judges = task.arguments[:4]
            reason = f"{type(error).__name__}: {error}"
            self._commit(task, machinery_failure(settings, name, attempt, judges, reason))

    def _read(self, task: _Task, reading: Reading) -> None:
        """The notebook is read: ask for the exercises that have no grade."""
        if reading.problem:
            reader = reader_digest() if reading.lasting else ""
            self._refuse(task.submission, task.digest, reading.problem, reader)
            return
        if reading.notebook != (self._notebook or reading.notebook):
            asked = f"this is notebook {reading.notebook}, and {self._notebook} was asked for; it is graded as it is"
            self._summary.problems.append(f"{task.submission.learner}: {asked}")
        exercises = [attempt.exercise for attempt in reading.attempts]
        self._record(task.submission, task.digest, reading.notebook, exercises)
        wanted = [attempt for attempt in reading.attempts if not self._has(task.digest, attempt.exercise)]
        wanted = [attempt for attempt in wanted if (task.digest, attempt.exercise) not in self._begun]
        self._begun |= {(task.digest, attempt.exercise) for attempt in wanted}
        self._left[task.digest] += len(wanted)
        if not wanted:
            self._finish()
        for attempt in wanted:
            arguments = (self._settings, task.digest, attempt, self._judges_of(attempt.exercise))
            self._waiting.append(_Task(tasks.grade_attempt, arguments, task.submission, task.digest, attempt))

    def _commit(self, task: _Task, made: Grade) -> None:
        self._book.add_grade(made)
        self._summary.statuses[made.status] += 1
        if made.status == MACHINERY:
            self._summary.failures.append(f"{task.submission.name}, {made.exercise}: {'; '.join(made.notes)}")
        elif made.lacks:
            self._summary.lacking.setdefault(made.lacks, set()).add(task.submission.learner)
        self._left[task.digest] -= 1
        if not self._left[task.digest]:
            self._finish()

    def _refuse(self, submission: Submission, name: str, problem: str, reader: str = "") -> None:
        self._record(submission, name, self._notebook, (), problem, reader)
        self._summary.problems.append(f"{submission.learner}: {problem}")
        self._finish()

    def _record(
        self,
        submission: Submission,
        name: str,
        notebook: str,
        exercises: Sequence[str],
        problem: str = "",
        reader: str = "",
    ) -> None:
        self._book.add_submission(
            submission, name, notebook=notebook, exercises=exercises, problem=problem, reader=reader
        )
        self._met.update((name, exercise) for exercise in exercises)

    def _finish(self) -> None:
        self._done += 1
        self._on_progress(self._done, self._summary)

    def _has(self, name: str, exercise: str) -> bool:
        seed = seed_digest(self._settings.secret, name)
        return (name, exercise, self._judges_of(exercise), seed) in self._graded

    def _judges_of(self, exercise: str) -> str:
        number = exercise[:2]
        if number not in self._judges:
            self._judges[number] = judges_digest(number, self._settings.hidden)
        return self._judges[number]
