"""Which anchor is responsible for which object, and which are background."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.nb06_detect_objects.overlaps import drawn_boxes, matrix, nudged
from course.judging import Exercise, Unusable, expect, need

BACKGROUND, IGNORED = -1, -2

exercise = Exercise(
    "06-match-anchors",
    answer="match_anchors",
    call="match_anchors(anchors, boxes, high, low)",
    title="Match anchors with objects",
    withholds=("torchvision.models.detection._utils.Matcher",),
    hints=(
        "Begin with the (N, M) overlaps. One maximum per row gives each anchor its best box; which maximum tells you "
        "the best anchors of each box? And what has neither maximum if M is 0?",
        "Start from a tensor full of -2. Fill in the anchors at `high` or above, then those below `low`, then the best "
        "anchors of each box. Several anchors can be equally good, and a box may overlap with no anchor at all.",
        "best, index = overlaps.max(1); matched[best >= high] = index there; matched[best < low] = -1; "
        "rescued = ((overlaps == overlaps.amax(0)) & (overlaps > 0)).any(1); matched[rescued] = index[rescued].",
    ),
    idea="if no boxes: all -1. best, index = box_iou(anchors, boxes).max(1); matched = full(-2); matched[best >= high] "
    "= index[...]; matched[best < low] = -1; then the anchors whose overlap equals the column maximum, and is above "
    "0, get index too.",
)


@exercise.case
def three_kinds(rng: torch.Generator) -> dict[str, Any]:
    """Anchors on an object, near one, and on none, overlaps of exactly `high` and `low`, one anchor for two boxes."""
    sets = [_set(*_around(rng), high=0.7, low=0.3) for _ in range(2)]
    anchors = torch.tensor([[0.0, 0, 8, 8], [0, 0, 8, 16], [0, 0, 16, 4], [0, 0, 16, 16], [20, 20, 36, 36]])
    boundary = _set(anchors, torch.tensor([[0.0, 0, 16, 16]]), high=0.5, low=0.25)
    side = 14.0 + float(torch.rand((), generator=rng))
    shared = _set(anchors[3:], torch.tensor([[0.0, 0, 16, side], [0, 0, 8, 8]]), high=0.7, low=0.3)
    return {"sets": [*sets, boundary, shared]}


@exercise.case
def hard_to_reach(rng: torch.Generator) -> dict[str, Any]:
    """Small and large objects that no anchor overlaps with by `high`, one of them with two best anchors."""
    sets = []
    for _ in range(3):
        corner = 16.0 * torch.randint(0, 3, (2,), generator=rng).repeat(2)
        grid = torch.tensor([[x, y, x + 16.0, y + 16.0] for y in (0, 16, 32, 48) for x in (0, 16, 32, 48)])
        between = corner + torch.tensor([10.0, 2, 22, 14])  # as far in one cell as in the next
        inside = corner.flip(0) + torch.tensor([1.0, 2, 8, 9])
        sets.append(_set(grid[torch.randperm(16, generator=rng)], torch.stack([between, inside]), high=0.7, low=0.3))
    return {"sets": sets}


@exercise.case
def nothing_to_match(rng: torch.Generator) -> dict[str, Any]:
    """A picture without objects, and one whose object overlaps with no anchor."""
    anchors = drawn_boxes(rng, 6, size=40.0, least=8.0)
    far = torch.tensor([[80.0, 80, 95, 95]])
    return {
        "sets": [
            _set(anchors, torch.zeros(0, 4), high=0.7, low=0.3),
            _set(anchors, torch.cat([far, nudged(anchors[:1], rng, 0.05)]), high=0.6, low=0.3),
        ]
    }


def _set(anchors: torch.Tensor, boxes: torch.Tensor, *, high: float, low: float) -> dict[str, Any]:
    return {"anchors": anchors, "boxes": boxes, "high": high, "low": low}


def _around(rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    boxes = drawn_boxes(rng, 3, size=100.0, least=15.0)
    anchors = torch.cat([nudged(boxes, rng, share) for share in (0.04, 0.12, 0.25, 0.4)])
    anchors = torch.cat([anchors, drawn_boxes(rng, 5, size=100.0, least=10.0)])
    return anchors[torch.randperm(len(anchors), generator=rng)], boxes


@exercise.probe
def probe_match_anchors(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    answers = []
    for one in case["sets"]:
        returned = answer(one["anchors"].clone(), one["boxes"].clone(), one["high"], one["low"])
        returned = need(returned, (torch.Tensor, list, tuple), "one whole number per anchor, a tensor (N,)")
        numbers = torch.as_tensor(returned)
        if numbers.shape != (len(one["anchors"]),) or numbers.is_floating_point():
            raise Unusable(
                f"your answer returned {tuple(numbers.shape)} of {str(numbers.dtype).removeprefix('torch.')} for "
                f"{len(one['anchors'])} anchors; return one whole number per anchor"
            )
        answers.append(numbers.long().clone())
    return {"matched": answers}


@exercise.judge(three_kinds, points=2)
def two_thresholds_make_three_kinds(case: dict[str, Any], result: dict[str, Any]) -> None:
    """At `high` or above an anchor belongs to its best box, below `low` it is background, in between it is ignored."""
    judge_matches(case, result)


@exercise.judge(hard_to_reach, points=2)
def every_object_has_an_anchor(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An object that no anchor fits well still gets its best anchor, or its best anchors if several are equal."""
    judge_matches(case, result)


@exercise.judge(nothing_to_match, points=2)
def nothing_is_matched_with_nothing(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Without objects all anchors are background, and an overlap of 0 matches nothing."""
    judge_matches(case, result)


def judge_matches(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every anchor has its number. A mistake is named if it explains all the sets."""
    pairs = list(zip(case["sets"], result["matched"], strict=True))
    for one, got in pairs:
        expected = matched(one)
        if got.tolist() == expected:
            continue
        first = next(i for i, value in enumerate(expected) if int(got[i]) != value)
        overlaps = matrix(one["anchors"][first : first + 1], one["boxes"])[0].tolist()
        expect(
            False,
            tried=f"{len(expected)} anchors, {len(one['boxes'])} boxes, high {one['high']:g}, low {one['low']:g}; the "
            f"anchor {first}, whose overlaps are {[round(value, 2) for value in overlaps]}",
            got=int(got[first]),
            expected=expected[first],
            because=_recognised(pairs),
        )


def _recognised(pairs: list[tuple[dict[str, Any], torch.Tensor]]) -> str:
    for because, options in MISTAKES.items():
        if all(got.tolist() == matched(one, **options) for one, got in pairs):
            return because
    return (
        "the index of its best box at `high` or above, or if it is a best anchor of some box; -1 below `low`; else -2"
    )


def matched(
    one: dict[str, Any],
    *,
    rescue: str = "all",
    own: bool = True,
    between: int = IGNORED,
    strict_high: bool = False,
    strict_low: bool = False,
    zero: bool = False,
) -> list[int]:
    """The number of each anchor, one by one; the options are the usual mistakes."""
    overlaps = matrix(one["anchors"], one["boxes"]).tolist()
    columns = list(zip(*overlaps, strict=True)) if len(one["boxes"]) else []
    numbers = []
    for i, row in enumerate(overlaps):
        if not row:
            numbers.append(BACKGROUND)
            continue
        best = max(row)
        reached = best > one["high"] if strict_high else best >= one["high"]
        below = best <= one["low"] if strict_low else best < one["low"]
        number = row.index(best) if reached else BACKGROUND if below else between
        for j, column in enumerate(columns):
            is_best = row[j] == max(column) and (row[j] > 0 or zero)
            if rescue == "first":
                is_best = is_best and column.index(row[j]) == i
            if is_best and rescue != "none":
                number = row.index(best) if own else j
        numbers.append(number)
    return numbers


MISTAKES: dict[str, dict[str, Any]] = {
    "objects that no anchor overlaps with by `high` are never found: give each its best anchor": {"rescue": "none"},
    "of several anchors that are equally good for a box, only one was matched": {"rescue": "first"},
    "an overlap of 0 is not a match: if no anchor overlaps with a box, none of them is its best": {"zero": True},
    "an anchor that is the best of one box but overlaps more with another belongs to the other": {"own": False},
    "an overlap of exactly `high` is enough for a match": {"strict_high": True},
    "an overlap of exactly `low` is ignored, it is not background": {"strict_low": True},
    "anchors between the two thresholds became background; they are ignored, number -2": {"between": BACKGROUND},
}
