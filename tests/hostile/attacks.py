"""Answers that attack the grader, each with the claim that must hold: it scores 0 and harms nobody.

lies         answers that pretend to be right
replies      forged, damaged or missing replies of the process that the answer runs in
reading      looking for judges, solutions, secrets and other learners' work
system       system calls, processes, signals, writing
exhaustion   memory, processes, files, output, time
cells        what the notebook's other cells do
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

from course.grading.grades import CRASHED, ERROR, GRADED, NOT_ATTEMPTED, TAMPERED, TIMEOUT

FREEZE, LISTING, CACHING = "02-freeze-backbone", "02-list-trainable", "02-cache-features"
ENDED = (CRASHED, TIMEOUT, TAMPERED)


@dataclass(frozen=True)
class Attack:
    """`says` must stand in what came back, as proof that the attack ran. A slow one is ended from outside."""

    name: str
    source: str
    statuses: tuple[str, ...] = (GRADED, ERROR)
    exercise: str = FREEZE
    before: tuple[str, ...] = ()  # sources of cells before all others
    after: tuple[str, ...] = ()  # and behind them
    says: str = ""
    spares_the_rest: bool = True  # definitions are executed for each exercise: some attacks hit their own notebook
    slow: bool = False
    extra: dict[str, str] = field(default_factory=dict)


def freeze(body: str, *, top: str = "") -> str:
    """The cell of an answer `freeze(module)` with this body, below statements at its top."""
    return _cell(FREEZE, "def freeze(module):", body, top)


def listing(body: str, *, top: str = "") -> str:
    return _cell(LISTING, "def trainable_parameters(model):", body, top)


def caching(body: str, *, top: str = "") -> str:
    return _cell(CACHING, "def cache_features(model, loader):", body, top)


def _cell(exercise: str, line: str, body: str, top: str) -> str:
    body = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return f"# exercise: {exercise}\n{textwrap.dedent(top).strip()}\n{line}\n{body}\n"


def all_attacks() -> list[Attack]:
    """Every attack, each name once."""
    from tests.hostile import cells, exhaustion, lies, reading, replies, system

    families = (lies, replies, reading, system, exhaustion, cells)
    attacks = [attack for family in families for attack in family.ATTACKS]
    assert len({attack.name for attack in attacks}) == len(attacks), "two attacks have one name"
    return attacks


__all__ = [
    "CACHING", "CRASHED", "ENDED", "ERROR", "FREEZE", "GRADED", "LISTING", "NOT_ATTEMPTED", "TAMPERED", "TIMEOUT",
    "Attack", "all_attacks", "caching", "freeze", "listing",
]  # fmt: skip
