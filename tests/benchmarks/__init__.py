"""Figures the course must reach, one module each: `python -m tests.benchmarks NAME`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """What a benchmark's `measure()` returns: a value with its unit and its bar, and lines to print before it.

    With `missed` the command exits with 1.
    """

    value: float
    unit: str
    bar: str
    notes: tuple[str, ...] = ()
    missed: bool = False
