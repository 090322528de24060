"""A score that tells embeddings that collapsed from those that are spread out."""

from __future__ import annotations

import math
from typing import Any

import torch

from course.judging import Exercise, Unusable, Wrong, expect, need

exercise = Exercise(
    "01-score-collapse",
    answer="collapse_score",
    call="collapse_score(z)",
    title="See the collapse",
    withholds=("course.models.pretraining.collapse_score",),
    hints=(
        "Collapsed means that every picture gets the same direction. So scale each row to length 1 first.",
        "If all rows are alike, each column hardly varies: take the standard deviation over the rows, dim=0.",
        "Unit rows that point everywhere have a deviation of 1/sqrt(D) in each column: multiply the mean by sqrt(D).",
    ),
    idea="u = F.normalize(z, dim=1); return (u.std(dim=0).mean() * z.shape[1] ** 0.5).item()",
)


COLLAPSED, SPREAD = 0.01, 0.95  # what scores less has collapsed, what scores more points in all directions


@exercise.case
def four_clouds(rng: torch.Generator) -> dict[str, Any]:
    return clouds_case(rng, 500, 32)


def clouds_case(rng: torch.Generator, rows: int, size: int, *, dead: bool = False) -> dict[str, Any]:
    """Embeddings that are collapsed or not, in kinds that a learner can imagine and in an order that is drawn."""
    clouds = [torch.randn(1, size, generator=rng).expand(rows, size) * 3 for _ in range(2)]
    clouds += [
        3 * torch.randn(1, size, generator=rng) + 0.01 * torch.randn(rows, size, generator=rng) for _ in range(3)
    ]
    clouds += [torch.randn(rows, size, generator=rng) * length for length in (1.0, 1.0, 0.2, 4.0, 7.0)]
    for score in (0.2 + 0.65 * torch.rand(6, generator=rng)).tolist():
        direction = torch.randn(1, size, generator=rng)
        lean = size**0.5 * (1 / score**2 - 1) ** 0.5  # beside noise of length sqrt(size), for about this score
        clouds.append(torch.randn(rows, size, generator=rng) + lean * direction / direction.norm())
    clouds += [torch.zeros(50, 8)] * dead
    return {"clouds": [clouds[i].clone() for i in torch.randperm(len(clouds), generator=rng)]}


@exercise.probe
def probe_collapse_score(answer: Any, case: dict[str, Any]) -> dict[str, list[float]]:
    scores = []
    for z in case["clouds"]:
        value = need(answer(z.clone()), (int, float, torch.Tensor), "the score, a float")
        if isinstance(value, torch.Tensor) and value.numel() != 1:
            raise Unusable(f"your answer returned a tensor of shape {tuple(value.shape)}; the score is one number")
        scores.append(float(value))
    return {"scores": scores}


@exercise.judge(four_clouds, points=2)
def near_zero_when_collapsed(case: dict[str, Any], result: dict[str, list[float]]) -> None:
    """The same embedding for every picture scores 0, and nearly the same one scores nearly 0."""
    others = _expect_scores(case, result, 0.0, COLLAPSED, 0.005)
    low = sum(not got > COLLAPSED for got in others)
    expect(
        not low,
        tried=f"{len(others)} sets of embeddings that have not collapsed",
        got=f"{low} of them score nearly 0 too",
        expected="nearly 0 for collapsed embeddings only",
        because=_mistake(case, result) or "the score must distinguish collapsed embeddings from others",
    )


@exercise.judge(four_clouds, points=1)
def near_one_when_spread_out(case: dict[str, Any], result: dict[str, list[float]]) -> None:
    """Rows that point in all directions evenly score 1, however long they are."""
    others = _expect_scores(case, result, SPREAD, math.inf, 0.02)
    high = sum(not got < SPREAD for got in others)
    expect(
        not high,
        tried=f"{len(others)} sets of embeddings that collapsed or lean in one direction",
        got=f"{high} of them score 1 or more",
        expected="1 only for rows that point in all directions",
        because=_mistake(case, result) or "the score must distinguish embeddings that are spread out from others",
    )


@exercise.judge(four_clouds, points=1)
def between_for_the_rest(case: dict[str, Any], result: dict[str, list[float]]) -> None:
    """Rows that lean in one direction score what the formula gives."""
    _expect_scores(case, result, COLLAPSED, SPREAD, 0.02)


def _expect_scores(
    case: dict[str, Any], result: dict[str, list[float]], low: float, high: float, atol: float
) -> list[float]:
    """The scores given to other embeddings. Raises Wrong unless those that should score in [low, high) do so."""
    others = []
    for z, got in zip(case["clouds"], result["scores"], strict=True):
        expected = collapse(z)
        if not low <= expected < high:
            others.append(got)
            continue
        if abs(got - expected) <= atol:
            continue
        because = "not a number: was something divided by zero?" if got != got else _mistake(case, result)
        raise Wrong(
            tried=f"{len(z):,} {_kind(z, expected)}",
            got=got,
            expected=f"{expected:.4f}, at most {atol:g} away",
            because=because or _aside(z, got, expected),
        )
    return others


def _kind(z: torch.Tensor, score: float) -> str:
    if (z == z[0]).all():
        return "rows of zeros" if not z.any() else "times the same row"
    if score < COLLAPSED:
        return "rows that differ by a little noise"
    length = float(z.norm(dim=1).mean())
    return (
        f"rows of length {length:.1f} that {'point in all directions' if score > SPREAD else 'lean in one direction'}"
    )


def _aside(z: torch.Tensor, got: float, expected: float) -> str:
    """What a single score says where no known misconception explains them all."""
    if (z == z[0]).all():
        return "rows that are all the same do not vary at all"
    return (
        f"the score is too {'low' if got < expected else 'high'}: the mean over the columns of the deviation of rows "
        "of length 1, times sqrt(D)"
    )


def _mistake(case: dict[str, Any], result: dict[str, list[float]]) -> str:
    """The misconception that explains all scores at once, or nothing: a single score may have many explanations."""
    varied = [(z, got) for z, got in zip(case["clouds"], result["scores"], strict=True) if (z != z[0]).any()]
    for because, score in MISTAKES.items():
        values = [float(score(z)) for z, _ in varied]
        if all(abs(got - value) <= 0.01 * max(1.0, abs(value)) for (_, got), value in zip(varied, values, strict=True)):
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
    "uncentred: a root mean square is not a standard deviation, and a constant has a large one": (
        lambda z: _unit(z).pow(2).mean(0).sqrt().mean() * math.sqrt(z.shape[1])
    ),
    "the deviation was taken within each row (dim=1); collapse shows across rows (dim=0)": (
        lambda z: _unit(z).std(1).mean() * math.sqrt(z.shape[1])
    ),
    "the rows are not normalised: longer embeddings are not more varied": (
        lambda z: z.std(0).mean() * math.sqrt(z.shape[1])
    ),
    "the rows are not normalised, and sqrt(D) is missing": lambda z: z.std(0).mean(),
    "sqrt(D) is missing: unit rows that point everywhere have a deviation of 1/sqrt(D) in each column": (
        lambda z: _unit(z).std(0).mean()
    ),
    "these are variances, added up (1 minus the mean cosine is the same); take the mean of standard deviations": (
        lambda z: _unit(z).var(0).mean() * z.shape[1]
    ),
    "one deviation was taken over all numbers at once: take one for each column (dim=0), then their mean": (
        lambda z: _unit(z).std() * math.sqrt(z.shape[1])
    ),
    "the score is reversed: 0 means collapsed, 1 means spread out": lambda z: 1 - collapse(z),
    "centred before the rows were normalised: that scales even a little noise up to length 1": (
        lambda z: collapse(z - z.mean(0))
    ),
}
