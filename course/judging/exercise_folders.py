"""The folders that exercises come from: the course's own, an instructor's, and those that installed packages offer.

Each holds packages nbNN_NAME, as the course's own folder does, and perhaps class.toml (see `class_changes`). An
instructor's also holds solutions/, with the cells and hidden judges, and wrong/, which no learner gets.
"""

from __future__ import annotations

import importlib.util
import os
import re
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import course
from course.errors import SetupError

VARIABLE = "COURSE_EXERCISES"  # folders, separated as in PATH; "0" for no exercises but the course's own
GROUP = "pretrained_course.exercises"  # of entry points, each a package that is such a folder
CHANGES = "class.toml"
OWN = Path(course.__file__).resolve().parent / "exercises"


def others_folders() -> tuple[Path, ...]:
    """The folders that are not the course's own. Raises SetupError for one that holds no exercises."""
    return _others(os.environ.get(VARIABLE, ""))


def use_exercises(folders: list[Path]) -> None:
    """Let this process, and those that it starts, know the exercises in these folders. To be called first of all."""
    given = os.pathsep.join(str(folder.resolve()) for folder in folders)
    before = os.environ.get(VARIABLE, "")
    os.environ[VARIABLE] = os.pathsep.join(filter(None, [given, "" if before == "0" else before]))
    others_folders()


def packages_in(folder: Path) -> list[Path]:
    """The packages nbNN_NAME in a folder, in order."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if re.match(r"nb\d\d_", path.name) and path.is_dir())


@cache
def _others(variable: str) -> tuple[Path, ...]:
    if variable == "0":
        return ()
    named = [Path(name).resolve() for name in variable.split(os.pathsep) if name]
    for folder in named:
        if not packages_in(folder) and not (folder / CHANGES).is_file():
            raise SetupError(
                f"{folder} holds neither exercises (nbNN_NAME/) nor {CHANGES}; name another folder, or begin one: "
                f"course new-exercise NN-verb-phrase --into {folder}"
            )
    found = tuple(dict.fromkeys([*named, *(_folder_of(point) for point in entry_points(group=GROUP))]))
    _refuse_unusable(found)
    return found


def _folder_of(point: EntryPoint) -> Path:
    try:
        spec = importlib.util.find_spec(point.value)
    except ImportError:
        spec = None
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise SetupError(f"the entry point {point.name} names {point.value}, which is no package; install it again")
    return Path(places[0]).resolve()


def _refuse_unusable(folders: tuple[Path, ...]) -> None:
    known: dict[str, Path] = {}
    for package in (package for folder in (OWN, *folders) for package in packages_in(folder)):
        if not (package / "__init__.py").is_file():
            raise SetupError(f"{package} has no __init__.py, without which it is no package; add an empty one")
        other = known.setdefault(package.name, package)
        if other != package:
            raise SetupError(f"{package} and {other} have the same name; rename one of the two folders")
