"""Intersection over union of every pair of boxes."""

from __future__ import annotations

import functools
from typing import Any

import torch

from course.exercises.nb06_detect_objects.overlaps import drawn_boxes, iou, matrix, nudged
from course.judging import Exercise, Unusable, expect, expect_close, need

TURNED = "row i belongs to a[i] and column j to b[j]; yours is transposed"

exercise = Exercise(
    "06-measure-overlap",
    answer="box_iou",
    call="box_iou(a, b)",
    title="Measure how far boxes overlap",
    withholds=("torchvision.ops.boxes.box_iou", "torchvision.ops.boxes.generalized_box_iou"),
    hints=(
        "The shared rectangle begins at the larger of the two left edges and ends at the smaller of the two right "
        "ones; likewise from top to bottom. What does 'end minus begin' give for boxes that do not touch?",
        "`a[:, None, :2]` has the shape (N, 1, 2) and `b[None, :, :2]` (1, M, 2): their `torch.maximum` is (N, M, 2).",
        "Clamp the sides at 0, multiply width and height; the union is area a + area b - intersection.",
    ),
    idea="begin = maximum(a[:, None, :2], b[None, :, :2]); end = minimum(a[:, None, 2:], b[None, :, 2:]); "
    "inter = (end - begin).clamp(min=0).prod(2); inter / (area_a[:, None] + area_b[None] - inter).",
)


@exercise.case
def some_overlap(rng: torch.Generator) -> dict[str, Any]:
    return pairs_case(rng)


def pairs_case(rng: torch.Generator, *, size: float = 100.0) -> dict[str, Any]:
    """Boxes a, and b: some of a moved a little, some that lie inside or apart, in an order that is drawn."""
    a = drawn_boxes(rng, 5, size=size, least=size / 10)
    b = torch.cat([nudged(a[:4], rng, 0.3), nudged(a[:2], rng, 0.1), drawn_boxes(rng, 2, size=size, least=size / 10)])
    return {"a": a, "b": b[torch.randperm(len(b), generator=rng)]}


@exercise.case
def mostly_apart(rng: torch.Generator) -> dict[str, Any]:
    """Small boxes far from each other along the diagonals, and for each of them one that overlaps with it."""
    corners = torch.tensor([[0.0, 0.0], [60.0, 60.0], [0.0, 60.0], [60.0, 0.0]])
    a = torch.cat([corners, corners + 25], 1) + 10 * torch.rand(4, 1, generator=rng)
    return {"a": a, "b": nudged(a, rng, 0.25)[torch.randperm(4, generator=rng)][:3]}


@exercise.probe
def probe_box_iou(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    a, b = case["a"].clone(), case["b"].clone()
    returned = need(answer(a, b), torch.Tensor, "the IoUs, a tensor of shape (N, M)")
    if returned.ndim != 2:
        raise Unusable(
            f"your answer returned a tensor of shape {tuple(returned.shape)}; return (N, M), one row for each box of a"
        )
    return {"overlaps": returned.detach().float(), "a": a, "b": b}


@exercise.judge(some_overlap, points=2)
def equal_to_the_definition(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Entry (i, j) is the shared area of a[i] and b[j] over the area that they cover together."""
    judge_overlaps(case, result)


def judge_overlaps(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the overlaps are those of the definition, and the boxes as they were."""
    a, b = case["a"], case["b"]
    expect_close(
        result["overlaps"],
        matrix(a, b),
        tried=f"{len(a)} boxes against {len(b)}",
        atol=1e-4,
        rtol=1e-3,
        mistakes={**_mistakes(a, b), TURNED: matrix(b, a)},
        because="entry (i, j) is the shared area of a[i] and b[j], divided by the area that they cover together",
    )
    expect(
        torch.equal(result["a"], a) and torch.equal(result["b"], b),
        tried="comparing the boxes before and after the call",
        got="changed",
        expected="as they were",
        because="write into new tensors: the caller still uses these boxes",
    )


def _mistakes(a: torch.Tensor, b: torch.Tensor) -> dict[str, torch.Tensor]:
    formulas: dict[str, dict[str, Any]] = {
        "the shared sides are not clamped: two boxes apart in both directions have two negative sides, whose product "
        "looks like an area": {"clamp": False},
        "this counts pixels (x2 - x1 + 1), an old convention; these boxes are corners, so a side is x2 - x1": {
            "one": 1.0
        },
        "the shared area counts twice in the sum of both areas: take it off once": {"union": False},
        "this is the Dice coefficient, twice the intersection over the sum of both areas": {"dice": True},
        "the boxes were read as x, y, width, height; they are two corners, x1, y1, x2, y2": {"sides": True},
        "this divides by the smaller box: a small box within a large one would count as the same": {"least": True},
    }
    return {because: matrix(a, b, functools.partial(iou, **options)) for because, options in formulas.items()}


@exercise.judge(mostly_apart, points=1)
def boxes_apart_share_nothing(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Boxes that do not touch have an IoU of 0, and boxes that touch have more."""
    a, b, got = case["a"], case["b"], result["overlaps"]
    expected = matrix(a, b)
    tried = f"{len(a)} boxes in the corners of a picture against {len(b)} of which each is near one of them"
    expect(
        got.shape == expected.shape,
        tried=tried,
        got=f"shape {list(got.shape)}",
        expected=list(expected.shape),
        because=TURNED if got.shape == expected.T.shape else "one row for each box of a, one column for each of b",
    )
    apart = expected == 0
    slips = _mistakes(a, b)
    product = next(iter(slips))  # of two negative sides
    wrong = int((~(got[apart].abs() < 0.01)).sum())
    expect(
        not wrong,
        tried=tried,
        got=f"{wrong} of {int(apart.sum())} pairs that do not touch have an overlap, {_worst(got[apart])} among them",
        expected="0 for each of them",
        because=product
        if torch.allclose(got[apart], slips[product][apart], atol=1e-3)
        else "a shared side is at least 0, so boxes that do not touch share nothing: their IoU is 0",
    )
    near = (got - expected)[~apart].abs() < 0.15
    because = "boxes that do touch share more than nothing"
    if bool((got[~apart] > 0.01).all()):
        because = next(
            (why for why, value in slips.items() if torch.allclose(got[~apart], value[~apart], atol=1e-3)),
            "divide the shared area by the area that the two cover together",
        )
    expect(
        near.all(),
        tried=f"{tried}: the pairs that overlap",
        got=got[~apart].tolist(),
        expected=expected[~apart].tolist(),
        because=because,
    )


def _worst(values: torch.Tensor) -> str:
    return f"{float(values[values.abs().argmax()]):.3g}" if len(values) else "none"
