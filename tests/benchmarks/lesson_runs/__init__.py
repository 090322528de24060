"""What each chapter teaches, one module per chapter, as differences that must be above zero.

A module `nbNN` has `LESSONS`: a list of `Lesson`. `python -m tests.benchmarks lessons NN` measures them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Lesson:
    """One sentence that a chapter teaches, and `run(seed)`: the paired difference that is above 0 if it is true.

    `name` ("04-fine-tuning-pays") is its key among the runs that are kept.
    """

    name: str
    sentence: str
    run: Callable[[int], float]
