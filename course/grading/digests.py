"""What decides a grade, identified by a hash of everything that decides it. Without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import course

_COURSE = Path(course.__file__).resolve().parent
_EXERCISES = _COURSE / "exercises"
_READERS = (
    *("judging/**/*.py", "exercises/**/*.py", "authoring/setup_cell.py"),
    *("grading/work.py", "grading/run/worker.py", "grading/run/tasks.py"),
)
_CAPSTONE = (
    *("capstone/*.py", "zoo/safetensors_header.py", "applications/predictor.py", "applications/preprocessing.py"),
    "grading/capstone/*.py",
)


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
