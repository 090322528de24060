"""McNemar's exact test: is one of two models better, judged on the same test pictures?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.judging import Exercise, Unusable, Wrong, expect, expect_close, need

WHAT = "two numbers: `return difference, p_value`"

exercise = Exercise(
    "05-compare-models",
    answer="compare_models",
    call="compare_models(true, pred_a, pred_b)",
    title="Is the new model really better?",
    withholds=("course.inspection.paired_test.mcnemar",),
    hints=(
        "Turn each model's predictions into right or wrong, picture by picture. Which of the four combinations say "
        "anything about which model is better?",
        "Let a_only and b_only be the numbers of pictures that only one model gets right. If the models were equally "
        "good, a_only would be the number of heads in a_only + b_only tosses of a fair coin.",
        "Add up the binomial probabilities of all outcomes that are at least as uneven, in both directions. "
        "`scipy.stats.binomtest` does this; with no disagreement at all there is nothing to test, and p is 1.",
    ),
    idea="right_a, right_b = pred_a == true, pred_b == true; a_only = (right_a & ~right_b).sum(), b_only likewise; "
    "p = binomtest(a_only, a_only + b_only).pvalue if they disagree anywhere, else 1; the difference is "
    "(a_only - b_only) / n.",
)


@exercise.case
def two_models(rng: torch.Generator) -> dict[str, Any]:
    return {"draws": [drawn_models(rng, *sizes) for sizes in ((60, 14, 5), (110, 9, 17), (40, 21, 8))]}


@exercise.case
def hard_to_tell_apart(rng: torch.Generator) -> dict[str, Any]:
    """Equally many wins on both sides, a single disagreement, none; and two models that differ."""
    each = int(torch.randint(3, 9, (), generator=rng))
    plain = [drawn_models(rng, *sizes, vary=0) for sizes in ((30, each, each), (25, 1, 0), (20, 0, 0))]
    return {"draws": [*plain, drawn_models(rng, 50, 11, 3)]}


def drawn_models(rng: torch.Generator, both: int, first: int, second: int, *, vary: int = 5) -> dict[str, Any]:
    """Labels and two models' predictions: both right, only the first, only the second right; and both wrong, apart.

    The three counts are drawn up to `vary` higher, and the models never win equally often because of that.
    """
    neither, classes = int(torch.randint(8, 25, (), generator=rng)), 6
    more = torch.randint(vary + 1, (3,), generator=rng).tolist()
    if first + more[1] == second + more[2] and first != second:
        more[1] += 1
    counts = torch.tensor([both + more[0], first + more[1], second + more[2], neither])
    kind = torch.repeat_interleave(torch.arange(4), counts)
    kind = kind[torch.randperm(len(kind), generator=rng)]
    true = torch.randint(classes, kind.shape, generator=rng)
    wrong_a = (true + 1 + torch.randint(classes - 1, kind.shape, generator=rng)) % classes
    wrong_b = (true + 1 + torch.randint(classes - 1, kind.shape, generator=rng)) % classes
    pred_a = torch.where((kind == 0) | (kind == 1), true, wrong_a)
    pred_b = torch.where((kind == 0) | (kind == 2), true, wrong_b)
    return {"true": true, "pred_a": pred_a, "pred_b": pred_b}


@exercise.probe
def probe_compare_models(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    rows = []
    for draw in case["draws"]:
        returned = need(
            answer(draw["true"].clone(), draw["pred_a"].clone(), draw["pred_b"].clone()),
            (tuple, list, np.ndarray, torch.Tensor),
            WHAT,
        )
        if len(returned) != 2:
            raise Unusable(f"your answer returned {len(returned)} values; return {WHAT}")
        try:
            rows.append([float(value) for value in returned])
        except (TypeError, ValueError) as error:
            raise Unusable(f"your answer returned values that are not numbers; return {WHAT}") from error
    return {"values": torch.tensor(rows, dtype=torch.float64).reshape(len(rows), 2)}


def counts_of(draw: dict[str, Any]) -> tuple[int, int, int]:
    """(pictures that only the first model gets right, only the second, all pictures)."""
    right_a, right_b = draw["pred_a"] == draw["true"], draw["pred_b"] == draw["true"]
    return int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum()), len(right_a)


def exact_p(a: int, b: int) -> float:
    """The two-sided binomial probability of a split at least as uneven as a : b."""
    total, most = a + b, max(a, b)
    tail = sum(math.comb(total, k) for k in range(most, total + 1)) / 2**total
    return min(1.0, 2 * tail) if total else 1.0


@exercise.judge(two_models, points=1)
def the_difference_is_signed(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The difference is the accuracy of the first model minus that of the second."""
    _check_count(case, result)
    counts = [counts_of(draw) for draw in case["draws"]]
    expected = torch.tensor([(a - b) / n for a, b, n in counts], dtype=torch.float64)
    mistakes = {
        "these are the second model's accuracies minus the first's": -expected,
        "the sign says which model is better; don't drop it": expected.abs(),
        "these are numbers of pictures; divide by how many there are": _each(counts, lambda a, b, n: a - b),
        "these are percentage points; return fractions": 100 * expected,
        "divide by the number of all pictures, not of those on which the models disagree": _each(
            counts, lambda a, b, n: (a - b) / (a + b)
        ),
    }
    expect_close(
        result["values"][:, 0],
        expected,
        tried=f"models that alone are right on {', '.join(f'{a} and {b}' for a, b, _ in counts)} pictures",
        atol=1e-5,
        rtol=0,
        mistakes=mistakes,
        because="the accuracy of pred_a minus the accuracy of pred_b, as a fraction",
    )


def _each(counts: list[tuple[int, int, int]], formula: Callable[[int, int, int], float]) -> torch.Tensor:
    return torch.tensor([formula(*row) for row in counts], dtype=torch.float64)


@exercise.judge(two_models, points=2)
def the_p_value_is_exact_and_two_sided(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The p-value is that of the exact, two-sided test on the pictures where exactly one model is right."""
    judge_p_values(case, result)


@exercise.judge(hard_to_tell_apart, points=2)
def a_tie_has_p_one(case: dict[str, Any], result: dict[str, Any]) -> None:
    """If both models win equally often, or never disagree, the p-value is 1 and not more."""
    judge_p_values(case, result)


def _check_count(case: dict[str, Any], result: dict[str, Any]) -> None:
    expect(
        len(result["values"]) == len(case["draws"]),
        tried="counting the comparisons",
        got=len(result["values"]),
        expected=len(case["draws"]),
        because="one pair of numbers per call",
    )


def judge_p_values(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every p-value is exact, naming the test that all of them follow instead."""
    _check_count(case, result)
    got = result["values"][:, 1]
    expected = torch.tensor([exact_p(*counts_of(draw)[:2]) for draw in case["draws"]], dtype=torch.float64)
    if torch.allclose(got, expected, atol=2e-4, rtol=1e-3):
        return
    i = int((got - expected).abs().nan_to_num(nan=9.0).argmax())
    a, b, n = counts_of(case["draws"][i])
    because = "add up the binomial probabilities of every split of the disagreements at least as uneven as this one"
    for words, made in mistaken_p_values(case).items():
        if not torch.equal(made, expected) and torch.allclose(got, made, atol=2e-4, rtol=1e-3, equal_nan=True):
            because = words
            break
    raise Wrong(
        tried=f"two models, {n} pictures: {a} that only the first gets right, {b} that only the second does",
        got=f"p = {float(got[i]):.4g}",
        expected=f"p = {float(expected[i]):.4g}",
        because=because,
    )


def mistaken_p_values(case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Misconception -> the p-values that it gives for the case's draws."""
    formulas = {
        "twice the tail can exceed 1 when the models win equally often; a probability can't": _unclipped,
        "this is one-sided: a difference in the other direction would have counted too, so double it": _one_sided,
        "this tests one direction, whether the first model is better; the other direction counts too": _greater,
        "this is 1 minus the p-value": lambda draw: 1 - exact_p(*counts_of(draw)[:2]),
        "this is the chi-squared approximation; with few disagreements use the binomial distribution": _chi_squared,
        "this is the chi-squared approximation with continuity correction; use the binomial distribution": _corrected,
        "this is the probability of exactly this split; a p-value also counts the more uneven ones": _point,
        "this is the mid-p variant, which counts only half of the observed split": _mid_p,
        "this compares two accuracies as if the models had seen different pictures; these are the same ones": _unpaired,
        "pictures that both models get wrong, in different ways, count too; only right or wrong matters": _any_apart,
        "with no disagreement there is nothing to test: p is 1, not nan": _nan_without,
        "with no disagreement there is nothing to test: p is 1, not 0": _zero_without,
    }
    return {
        words: torch.tensor([formula(draw) for draw in case["draws"]], dtype=torch.float64)
        for words, formula in formulas.items()
    }


def _unclipped(draw: dict[str, Any]) -> float:
    a, b, _ = counts_of(draw)
    return 2 * _one_sided(draw) if a + b else 1.0


def _one_sided(draw: dict[str, Any]) -> float:
    a, b, _ = counts_of(draw)
    return sum(math.comb(a + b, k) for k in range(max(a, b), a + b + 1)) / 2 ** (a + b)


def _greater(draw: dict[str, Any]) -> float:
    a, b, _ = counts_of(draw)
    return sum(math.comb(a + b, k) for k in range(a, a + b + 1)) / 2 ** (a + b)


def _chi_squared(draw: dict[str, Any], correction: float = 0.0) -> float:
    a, b, _ = counts_of(draw)
    return math.erfc(math.sqrt(max(0.0, abs(a - b) - correction) ** 2 / (a + b) / 2)) if a + b else 1.0


def _corrected(draw: dict[str, Any]) -> float:
    return _chi_squared(draw, 1.0)


def _point(draw: dict[str, Any]) -> float:
    a, b, _ = counts_of(draw)
    return math.comb(a + b, a) / 2 ** (a + b)


def _mid_p(draw: dict[str, Any]) -> float:
    a, b, _ = counts_of(draw)
    return exact_p(a, b) - math.comb(a + b, a) / 2 ** (a + b) if a + b else 1.0


def _unpaired(draw: dict[str, Any]) -> float:
    n = len(draw["true"])
    p_a, p_b = (float((draw[name] == draw["true"]).double().mean()) for name in ("pred_a", "pred_b"))
    pooled = (p_a + p_b) / 2
    error = math.sqrt(2 * pooled * (1 - pooled) / n)
    return math.erfc(abs(p_a - p_b) / error / math.sqrt(2)) if error else 1.0


def _any_apart(draw: dict[str, Any]) -> float:
    a = counts_of(draw)[0]
    apart = int((draw["pred_a"] != draw["pred_b"]).sum())
    return exact_p(a, apart - a)


def _nan_without(draw: dict[str, Any]) -> float:
    a, b, _ = counts_of(draw)
    return exact_p(a, b) if a + b else float("nan")


def _zero_without(draw: dict[str, Any]) -> float:
    a, b, _ = counts_of(draw)
    return exact_p(a, b) if a + b else 0.0
