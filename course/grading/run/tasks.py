"""The functions that workers are asked for: other processes and machines find them here by name.

Without torch, which the process that hands out work, and keeps the gradebook, has no use for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from course.grading.capstone import EXERCISE
from course.grading.capstone.pictures import HiddenSet
from course.grading.digests import seed_digest
from course.grading.grades import MACHINERY, Grade
from course.grading.work import Attempt, Reading, Settings


def read(content: bytes, notebook: str = "") -> Reading:
    """What a notebook holds, read as data; see `worker.read`."""
    from course.grading.run import worker

    return worker.read(content, notebook)


def grade_attempt(settings: Settings, submission: str, attempt: Attempt, judges: str) -> Grade:
    """The grade of one exercise; see `worker.grade_attempt`."""
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

    See `course.grading.capstone.judge.grade_capstone`.
    """
    from course.grading.capstone import judge

    return judge.grade_capstone(submission, judges, sets, content, card, attempt.problem)
