"""The repository as a class gets it: a copy with an instructor's exercises in it, from which a release is made.

Of another folder of exercises, packages and points go to the library, and cells, without answers, to the notebooks; the
solutions and hidden judges go beside those of the course, where no release takes them from, and Gradescope's does.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from course.authoring import normalise
from course.authoring import release as without_answers
from course.authoring.insertion import insert_exercises, with_titles_and_points
from course.errors import GradingError
from course.judging.class_changes import Changes, as_toml, class_changes
from course.judging.exercise import find_exercise
from course.judging.exercise_folders import CHANGES, others_folders, packages_in
from course.notebook import notebook_files

_NEEDED = ("course", "notebooks", "solutions", "docs", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*", "*~")


@contextmanager
def class_copy(root: Path) -> Iterator[Path]:
    """The folder to release from: the clone at `root` itself, if there are no exercises of others."""
    if not others_folders():
        yield root
        return
    with tempfile.TemporaryDirectory(prefix="course-class-") as folder:
        copy = Path(folder) / root.name
        for name in _NEEDED:
            if (root / name).is_dir():
                shutil.copytree(root / name, copy / name, ignore=_LEFT_OUT)
            else:
                copy.mkdir(exist_ok=True)
                shutil.copyfile(root / name, copy / name)
        for others in others_folders():
            _add(others, copy)
        _change(copy)
        yield copy


def _add(folder: Path, copy: Path) -> None:
    """Put one folder of exercises into the copy."""
    for package in packages_in(folder):
        for path in package.rglob("*.py"):
            _copy(path, copy / "course" / "exercises" / path.relative_to(folder))
    for path in sorted((folder / "solutions" / "hidden").glob("nb*.py")):
        _copy(path, copy / "solutions" / "hidden" / path.name)
    for path in sorted((folder / "solutions").glob("[0-9][0-9]_*.ipynb")):
        _copy(path, copy / "solutions" / path.name)
        _insert(path, copy / "notebooks")


def _copy(path: Path, to: Path) -> None:
    if to.exists():
        raise GradingError(f"{path} has the name of a file of the course, or of other exercises; rename it")
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def _insert(path: Path, notebooks: Path) -> None:
    """Put the cells of a solution, without its answers, into their chapter."""
    chapters = sorted(notebooks.glob(f"{path.name[:2]}_*.ipynb"))
    if not chapters:
        raise GradingError(f"{path} belongs to chapter {path.name[:2]}, and there is no such notebook; rename it")
    cells = without_answers(normalise(notebook_files.read(path), path.stem), path.stem)
    notebook_files.write(insert_exercises(notebook_files.read(chapters[0]), cells), chapters[0])


def _change(copy: Path) -> None:
    """Let notebooks and library have the titles and points of this class; those of hidden judges stay hidden."""
    changes = class_changes()
    changed = {id: find_exercise(id) for id in changes}
    titles = {id: exercise.title for id, exercise in changed.items()}
    for path in sorted((copy / "notebooks").glob("*.ipynb")):
        notebook_files.write(with_titles_and_points(notebook_files.read(path), titles), path)
    shown = {id: _visible(change, [judge.name for judge in changed[id].judges]) for id, change in changes.items()}
    for folder, kept in ((copy / "course" / "exercises", shown), (copy / "solutions" / "hidden", changes)):
        if kept:
            (folder / CHANGES).write_text(as_toml(kept), encoding="utf-8", newline="\n")


def _visible(change: Changes, judges: list[str]) -> Changes:
    return replace(change, points={name: points for name, points in change.points.items() if name in judges})
