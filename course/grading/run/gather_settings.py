"""What the workers of a run must know, gathered from a gradebook and a clone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import course
from course.errors import GradingError
from course.grading.gradebook.book import Gradebook
from course.grading.work import Settings
from course.judging.exercise_folders import CHANGES, others_folders

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

    Both folders default to those of this clone; those of others' exercises come on top. Raises GradingError where there
    are no solutions: without them nothing proves that a machine grades rightly.
    """
    solutions = solutions or CLONE / "solutions"
    hidden = hidden or CLONE / "solutions" / "hidden"
    notebooks = reference_notebooks(solutions)
    if not any(path.parent == solutions for path in notebooks):
        raise GradingError(f"there are no reference solutions in {solutions}; pass --solutions FOLDER")
    canary = tuple((path.name[:2], _code_of(path)) for path in notebooks)
    judges = _hidden_files(hidden_folders(hidden))
    theirs = [path.parent for path in notebooks]
    folders = [folder.resolve() for folder in (*theirs, hidden, *others_folders(), *private) if folder.is_dir()]
    return Settings(gradebook.secret, level, judges, canary, tuple(dict.fromkeys(map(str, folders))))


def reference_notebooks(solutions: Path | None = None) -> list[Path]:
    """The notebooks with reference solutions: of `solutions`, by default this clone's, and of others' exercises."""
    folders = [solutions or CLONE / "solutions", *(folder / "solutions" for folder in others_folders())]
    return [path for folder in folders for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))]


def hidden_folders(hidden: Path) -> list[Path]:
    """The folders that hold hidden judges: this one, and those of others' exercises."""
    return [hidden, *(folder / "solutions" / "hidden" for folder in others_folders())]


def _hidden_files(folders: Iterable[Path]) -> tuple[tuple[str, str], ...]:
    """(name, source) of each file of hidden judges, and of the points that a class gives for them."""
    found: dict[str, str] = {}
    for path in (path for folder in folders for path in (*sorted(folder.glob("nb*.py")), folder / CHANGES)):
        if path.is_file():
            if path.name in found:
                raise GradingError(
                    f"two folders of hidden judges hold {path.name}, one of them {path.parent}; rename it"
                )
            found[path.name] = path.read_text(encoding="utf-8")
    return tuple(found.items())


def _code_of(path: Path) -> bytes:
    """A notebook without its texts and outputs, which are most of it: it travels with every exercise."""
    notebook = json.loads(path.read_bytes())
    cells = [cell | {"outputs": []} for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return json.dumps(notebook | {"cells": cells}).encode()
