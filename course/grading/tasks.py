"""The work that is handed to other processes and machines, as plain data and functions that they can find by name.

Without torch, which the process that hands out work, and keeps the gradebook, has no use for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from course.grading.capstone import EXERCISE
from course.grading.capstone.pictures import HiddenSet
from course.grading.records import MACHINERY, Grade

_COURSE = Path(__file__).resolve().parents[1]
_EXERCISES = _COURSE / "exercises"
_READERS = ("judging/**/*.py", "exercises/**/*.py", "authoring/setup_cell.py", "grading/worker.py", "grading/tasks.py")
_CAPSTONE = (
    *("capstone.py", "model_card.py", "tensor_header.py", "predictor.py", "preprocessing.py"),
    "grading/capstone/*.py",
)
TRIES = 3  # of work that failed on our side


@dataclass(frozen=True)
class Attempt:
    """One exercise of a notebook: the answer's cell, and the statements that it needs. Not attempted: no statements."""

    exercise: str
    points: float = 0.0
    source: str = ""
    statements: tuple[tuple[str, int], ...] = ()  # cell, and which of its statements
    problem: str = ""  # what keeps it from running, a syntax error say
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What a notebook holds. `problem` says why it holds nothing that can be graded, now or, `lasting`, ever."""

    notebook: str = ""
    attempts: tuple[Attempt, ...] = ()
    problem: str = ""
    lasting: bool = False


@dataclass(frozen=True)
class Settings:
    """What a worker must know, as plain data that travels to other machines. The secret stays outside the sandbox."""

    secret: str
    level: str = "sandbox"
    hidden: tuple[tuple[str, str], ...] = ()  # (file name, source) of each file of hidden judges
    canary: tuple[tuple[str, bytes], ...] = ()  # (number, notebook) of each reference solution
    private: tuple[str, ...] = field(default=())  # folders that the sandbox must not show


def graded_notebooks() -> list[str]:
    """The numbers of the notebooks that have exercises."""
    return sorted(path.name[2:4] for path in _EXERCISES.glob("nb[0-9][0-9]_*"))


def judges_digest(notebook: str, hidden: Sequence[tuple[str, str]]) -> str:
    """What decides on a notebook's exercises: a hash of the sources of its probes and judges, hidden ones too."""
    sources = [path.read_bytes() for path in sorted(_EXERCISES.glob(f"nb{notebook}_*/*.py"))]
    sources += [path.read_bytes() for path in sorted(_EXERCISES.glob("*.py"))]  # what several of them use
    sources += [source.encode() for name, source in sorted(hidden) if name.startswith(f"nb{notebook}_")]
    return hashlib.sha256(b"\0".join(sources)).hexdigest()


@cache
def reader_digest() -> str:
    """What decides on whether a notebook can be read: a hash of the sources that do it, and of all exercises."""
    paths = sorted(path for pattern in _READERS for path in _COURSE.glob(pattern))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


@cache
def capstone_digest() -> str:
    """What decides on a capstone, but for the hidden pictures: a hash of the sources that read and judge it."""
    paths = sorted(path for pattern in _CAPSTONE for path in _COURSE.glob(pattern))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def seed_digest(secret: str, submission: str) -> str:
    """What the inputs of a submission are drawn from; the next submission gets others, so answers can't be kept."""
    return hashlib.sha256(f"{secret}/{submission}".encode()).hexdigest()


def read(content: bytes, notebook: str = "") -> Reading:
    """What a notebook holds, read as data; see `worker.read`."""
    from course.grading import worker

    return worker.read(content, notebook)


def grade(settings: Settings, submission: str, attempt: Attempt, judges: str) -> Grade:
    """The grade of one exercise; see `worker.grade`."""
    from course.grading import worker

    return worker.grade(settings, submission, attempt, judges)


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
    """The grade of weights and their card; see `capstone.judge.grade`. `attempt.problem` says why there is nothing."""
    from course.grading.capstone import judge

    return judge.grade(submission, judges, sets, content, card, attempt.problem)
