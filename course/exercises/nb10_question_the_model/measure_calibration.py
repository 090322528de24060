"""The expected calibration error: how far confidence and accuracy are apart, bin by bin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course.judging import Exercise, Unusable, Wrong, expect, expect_close, need

exercise = Exercise(
    "10-measure-calibration",
    answer="ece",
    call="ece(probs, labels, bins)",
    title="Are 80 % of the 80 %-confident answers right?",
    withholds=("course.inspection.calibration.reliability",),
    hints=(
        "The confidence of a prediction is its largest probability: `confidence, predicted = probs.max(1)`. Loop over "
        "the bins and select the pictures of each with a boolean mask; skip a bin without pictures.",
        "Within a bin, the accuracy is the fraction of correct predictions and the confidence is their mean. The gap "
        "is the absolute value of the difference.",
        "A bin with 50 pictures says more than one with 2, so weight each gap by the bin's share of all pictures. "
        "Check the edges: with 4 bins, a confidence of exactly 0.75 belongs to the bin from 0.5 to 0.75.",
    ),
    idea="index = (confidence * bins).ceil().clamp(min=1) - 1; for b in range(bins): chosen = index == b; if any: "
    "total += chosen.float().mean() * |right[chosen].mean() - confidence[chosen].mean()|.",
)


@exercise.case
def unequal_bins(rng: torch.Generator) -> dict[str, Any]:
    return {"draws": [drawn(rng, bins=bins, classes=3) for bins in (5, 10)]}


@exercise.case
def certain_and_empty(rng: torch.Generator) -> dict[str, Any]:
    """Some pictures with a probability of exactly 1, wrong ones among them; many bins are empty."""
    return {"draws": [drawn(rng, bins=12, classes=4, certain=int(torch.randint(9, 14, (), generator=rng)))]}


@exercise.case
def at_the_edges(rng: torch.Generator) -> dict[str, Any]:
    return {"draws": [edges(rng, bins=bins) for bins in (2, 4)]}


def edges(rng: torch.Generator, *, bins: int) -> dict[str, Any]:
    """Confidences that lie exactly on an edge between two bins, with another error if bins include their lower edge."""
    while True:
        count = int(torch.randint(24, 40, (), generator=rng))
        confidence = torch.tensor([0.5, 0.625, 0.75, 0.875])[torch.randint(4, (count,), generator=rng)]
        predicted = torch.randint(3, (count,), generator=rng)
        probs = ((1 - confidence) / 2)[:, None].repeat(1, 3)
        probs[torch.arange(count), predicted] = confidence
        right = torch.rand(count, generator=rng) < 0.5
        draw: dict[str, Any] = {
            "probs": probs,
            "labels": torch.where(right, predicted, (predicted + 1) % 3),
            "bins": bins,
        }
        others = [reference, _one_bin] if bins > 2 else [reference]  # with two, the upper bin would hold them all
        if all(abs(_lower_edges_included(**draw) - other(**draw)) > 0.02 for other in others):
            return draw


def drawn(rng: torch.Generator, *, bins: int, classes: int, certain: int = 0) -> dict[str, Any]:
    """Probabilities (N, classes), labels and a number of bins, such that every mistake gives another error."""
    while True:
        count = int(torch.randint(40, 60, (), generator=rng))
        probs = (torch.randn(count, classes, generator=rng, dtype=torch.float64) * 2.5).softmax(1)
        if certain:
            probs = (probs * 0.2 + torch.nn.functional.one_hot(probs.argmax(1), classes) * 0.45) / 0.65
            probs[:certain] = torch.eye(classes, dtype=torch.float64)[torch.randint(classes, (certain,), generator=rng)]
        confidence, predicted = probs.max(1)
        right = torch.rand(count, generator=rng, dtype=torch.float64) < confidence - 0.25
        other = (predicted + torch.randint(1, classes, (count,), generator=rng)) % classes
        draw: dict[str, Any] = {"probs": probs.float(), "labels": torch.where(right, predicted, other), "bins": bins}
        place = confidence * bins
        at_edge = ((place - place.round()).abs() < 1e-3) & (confidence < 1)
        expected = reference(**draw)
        apart = [abs(float(formula(**draw)) - expected) for formula in mistaken().values()]
        # With no confidence at an edge or at 1, the mistakes about those have no effect.
        if not at_edge.any() and expected > 0.05 and sorted(apart)[2 if certain == 0 else 1] > 2e-3:
            return draw


def reference(probs: torch.Tensor, labels: torch.Tensor, bins: int) -> float:
    """The sum over the bins of share times |accuracy - confidence|."""
    return float((_shares(probs, labels, bins) * _gaps(probs, labels, bins).abs()).sum())


def _placed(probs: torch.Tensor, labels: torch.Tensor, bins: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(confidence, right) of the pictures in each bin."""
    confidence, predicted = probs.double().max(1)
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    return [(confidence[place == b], (predicted == labels)[place == b].double()) for b in range(bins)]


def _gaps(probs: torch.Tensor, labels: torch.Tensor, bins: int) -> torch.Tensor:
    placed = _placed(probs, labels, bins)
    return torch.stack([r.mean() - c.mean() if len(c) else torch.zeros((), dtype=c.dtype) for c, r in placed])


def _shares(probs: torch.Tensor, labels: torch.Tensor, bins: int) -> torch.Tensor:
    return torch.tensor([len(c) for c, _ in _placed(probs, labels, bins)], dtype=torch.float64) / len(labels)


def _one_bin(probs: torch.Tensor, labels: torch.Tensor, bins: int) -> float:
    return reference(probs, labels, 1)


def _unweighted(probs: torch.Tensor, labels: torch.Tensor, bins: int) -> float:
    held = _shares(probs, labels, bins) > 0
    return float(_gaps(probs, labels, bins).abs()[held].mean())


def _over_all_bins(probs: torch.Tensor, labels: torch.Tensor, bins: int) -> float:
    return float(_gaps(probs, labels, bins).abs().mean())


def _without_certain(probs: torch.Tensor, labels: torch.Tensor, bins: int) -> float:
    """Pictures with a probability of 1 are counted among all pictures but are in no bin."""
    open_ = probs.amax(1) < 1
    return reference(probs[open_], labels[open_], bins) * float(open_.float().mean()) if open_.any() else 0.0


def _of_the_true_class(probs: torch.Tensor, labels: torch.Tensor, bins: int) -> float:
    true = probs.double().gather(1, labels[:, None])[:, 0]
    place = (true * bins).ceil().long().clamp(1, bins) - 1
    right = (probs.argmax(1) == labels).double()
    return float(sum(
        (place == b).double().mean() * (right[place == b].mean() - true[place == b].mean()).abs()
        for b in range(bins)
        if (place == b).any()
    ))  # fmt: skip


def _lower_edges_included(probs: torch.Tensor, labels: torch.Tensor, bins: int) -> float:
    """Bins [b / bins, (b + 1) / bins), but the last one includes 1."""
    confidence, predicted = probs.double().max(1)
    index = (confidence * bins).floor().long().clamp(0, bins - 1)
    gaps = (predicted == labels).double() - confidence
    return float(torch.bincount(index, gaps, bins).abs().sum() / len(labels))


def mistaken() -> dict[str, Callable[..., float]]:
    """Misconception -> the error that it gives."""
    return {
        "a confidence on the edge between two bins belongs to the lower one: (b / bins, (b + 1) / bins]": (
            _lower_edges_included
        ),
        "the bins were not weighted: one with 2 pictures counted as much as one with 50": _unweighted,
        "the bins were not weighted, and empty ones counted as perfect": _over_all_bins,
        "the gaps cancelled each other out: take the absolute value in each bin, before the sum": lambda **d: float(
            (_shares(**d) * _gaps(**d)).sum()
        ),
        "this is what a single bin gives, where gaps cancel out: take the absolute value in each bin": _one_bin,
        "this is the largest gap (the maximum calibration error); sum the gaps, weighted": lambda **d: float(
            _gaps(**d).abs().max()
        ),
        "the gaps were squared": lambda **d: float((_shares(**d) * _gaps(**d) ** 2).sum()),
        "a confidence of exactly 1 was in no bin: the last bin includes it": _without_certain,
        "confidence is the largest probability, not the probability of the true class": _of_the_true_class,
        "this is in per cent; return a fraction": lambda **d: 100 * reference(**d),
        "the gaps were weighted by counts: divide by the number of all pictures": lambda **d: (
            len(d["labels"]) * reference(**d)
        ),
        "this is the error rate": lambda **d: float((d["probs"].argmax(1) != d["labels"]).float().mean()),
        "this is the accuracy": lambda **d: float((d["probs"].argmax(1) == d["labels"]).float().mean()),
    }


@exercise.probe
def probe_ece(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    values = []
    for draw in case["draws"]:
        returned = need(
            answer(draw["probs"].clone(), draw["labels"].clone(), draw["bins"]),
            (float, int, torch.Tensor, np.floating),
            "one number, a float",
        )
        try:
            values.append(float(returned))
        except (TypeError, ValueError, RuntimeError) as error:
            raise Unusable("your answer returned several numbers; return one float, their weighted sum") from error
    return {"errors": torch.tensor(values, dtype=torch.float64)}


@exercise.judge(unequal_bins, points=2)
def gaps_weighted_by_their_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The error is the sum over the bins of |accuracy - confidence|, each weighted by its share of the pictures."""
    judge_errors(case, result)


@exercise.judge(certain_and_empty, points=1)
def the_last_bin_holds_certainty(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A confidence of exactly 1 is in the last bin, and an empty bin adds nothing."""
    judge_errors(case, result)


@exercise.judge(at_the_edges, points=1)
def an_edge_belongs_to_the_lower_bin(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A confidence that is exactly on the edge between two bins is in the lower one."""
    judge_errors(case, result)


def judge_errors(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every error is the reference's, naming the formula that they follow instead."""
    got, draws = result["errors"], case["draws"]
    expect(
        got.shape == (len(draws),),
        tried="counting the calibration errors",
        got=tuple(got.shape),
        expected=(len(draws),),
    )
    expected = torch.tensor([reference(**draw) for draw in draws], dtype=torch.float64)
    if torch.allclose(got, expected, atol=1e-4, rtol=0):
        return
    i = int((got - expected).abs().nan_to_num(nan=9.0).argmax())
    tried = f"{len(draws[i]['labels'])} pictures in {draws[i]['bins']} bins"
    if got.isnan().any():
        because = "NaN comes from 0 / 0, as in the mean of an empty bin: skip empty bins"
        raise Wrong(tried=tried, got=float(got[i]), expected=float(expected[i]), because=because)
    for because, formula in mistaken().items():
        made = torch.tensor([float(formula(**draw)) for draw in draws], dtype=torch.float64)
        if torch.allclose(got, made, atol=1e-4, rtol=1e-4):
            raise Wrong(tried=tried, got=float(got[i]), expected=float(expected[i]), because=because)
    because = "each bin adds its share of the pictures times the gap between its accuracy and its mean confidence"
    expect_close(float(got[i]), float(expected[i]), tried=tried, atol=1e-4, rtol=0, because=because)
