"""The functions that workers are asked for: other processes and machines find them here by name.

Each refuses work where this machine would decide by other sources than the one that asks. Without torch, which the
process that hands out work, and keeps the gradebook, has no use for.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from datetime import UTC, datetime

from course.errors import CanaryFailed
from course.grading.capstone.pictures import HiddenSet
from course.grading.capstone.rules import EXERCISE
from course.grading.capstone.work import capstone_judges_digest
from course.grading.digests import judges_digest, reader_digest, seed_digest
from course.grading.grades import MACHINERY, Grade
from course.grading.work import Attempt, Reading, Settings


def read_attempts(content: bytes, notebook: str, reader: str) -> Reading:
    """What a notebook holds, read as data; see `reading.read_attempts`.

    Raises CanaryFailed where this machine would read it by other sources than `reader`, their digest, says.
    """
    _refuse_others(reader, reader_digest(), "reads notebooks by another version of the course")
    from course.grading.run import reading

    return reading.read_attempts(content, notebook)


def grade_attempt(settings: Settings, submission: str, attempt: Attempt, judges: str) -> Grade:
    """The grade of one exercise; see `worker.grade_attempt`.

    Raises CanaryFailed where this machine would judge by other sources than `judges`, their digest, says.
    """
    notebook = attempt.exercise[:2]
    _refuse_others(judges, judges_digest(notebook, settings.hidden), f"has other judges of notebook {notebook}")
    from course.grading.run import worker

    return worker.grade_attempt(settings, submission, attempt, judges)


def machinery_failure(settings: Settings, submission: str, attempt: Attempt, judges: str, reason: str) -> Grade:
    """The grade of work that failed on our side at each try: without a score."""
    return Grade(
        submission=submission,
        exercise=attempt.exercise,
        judges=judges,
        seed="" if attempt.exercise == EXERCISE else seed_digest(settings.secret, submission),
        status=MACHINERY,
        score=None,
        points=attempt.points,
        notes=(reason[:500],),
        source=attempt.source,
        isolation=settings.level,
        graded_at=datetime.now(UTC),
    )


def grade_capstone(
    settings: Settings,
    submission: str,
    attempt: Attempt,
    judges: str,
    sets: Sequence[HiddenSet],
    content: bytes,
    card: bytes | None,
) -> Grade:
    """The grade of weights and their card; `attempt.problem` says why there is nothing.

    See `course.grading.capstone.scoring.grade_capstone`. Raises CanaryFailed where this machine has other `judges`.
    """
    _refuse_others(judges, capstone_judges_digest(sets), "has other judges of capstones")
    from course.grading.capstone import scoring

    return scoring.grade_capstone(submission, judges, sets, content, card, attempt.problem)


def _refuse_others(theirs: str, ours: str, what: str) -> None:
    """Raise CanaryFailed unless this machine decides by the same sources as the one that asks it."""
    if theirs != ours:
        raise CanaryFailed(f"{socket.gethostname()} {what}; install the same course there")
