"""A mean over seeds, and how far to trust it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A mean over `n` seeds with its 95 % t interval: mean ± half_width, which is infinite for a single seed."""

    mean: float
    half_width: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """The interval for these values (Student, 1908)."""
        n = len(values)
        if n < 2:
            return cls(statistics.fmean(values), math.inf, n)
        from scipy.special import stdtrit

        half_width = float(stdtrit(n - 1, 0.975)) * statistics.stdev(values) / math.sqrt(n)
        return cls(statistics.fmean(values), half_width, n)

    @property
    def low(self) -> float:
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.mean + self.half_width

    @property
    def excludes_zero(self) -> bool:
        """True if the interval is entirely above or below 0: of a difference, one setting is better."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.mean:.2f}" + ("" if math.isinf(self.half_width) else f" ± {self.half_width:.2f}")
