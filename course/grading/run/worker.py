"""What a worker process does: judge one exercise of a submission, outside the sandbox that ran the answer."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from course.errors import CanaryFailed, MachineBusy, UnknownName
from course.grading.digests import seed_digest
from course.grading.grades import MACHINERY, Grade
from course.grading.run.reading import read_attempts
from course.grading.sandbox.runner import MachineryFailure, Sandbox, SandboxedRunner
from course.grading.work import TRIES, Attempt, Settings
from course.judging.attempts import judge_attempt
from course.judging.class_changes import class_changes, refuse_unknown_judges
from course.judging.definitions import TOTAL_LIMIT_S, execute
from course.judging.dependencies import Statement
from course.judging.exercise import Exercise, Judge, find_exercise, hidden_judges
from course.judging.results import Result
from course.judging.runner import LocalRunner, Runner
from course.judging.verdict import unattempted, unreadable


def grade_attempt(settings: Settings, submission: str, attempt: Attempt, judges: str) -> Grade:
    """The grade of one exercise. Raises CanaryFailed or SandboxMissing where this machine cannot grade at all.

    Raises MachineBusy where it has too little time.
    """
    return _machine(settings).grade_attempt(submission, attempt, judges)


_here = threading.local()  # one machine for each thread that grades: a sandbox runs one exercise at a time


def _machine(settings: Settings) -> Machine:
    if getattr(_here, "settings", None) != settings:
        if machine := getattr(_here, "machine", None):
            machine.close()
        _here.machine, _here.settings = Machine(settings), settings
    return _here.machine


class Machine:
    """A sandbox on this machine, with the judges that decide outside it, and the proof that both work."""

    def __init__(self, settings: Settings) -> None:
        torch.set_num_threads(1)
        self.settings = settings
        self.name = socket.gethostname()
        with tempfile.TemporaryDirectory(prefix="course-hidden-") as folder:  # only its owner can read it
            for name, source in settings.hidden:
                Path(folder, name).write_text(source, encoding="utf-8")
            self._hidden = hidden_judges(Path(folder))
        # Only Linux has the sandbox; elsewhere, a trusted answer runs in this process.
        here = settings.level == "trusted" and sys.platform != "linux"
        private = [Path(folder) for folder in settings.private]
        self._sandbox = None if here else Sandbox(settings.level, private=private)
        self._proved: set[str] = set()

    def close(self) -> None:
        if self._sandbox:
            self._sandbox.close()

    def grade_attempt(self, submission: str, attempt: Attempt, judges: str) -> Grade:
        """The grade of one exercise; the reference solution of its notebook has full marks here, or CanaryFailed."""
        started = time.monotonic()
        notebook = attempt.exercise[:2]
        self._prove(notebook)
        seed = seed_digest(self.settings.secret, submission)
        exercise = find_exercise(attempt.exercise)
        deciding = self._judges(exercise)
        result, trouble = self._judge(attempt, exercise, deciding, seed)
        return Grade(
            submission=submission,
            exercise=exercise.id,
            judges=judges,
            seed=seed,
            status=result.status if result else MACHINERY,
            score=result.score if result and result.is_scored else None,
            points=sum(judge.points for judge in deciding),
            outcomes=result.outcomes if result and result.is_scored else (),
            failure=result.failure if result else None,
            printed=result.printed if result else "",
            notes=(*attempt.notes, *trouble),
            source=attempt.source,
            isolation=self.settings.level,
            seconds=time.monotonic() - started,
            machine=self.name,
            graded_at=datetime.now(UTC),
        )

    def _judges(self, exercise: Exercise) -> list[Judge]:
        return [*exercise.judges, *(judge for judge in self._hidden if judge.exercise_id == exercise.id)]

    def _judge(
        self, attempt: Attempt, exercise: Exercise, judges: list[Judge], seed: str
    ) -> tuple[Result | None, list[str]]:
        """The result, or None with what went wrong on our side at each try."""
        if attempt.problem:
            return unreadable(exercise, attempt.problem, judges, lacks=attempt.lacks), []
        if not attempt.plan.needed:
            return unattempted(exercise, judges=judges), []
        options = {"judges": judges, "secret": seed, "seed": int(seed[:7], 16)}
        trouble: list[str] = []
        for _ in range(TRIES):
            try:
                return judge_attempt(exercise, attempt.plan, self._runner_of, TOTAL_LIMIT_S, **options), []
            except MachineBusy:  # tried again when nothing else is graded
                raise
            except Exception as error:  # in a case, a judge or the sandbox: never the answer's fault
                trouble.append(f"{type(error).__name__}: {error}"[:500])
                if self._sandbox and isinstance(error, (MachineryFailure, OSError)):
                    self._sandbox.restart()
        return None, trouble

    def _runner_of(self, statements: Sequence[Statement], total_s: float) -> Runner:
        if self._sandbox:
            return SandboxedRunner(self._sandbox, statements, total_s)
        made = execute(statements, total_s=total_s)
        return LocalRunner(made.namespace, made.not_run)

    def _prove(self, notebook: str) -> None:
        """Raise CanaryFailed unless the reference solution gets full marks on this machine."""
        if notebook in self._proved:
            return
        for attempt in self._reference(notebook):
            exercise = find_exercise(attempt.exercise)
            self._refuse_unknown_judges(exercise)
            result, trouble = self._judge(attempt, exercise, self._judges(exercise), seed_digest("canary", notebook))
            if result is None or not result.passed:
                why = "; ".join(trouble) or str(result)
                raise CanaryFailed(
                    f"on {self.name} the reference solution of {exercise.id} does not get full marks, so nothing is "
                    f"graded there; run `course doctor` on it, and fix what it finds:\n{why}"
                )
        self._proved.add(notebook)

    def _reference(self, notebook: str) -> list[Attempt]:
        """The reference solutions of a chapter; several notebooks may hold some, each with its own definitions."""
        found: dict[str, Attempt] = {}
        for content in (content for number, content in self.settings.canary if number == notebook):
            for attempt in read_attempts(content, notebook).attempts:
                if attempt.plan.needed or attempt.exercise not in found:
                    found[attempt.exercise] = attempt
        return list(found.values())

    def _refuse_unknown_judges(self, exercise: Exercise) -> None:
        """Raise CanaryFailed where the class gives points to a judge that the exercise has not got."""
        try:
            refuse_unknown_judges(exercise.id, [judge.name for judge in self._judges(exercise)], class_changes())
        except UnknownName as error:
            raise CanaryFailed(str(error)) from None
