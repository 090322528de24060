"""The Wilson interval of an accuracy: what a count of right answers says about the pictures still to come."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.judging import Exercise, Unusable, Wrong, expect, expect_close, need

Z = 1.959964  # 95 % of a normal distribution lie within so many standard deviations

exercise = Exercise(
    "05-bound-accuracy",
    answer="wilson",
    call="wilson(correct, n)",
    title="How sure is an accuracy?",
    hints=(
        "Write p = correct / n and z = 1.96. The formula has a centre and a half-width: return difference and sum.",
        "The centre is (p + z²/2n) / (1 + z²/n): it is pulled from p towards one half.",
        "The half-width is z / (1 + z²/n) * sqrt(p (1 - p) / n + z² / (4 n²)).",
    ),
    idea="scale = 1 + z² / n; centre = (p + z² / 2n) / scale; half = z / scale * sqrt(p (1 - p) / n + z² / 4n²); "
    "return centre - half, centre + half.",
)


@exercise.case
def some_right(rng: torch.Generator) -> dict[str, Any]:
    return {"pairs": drawn_pairs(rng, 5)}


@exercise.case
def all_right(rng: torch.Generator) -> dict[str, Any]:
    return {"pairs": [[n, n] for _, n in drawn_pairs(rng, 4)]}


def drawn_pairs(rng: torch.Generator, count: int) -> list[list[int]]:
    """[right answers, pictures], some of each right and some wrong."""
    sizes = torch.randint(8, 90, (count,), generator=rng).tolist()
    return [[int(torch.randint(1, n, (), generator=rng)), n] for n in sizes]


@exercise.probe
def probe_wilson(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    bounds = []
    for correct, n in case["pairs"]:
        returned = need(answer(correct, n), (tuple, list, torch.Tensor, np.ndarray), "two numbers: `return low, high`")
        if len(returned) != 2:
            raise Unusable(f"your answer returned {len(returned)} numbers; return low, high")
        try:
            bounds.append([float(value) for value in returned])
        except (TypeError, ValueError) as error:
            raise Unusable("your answer returned two values that are not numbers; return low, high") from error
    return {"bounds": torch.tensor(bounds, dtype=torch.float64)}


def reference(correct: float, n: int, z: float = Z) -> tuple[float, float]:
    """(low, high), after Wilson, "Probable inference" (1927)."""
    p, scale = correct / n, 1 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return centre - half, centre + half


def _wald(correct: float, n: float, z: float = Z) -> tuple[float, float]:
    p = correct / n
    half = z * math.sqrt(p * (1 - p) / n)
    return p - half, p + half


def _clipped(correct: float, n: int) -> tuple[float, float]:
    low, high = _wald(correct, n)
    return max(0.0, low), min(1.0, high)


def _agresti(correct: float, n: int) -> tuple[float, float]:
    return _wald(correct + Z * Z / 2, n + Z * Z)


def _exact(correct: float, n: int) -> tuple[float, float]:
    from scipy.stats import beta

    low = float(beta.ppf(0.025, correct, n - correct + 1)) if correct else 0.0
    return low, float(beta.ppf(0.975, correct + 1, n - correct)) if correct < n else 1.0


def _centre_and_half(correct: float, n: int) -> tuple[float, float]:
    low, high = reference(correct, n)
    return (low + high) / 2, (high - low) / 2


def _with_half(half: Callable[[float, float, float], float]) -> Callable[[float, int], tuple[float, float]]:
    """Wilson's centre, and a half-width of p, n and 1 + z² / n."""

    def bounds(correct: float, n: int) -> tuple[float, float]:
        p, scale = correct / n, 1 + Z * Z / n
        centre = (p + Z * Z / (2 * n)) / scale
        return centre - half(p, n, scale), centre + half(p, n, scale)

    return bounds


SYMMETRIC = (
    "p ± z sqrt(p (1 - p) / n) is symmetric around p: with all right it has no width, as if nothing could go wrong"
)


def mistaken_formulas() -> dict[str, Callable[[float, int], Any]]:
    """Misconception -> the bounds that it gives for a number of right answers and of pictures."""
    return {
        SYMMETRIC: _wald,
        f"{SYMMETRIC}; cutting it off at 0 and 1 does not fix that": _clipped,
        "this is one standard error to each side, about 68 %: z is 1.96 for 95 %": lambda k, n: reference(k, n, 1.0),
        "one standard error to each side of p; the interval is Wilson's, and z is 1.96": lambda k, n: _wald(k, n, 1.0),
        "z is 1.96 for 95 %, not 2": lambda k, n: reference(k, n, 2.0),
        "z is 1.96 for a two-sided 95 %; 1.645 leaves 5 % on each side": lambda k, n: reference(k, n, 1.644854),
        "Agresti and Coull's interval has Wilson's centre and is wider": _agresti,
        "this is Clopper and Pearson's interval, which is wider than 95 % asks for": _exact,
        "these are percent; return fractions": lambda k, n: [100 * bound for bound in reference(k, n)],
        "return low and high, not the centre and the half-width": _centre_and_half,
        "under the root stands z² / 4n², and this is z² / 4n: n is squared as well": _with_half(
            lambda p, n, scale: Z / scale * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n))
        ),
        "`/ 4 * n**2` divides by 4 and then multiplies: write `/ (4 * n**2)`": _with_half(
            lambda p, n, scale: Z / scale * math.sqrt(p * (1 - p) / n + Z * Z / 4 * n * n)
        ),
        "the half-width is divided by 1 + z² / n too, as the centre is": _with_half(
            lambda p, n, scale: Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        ),
        "low comes first": lambda k, n: reference(k, n)[::-1],
        "this is the interval of the error rate": lambda k, n: reference(n - k, n),
        "these are counts; divide by n": lambda k, n: [n * bound for bound in reference(k, n)],
    }


@exercise.judge(some_right, points=2)
def the_interval_of_wilson(case: dict[str, Any], result: dict[str, Any]) -> None:
    """For some right and some wrong answers, low and high are Wilson's bounds at 95 %."""
    judge_bounds(case, result)


@exercise.judge(all_right, points=2)
def all_right_is_not_certain(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With every answer right the interval ends at 1, and begins the lower the fewer pictures there were."""
    judge_bounds(case, result)


def judge_bounds(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every pair's bounds are the reference's, naming the formula that they follow instead."""
    got, pairs = result["bounds"], case["pairs"]
    expect(got.shape == (len(pairs), 2), tried="counting the bounds", got=tuple(got.shape), expected=(len(pairs), 2))
    expected = torch.tensor([reference(*pair) for pair in pairs], dtype=torch.float64)
    if torch.allclose(got, expected, atol=2e-4, rtol=0):
        return
    i = int((got - expected).abs().nan_to_num(nan=9.0).amax(1).argmax())
    for because, formula in mistaken_formulas().items():
        made = torch.tensor([formula(*pair) for pair in pairs], dtype=torch.float64)
        if torch.allclose(got, made, atol=2e-4, rtol=1e-4):
            tried = f"{pairs[i][0]} right of {pairs[i][1]}"
            raise Wrong(tried=tried, got=got[i].tolist(), expected=expected[i].tolist(), because=because)
    expect_close(
        got[i].tolist(),
        expected[i].tolist(),
        tried=f"{pairs[i][0]} right of {pairs[i][1]}",
        atol=2e-4,
        rtol=0,
        because="low and high are the two ends of Wilson's formula, with z = 1.96 and no other correction",
    )
