"""A score that tells embeddings that collapsed from those that are spread out."""

from __future__ import annotations

import math
from typing import Any

import torch

from course.judging import Exercise, Unusable, expect, need

exercise = Exercise(
    "01-score-collapse",
    answer="collapse_score",
    call="collapse_score(z)",
    title="See that embeddings collapsed",
    withholds=("course.pretraining.collapse_score",),
    hints=(
        "Collapsed means: every picture gets the same direction. So make each row of length 1 first.",
        "If all rows are alike, each column hardly varies: take the standard deviation over the rows, dim=0.",
        "Unit rows that point everywhere have a deviation of 1/sqrt(D) in each column: multiply the mean by sqrt(D).",
    ),
    idea="u = F.normalize(z, dim=1); return (u.std(dim=0).mean() * z.shape[1] ** 0.5).item()",
)


@exercise.case
def four_clouds(rng: torch.Generator) -> dict[str, Any]:
    return clouds_case(rng, 2000, 32)


def clouds_case(rng: torch.Generator, rows: int, size: int) -> dict[str, Any]:
    """Embeddings that are collapsed or not, in kinds that a learner can imagine."""
    noise = torch.randn(rows, size, generator=rng)
    point = torch.randn(1, size, generator=rng) * 3
    return {
        "constant": point.expand(rows, size).clone(),
        "nearly": point + 0.01 * noise,
        "isotropic": noise,
        "long": noise * 7.0,
        "partly": noise + 0.3 * point,
    }


@exercise.probe
def probe_collapse_score(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    scores = {}
    for name, z in case.items():
        value = need(answer(z.clone()), (int, float, torch.Tensor), "the score, a float")
        if isinstance(value, torch.Tensor) and value.numel() != 1:
            raise Unusable(f"your answer returned a tensor of shape {tuple(value.shape)}; the score is one number")
        scores[name] = float(value)
    return scores


@exercise.judge(four_clouds, points=2)
def near_zero_when_collapsed(case: dict[str, Any], result: dict[str, float]) -> None:
    """The same embedding for every picture scores 0, and nearly the same one nearly 0."""
    _expect_score(case, result, "constant", "2,000 times the same row", 0.005)
    _expect_score(case, result, "nearly", "2,000 rows that differ by a little noise", 0.005)


@exercise.judge(four_clouds, points=1)
def near_one_when_spread_out(case: dict[str, Any], result: dict[str, float]) -> None:
    """Rows that point in all directions alike score 1, however long they are."""
    _expect_score(case, result, "isotropic", "2,000 rows that point in all directions", 0.02)
    _expect_score(case, result, "long", "the same rows, 7 times as long", 0.02)


@exercise.judge(four_clouds, points=1)
def between_for_the_rest(case: dict[str, Any], result: dict[str, float]) -> None:
    """Rows that lean in one direction score what the formula says."""
    _expect_score(case, result, "partly", "2,000 rows that lean in one direction", 0.02)


def _expect_score(case: dict[str, Any], result: dict[str, float], name: str, tried: str, atol: float) -> None:
    got, expected = result[name], collapse(case[name])
    because = "not a number: was something divided by zero?" if got != got else _mistake(case, result)
    expect(abs(got - expected) <= atol, tried=tried, got=got, expected=f"about {expected:.2f}", because=because)


def _mistake(case: dict[str, Any], result: dict[str, float]) -> str:
    """The misconception that explains all scores at once, or nothing: a single score may have many explanations."""
    clouds = ("nearly", "isotropic", "long", "partly")
    for because, score in MISTAKES.items():
        values = {name: float(score(case[name])) for name in clouds}
        if all(abs(result[name] - value) <= 0.01 * max(1.0, abs(value)) for name, value in values.items()):
            return because
    return ""


def _unit(z: torch.Tensor) -> torch.Tensor:
    return z / z.norm(dim=1, keepdim=True).clamp_min(1e-12)


def collapse(z: torch.Tensor) -> float:
    """The mean deviation of the columns of the normalised rows, times sqrt(D).

    Chen and He, "Exploring simple Siamese representation learning" (2021), section 4.1.
    """
    return _unit(z).std(0).mean().item() * math.sqrt(z.shape[1])


MISTAKES = {
    "uncentred: the root of the mean square is not a deviation; a constant has a large one": (
        lambda z: _unit(z).pow(2).mean(0).sqrt().mean() * math.sqrt(z.shape[1])
    ),
    "the deviation was taken inside each row (dim=1); collapse shows across rows (dim=0)": (
        lambda z: _unit(z).std(1).mean() * math.sqrt(z.shape[1])
    ),
    "the rows are not normalised: a longer embedding is not a more varied one": (
        lambda z: z.std(0).mean() * math.sqrt(z.shape[1])
    ),
    "the rows are not normalised, and sqrt(D) is missing": lambda z: z.std(0).mean(),
    "sqrt(D) is missing: unit rows that point everywhere deviate by 1/sqrt(D) in each column": (
        lambda z: _unit(z).std(0).mean()
    ),
    "the score is turned round: 0 is collapsed, 1 is spread out": lambda z: 1 - collapse(z),
    "centred before the rows were normalised: that blows the little noise up to full length": (
        lambda z: collapse(z - z.mean(0))
    ),
}
