"""`mcnemar`: whether two models differ, judged on the same test samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course.errors import DataError


@dataclass(frozen=True)
class PairedTest:
    """Two models on `n` samples: `only_a` and `only_b` are how many one of them alone got right.

    `difference` is the accuracy of `a` minus that of `b`, with its 95 % interval from `low` to `high`; `p_value` is the
    probability of a split at least as uneven if each disagreement were a toss of a coin.
    """

    n: int
    only_a: int
    only_b: int
    difference: float
    low: float
    high: float
    p_value: float

    def __str__(self) -> str:
        return (
            f"{self.difference:+.1%} (95 % interval {self.low:+.1%} to {self.high:+.1%}); only the first is right on "
            f"{self.only_a}, only the second on {self.only_b} of {self.n}; p = {self.p_value:.2g}"
        )


def mcnemar(right_a: Sequence[Any], right_b: Sequence[Any]) -> PairedTest:
    """Compare two models by the samples on which they disagree (McNemar, 1947); exact, by the binomial distribution.

    `right_a` and `right_b` are (N,), true where the model is right; sample i is the same in both. The interval covers
    the draw of test samples, not that of training samples or seeds. It is that of Agresti and Min (2005), which adds
    half a sample to each of the four cells. Raises DataError for different lengths or no samples.
    """
    a, b = (np.asarray(right).astype(bool) for right in (right_a, right_b))
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise DataError(
            f"the two models have {a.shape} and {b.shape} results; compare them on the same samples, at least one"
        )
    from scipy.stats import binomtest

    n, only_a, only_b = len(a), int((a & ~b).sum()), int((b & ~a).sum())
    p_value = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    total, first, second = n + 2, only_a + 0.5, only_b + 0.5
    centre = (first - second) / total
    half_width = 1.96 * math.sqrt(first + second - (first - second) ** 2 / total) / total
    return PairedTest(
        n, only_a, only_b, (only_a - only_b) / n, max(-1.0, centre - half_width), min(1.0, centre + half_width), p_value
    )
