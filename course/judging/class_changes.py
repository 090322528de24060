"""What a class changes about exercises: their titles, and the points of their judges, as class.toml says it.

["02-freeze-backbone"]
title = "Freeze what you are given"
points = {no_parameter_of_the_module_moves = 4, the_rest_still_trains = 2}
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from course.errors import SetupError, UnknownName
from course.judging.exercise_folders import CHANGES, OWN, others_folders


@dataclass(frozen=True)
class Changes:
    """Of one exercise. `points` are by the names of its judges, visible and hidden."""

    title: str = ""
    points: Mapping[str, int] = field(default_factory=dict)


def class_changes() -> dict[str, Changes]:
    """The changes that this class makes, by exercise."""
    return {id: changes for folder in (OWN, *others_folders()) for id, changes in changes_in(folder).items()}


def changes_in(folder: Path) -> dict[str, Changes]:
    """The changes that a folder's class.toml makes; none if it has no such file. Raises SetupError naming a mistake."""
    path = folder / CHANGES
    return _parsed(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else {}


def as_toml(changes: Mapping[str, Changes]) -> str:
    """The text of a class.toml with these changes."""
    lines = []
    for id, change in sorted(changes.items()):
        points = ", ".join(f"{name} = {points}" for name, points in change.points.items())
        title = [f"title = {json.dumps(change.title)}"] if change.title else []  # a JSON string is one of TOML too
        lines += [f'["{id}"]', *title, f"points = {{{points}}}", ""]
    return "\n".join(lines)


def as_text(changes: Mapping[str, Changes], number: str) -> str:
    """What is changed about the exercises of a notebook, for a digest; empty if nothing is."""
    of_notebook = {id: asdict(change) for id, change in changes.items() if id.startswith(number)}
    return json.dumps(of_notebook, sort_keys=True) if of_notebook else ""


def refuse_unknown_judges(exercise_id: str, names: Iterable[str], changes: Mapping[str, Changes]) -> None:
    """Raise UnknownName where points are given to a judge that the exercise has not got."""
    known = list(names)
    for name in changes.get(exercise_id, Changes()).points:
        if name not in known:
            raise UnknownName.of(f"judge of {exercise_id}, to which {CHANGES} gives points,", name, known)


@cache
def _parsed(text: str, where: str) -> dict[str, Changes]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SetupError(f"{where} is not valid TOML: {error}") from error
    return {id: _change(id, entry, where) for id, entry in content.items()}


def _change(id: str, entry: Any, where: str) -> Changes:
    if not isinstance(entry, dict) or not entry.keys() <= {"title", "points"}:
        raise SetupError(f'{where}: ["{id}"] may hold title and points, and nothing else')
    title, points = entry.get("title", ""), entry.get("points", {})
    if not isinstance(title, str):
        raise SetupError(f'{where}: the title of ["{id}"] is not a text')
    if not isinstance(points, dict) or not all(type(value) is int and value > 0 for value in points.values()):
        raise SetupError(f'{where}: the points of ["{id}"] must be whole numbers above 0 by judge: {{JUDGE = 2}}')
    return Changes(title, points)
