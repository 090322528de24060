"""A notebook's claim as one line of text that tests can compare."""

from __future__ import annotations

HOLDS = "holds: "
FAILS = "does not hold: "


def claim(text: str, holds: object) -> None:
    """Print whether a claim holds on what was just measured.

    The line is the same on every machine where the claim is true, so `text` contains no measured value. `holds` is
    anything with a truth value: a bool, a numpy bool or a tensor with one element.
    """
    print((HOLDS if bool(holds) else FAILS) + text)
