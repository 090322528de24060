"""What the workers of a run must know, gathered from a gradebook and a clone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import course
from course.errors import GradingError
from course.grading.gradebook.book import Gradebook
from course.grading.work import Settings

CLONE = Path(course.__file__).resolve().parents[1]


def gather_settings(
    gradebook: Gradebook,
    *,
    level: str = "sandbox",
    hidden: Path | None = None,
    solutions: Path | None = None,
    private: Iterable[Path] = (),
) -> Settings:
    """What the workers must know: the gradebook's secret, the hidden judges, the reference solutions.

    Both folders default to those of this clone. Raises GradingError where there are no solutions: without them
    nothing proves that a machine grades rightly.
    """
    solutions = solutions or CLONE / "solutions"
    hidden = hidden or CLONE / "solutions" / "hidden"
    notebooks = sorted(solutions.glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:
        raise GradingError(f"there are no reference solutions in {solutions}; pass --solutions FOLDER")
    canary = tuple((path.name[:2], _code_of(path)) for path in notebooks)
    judges = tuple((path.name, path.read_text(encoding="utf-8")) for path in sorted(hidden.glob("nb*.py")))
    folders = tuple(str(folder.resolve()) for folder in (solutions, hidden, *private) if folder.is_dir())
    return Settings(gradebook.secret, level, judges, canary, folders)


def _code_of(path: Path) -> bytes:
    """A notebook without its texts and outputs, which are most of it: it travels with every exercise."""
    notebook = json.loads(path.read_bytes())
    cells = [cell | {"outputs": []} for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return json.dumps(notebook | {"cells": cells}).encode()
