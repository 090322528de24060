"""Removes this machine's absolute paths from what an answer printed or raised."""

from __future__ import annotations

import re

_ROOMS = (
    "applications|authoring|capstone|cli|data|exercises|grading|inspection|judging|models|notebook|questions"
    "|training|zoo"
)
_START = r"(?<![\w./@~-])(?!//)"  # of an absolute path, not of an address
_PLACE = re.compile(
    rf"{_START}(?:/[\w.@+~-]+)*/(?:"
    r"(?P<packages>(?:site|dist)-packages)"
    r"|lib(?:64)?/(?P<python>python)\d[\d.]*(?:\.zip)?"
    r"|bin/(?P<program>python)[\d.]*"
    rf"|(?P<course>course)(?=/(?:(?:{_ROOMS})/|\w+\.py))"
    r")(?![\w-])"
)
_PATH = re.compile(rf"{_START}/[\w@+~-][\w./@+~-]*")


def without_places(text: str) -> str:
    """The text with absolute paths into Python, its packages and the course begun at those, `course/judging` say.

    A path that was cut off on its way there, as the end of a long text is, becomes a sign.
    """
    if "/" not in text:
        return text
    places = {match[0]: match[match.lastgroup or 0] for match in _PLACE.finditer(text)}
    return _PATH.sub(lambda path: _begun_later(path[0], places), _PLACE.sub(lambda match: places[match[0]], text))


def _begun_later(path: str, places: dict[str, str]) -> str:
    for place, short in places.items():
        if path.startswith(f"{place}/"):
            return short + path.removeprefix(place)
        if place.startswith(path) and path.count("/") > 1:
            return "…"
    return path
