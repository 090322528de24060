"""Weights in what a learner handed in, each with the model card that came with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Protocol, TypeVar

from course.legible import presentable

MAX_CAPSTONES = 20  # of one learner in one source


class File(Protocol):
    """A file among what was handed in: `parts` are its folders and its name, `problem` why it cannot be read."""

    @property
    def parts(self) -> tuple[str, ...]: ...

    @property
    def problem(self) -> str: ...

    @property
    def is_weights(self) -> bool: ...


Found = TypeVar("Found", bound=File)
_CARDS = (".md", ".md.txt", ".markdown")


def in_group(files: Sequence[Found]) -> list[tuple[int, Found | None, str]]:
    """(place of the weights, card, problem) for each weight file among one learner's files.

    Where some are called capstone, others are not looked at.
    """
    weights = [place for place, found in enumerate(files) if found.is_weights]
    named = [place for place in weights if _is_capstone(files[place])]
    chosen = named or weights
    if len(chosen) > MAX_CAPSTONES:
        problem = f"{len(chosen)} weight files came from one learner; ask which one counts"
        return [(chosen[0], None, problem)]
    return [(place, _card(files[place], files), _problem(files[place])) for place in chosen]


def _is_capstone(found: Found) -> bool:
    return "capstone" in found.parts[-1].lower()


def _problem(found: Found) -> str:
    return f"{presentable(found.parts[-1])}: {found.problem}" if found.problem else ""


def _card(weights: Found, files: Sequence[Found]) -> Found | None:
    """The card beside the weights: of the same name, else one that is called capstone, the nearest first."""
    stem = PurePath(weights.parts[-1]).stem

    def rank(found: Found) -> tuple[bool, bool]:
        same_name = found.parts[-1].split(".md")[0] == stem
        return found.parts[:-1] == weights.parts[:-1], same_name

    cards = [
        found
        for found in files
        if found.parts[-1].lower().endswith(_CARDS) and (_is_capstone(found) or rank(found) == (True, True))
    ]
    return max(cards, key=rank, default=None)
