"""Boundary IoU: the overlap of two masks, counted along their borders only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from course.judging import Exercise, expect, expect_close, need

exercise = Exercise(
    "07-compare-borders",
    answer="boundary_iou",
    call="boundary_iou(preds, masks, width)",
    title="Measure the overlap of the borders",
    withholds=("course.applications.iou.confusion_matrix",),
    hints=(
        "The band of a mask is the mask without its interior. A pixel is in the interior if all pixels at most "
        "`width` steps away from it, diagonals included, belong to the mask.",
        "The interior is the minimum over a square of 2 * width + 1 pixels: `-max_pool2d(-x, 2 * width + 1, stride=1)` "
        "for a float tensor x of shape (N, 1, H, W).",
        "Outside the picture there is no object, so pad x with `width` zeros on all four sides before you pool "
        "(`torch.nn.functional.pad`). Then count the two bands over all pictures, like any other IoU.",
    ),
    idea="Pad each mask with `width` zeros, take the minimum over squares of 2 * width + 1 pixels, and subtract it "
    "from the mask: that is its band. Intersection of the two bands divided by their union, counted over all pictures; "
    "1.0 if both bands are empty.",
)

Band = Callable[[torch.Tensor, int], torch.Tensor]


@exercise.case
def blobs_inside(rng: torch.Generator) -> dict[str, Any]:
    return border_case(rng, [1, 2, 3], margin=5)


@exercise.case
def blobs_at_the_edge(rng: torch.Generator) -> dict[str, Any]:
    return border_case(rng, [1, 2, 3], margin=0)


@exercise.case
def with_empty_masks(rng: torch.Generator) -> dict[str, Any]:
    case = border_case(rng, [2, 2, 2], margin=4)
    case["sets"][1]["preds"][:] = False
    for data in case["sets"][2].values():
        data[:] = False
    return case


def border_case(rng: torch.Generator, widths: list[int], *, margin: int) -> dict[str, Any]:
    """For each width, masks (5, 26, 30) of bool and predictions that err at the border; `margin` pixels stay empty."""
    return {"sets": [_blobs(rng, margin) for _ in widths], "widths": widths}


def _blobs(rng: torch.Generator, margin: int) -> dict[str, torch.Tensor]:
    """Smooth blobs, and the same blobs with another threshold and a little noise."""
    noise = functional.avg_pool2d(torch.rand(5, 1, 32, 36, generator=rng), 7, stride=1)[:, 0]  # (5, 26, 30)
    shift = functional.avg_pool2d(torch.rand(5, 1, 30, 34, generator=rng), 5, stride=1)[:, 0]
    middle = noise.flatten(1).quantile(0.55, dim=1).view(-1, 1, 1)
    masks = noise > middle
    preds = noise + 0.3 * (shift - 0.5) > middle + torch.tensor([0.0, 0.01, -0.01, 0.02, -0.02]).view(-1, 1, 1)
    for data in (masks, preds):
        if margin:
            inside = torch.zeros_like(data)
            inside[:, margin:-margin, margin:-margin] = True
            data &= inside
    return {"preds": preds, "masks": masks}


@exercise.probe
def probe_compare_borders(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    values = []
    for data, width in zip(case["sets"], case["widths"], strict=True):
        value = answer(data["preds"].clone(), data["masks"].clone(), width)
        values.append(need(value, (int, float, torch.Tensor), "one number, the boundary IoU"))
    return {"values": values}


@exercise.judge(blobs_inside, points=3)
def bands_inside_the_picture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """For objects away from the edges it is the IoU of the two bands, counted over all pictures."""
    judge_values(case, result)


@exercise.judge(blobs_at_the_edge, points=1)
def the_edge_is_a_border(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Where an object touches the edge of the picture, that edge is part of its border."""
    judge_values(case, result)


@exercise.judge(with_empty_masks, points=1)
def empty_masks_are_defined(case: dict[str, Any], result: dict[str, Any]) -> None:
    """It is 0 if only one of the two is empty, and 1 if both are."""
    judge_values(case, result)


def band(masks: torch.Tensor, width: int) -> torch.Tensor:
    """(N, H, W) bool: the pixels of each mask from which a pixel outside it is at most `width` away."""
    x = functional.pad(masks[:, None].float(), (width,) * 4)
    interior = -functional.max_pool2d(-x, 2 * width + 1, stride=1)
    return masks & (interior[:, 0] == 0)


def overlap(a: torch.Tensor, b: torch.Tensor) -> float:
    """IoU of two bool tensors; 1 if both are empty."""
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 1.0


def judge_values(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every value is the reference's, naming the known mistakes."""
    because = _recognised(case, result["values"])
    for value, data, width in zip(result["values"], case["sets"], case["widths"], strict=True):
        preds, masks = data["preds"], data["masks"]
        empty = [name for name, one in (("preds", preds), ("masks", masks)) if not one.any()]
        tried = f"5 pictures of {masks.shape[1]} x {masks.shape[2]} pixels, width={width}"
        if empty:
            tried += f", {' and '.join(empty)} empty"
        if isinstance(value, torch.Tensor):
            expect(
                value.numel() == 1,
                tried=tried,
                got=f"the shape {tuple(value.shape)}",
                expected="one number",
                because="count the pixels over all pictures, then divide once",
            )
            value = value.item()
        expected = overlap(band(preds, width), band(masks, width))
        said = because
        if empty:
            said = (
                "two empty masks agree completely" if len(empty) == 2 else "an empty mask shares nothing with another"
            )
        expect_close(float(value), expected, tried=tried, atol=1e-4, because=said)


def _recognised(case: dict[str, Any], values: list[Any]) -> str:
    """The mistake that gives the value of every set, else what the rule is."""
    pairs = zip(case["sets"], case["widths"], strict=True)
    known = [_mistakes(data["preds"], data["masks"], width) for data, width in pairs]
    for because in known[0] if all(not isinstance(v, torch.Tensor) or v.numel() == 1 for v in values) else ():
        if all(abs(float(v) - mistakes[because]) <= 1e-4 for v, mistakes in zip(values, known, strict=True)):
            return because
    return "the IoU of two bands: pixels of a mask that are at most `width` away from a pixel outside it"


def _mistakes(preds: torch.Tensor, masks: torch.Tensor, width: int) -> dict[str, float]:
    def of(make: Band) -> float:
        return overlap(make(preds, width), make(masks, width))

    per_picture = [overlap(band(p[None], width), band(m[None], width)) for p, m in zip(preds, masks, strict=True)]
    near = _outside(masks, width) | band(masks, width)
    return {
        "this is the IoU of the whole masks: use only their bands": overlap(preds, masks),
        "this is the mean of one value per picture: count over all pictures, then divide": (
            sum(per_picture) / len(per_picture)
        ),
        "the bands lie on both sides of the border: they belong to the mask, so they lie inside it": of(
            lambda m, w: band(m, w) | _outside(m, w)
        ),
        "the bands lie outside the masks: erode the mask instead of dilating it": of(_outside),
        "the bands are one pixel too narrow: a square of 2 * width + 1 pixels reaches `width` pixels far": of(
            lambda m, w: band(m, w - 1) if w > 1 else torch.zeros_like(m)
        ),
        "the bands are one pixel too wide: a square of 2 * width + 1 pixels reaches `width` pixels far": of(
            lambda m, w: band(m, w + 1)
        ),
        "diagonal neighbours were left out: distance is counted in both directions at once": of(_by_steps),
        "the edge of the picture was not counted as a border: pad the masks with zeros before you erode them": of(
            _without_edge
        ),
        "this is the IoU of the interiors, the masks without their bands": of(lambda m, w: m & ~band(m, w)),
        "only the band of the true mask was used, for both": overlap(preds & near, masks & near),
        "this is Dice, twice the intersection over the sum of both sizes": 2 * of(band) / (1 + of(band)),
    }


def _outside(masks: torch.Tensor, width: int) -> torch.Tensor:
    grown = functional.max_pool2d(masks[:, None].float(), 2 * width + 1, stride=1, padding=width)[:, 0] > 0
    return grown & ~masks


def _without_edge(masks: torch.Tensor, width: int) -> torch.Tensor:
    interior = -functional.max_pool2d(-masks[:, None].float(), 2 * width + 1, stride=1, padding=width)
    return masks & (interior[:, 0] == 0)


def _by_steps(masks: torch.Tensor, width: int) -> torch.Tensor:
    """The band with the distance counted in steps to the four neighbours."""
    x = functional.pad(masks, (width,) * 4)
    for _ in range(width):
        padded = functional.pad(x, (1, 1, 1, 1))
        x = x & padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    return masks & ~x[:, width:-width, width:-width]
