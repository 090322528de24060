"""Of boxes that overlap too much, only the one with the highest score stays."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.nb06_detect_objects.overlaps import drawn_boxes, matrix, nudged
from course.judging import Exercise, Unusable, expect, need

exercise = Exercise(
    "06-suppress-duplicates",
    answer="nms",
    call="nms(boxes, scores, threshold)",
    title="Keep one box per object",
    withholds=("torchvision.ops.boxes.nms", "torchvision.ops.boxes.batched_nms"),
    hints=(
        "Go through the boxes from the highest score down. Which boxes decide whether the next one stays?",
        "A box stays if its overlap with every box *kept so far* is at most the threshold. Those that went decide "
        "nothing.",
        "order = scores.argsort(descending=True); kept = []; for i in order: keep i unless its IoU with one of kept is "
        "above the threshold. Return the indices as a tensor.",
    ),
    idea="for i in scores.argsort(descending=True).tolist(): if all(iou[i, j] <= threshold for j in kept): "
    "kept.append(i); return torch.tensor(kept).",
)


@exercise.case
def clusters(rng: torch.Generator) -> dict[str, Any]:
    return {"pictures": [clusters_of_boxes(rng) for _ in range(3)], "threshold": 0.5}


def clusters_of_boxes(rng: torch.Generator, things: int = 4, copies: int = 3) -> dict[str, torch.Tensor]:
    """Each object found several times, at about the same place, in an order that has nothing to do with scores."""
    seeds = drawn_boxes(rng, things, size=100.0, least=20.0)
    boxes = torch.cat([nudged(seeds, rng, 0.04 * (1 + turn)) for turn in range(copies)])
    return shuffled(boxes, rng)


def shuffled(boxes: torch.Tensor, rng: torch.Generator) -> dict[str, torch.Tensor]:
    boxes = boxes[torch.randperm(len(boxes), generator=rng)]
    scores = (torch.randperm(len(boxes), generator=rng) + 1 + 0.8 * torch.rand(len(boxes), generator=rng)) / len(boxes)
    return {"boxes": boxes, "scores": scores.clamp(max=2) / 2}


@exercise.case
def chains(rng: torch.Generator) -> dict[str, Any]:
    """Rows of three: the second overlaps with the first and the third, these two hardly with each other."""
    pictures = []
    for _ in range(3):
        boxes, scores = [], []
        for row in range(3):
            side, step = 20 + 6 * torch.rand((), generator=rng), 0.34 + 0.06 * torch.rand((), generator=rng)
            x, y = 40 * torch.rand((), generator=rng), 40.0 * row + 5 * torch.rand((), generator=rng)
            for place, score in enumerate((0.9, 0.7, 0.5)):
                left = x + place * step * side
                boxes.append(torch.stack([left, y, left + side, y + side]))
                scores.append(score - 0.15 * torch.rand((), generator=rng))
        order = torch.randperm(9, generator=rng)
        pictures.append({"boxes": torch.stack(boxes)[order], "scores": torch.stack(scores)[order]})
    return {"pictures": pictures, "threshold": 0.35}


@exercise.probe
def probe_nms(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    kept = []
    for picture in case["pictures"]:
        boxes, scores = picture["boxes"].clone(), picture["scores"].clone()
        returned = need(answer(boxes, scores, case["threshold"]), (torch.Tensor, list, tuple), "the indices that stay")
        try:
            indices = torch.as_tensor(returned)
        except (TypeError, ValueError, RuntimeError) as error:
            raise Unusable(
                "your answer returned no row of numbers; return the indices of the boxes that stay"
            ) from error
        if indices.dtype == torch.bool:
            raise Unusable("your answer returned a mask of True and False; return indices: `mask.nonzero().flatten()`")
        if indices.is_floating_point() and indices.numel():
            raise Unusable("your answer returned numbers with fractions: boxes or scores; return their indices")
        if indices.ndim != 1:
            raise Unusable(f"your answer returned a tensor of shape {tuple(indices.shape)}; return one row of indices")
        kept.append(indices.long().clone())
    return {"kept": kept}


@exercise.judge(clusters, points=2)
def one_box_a_thing_stays(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Of boxes at the same place, the one with the highest score stays."""
    judge_sets(case, result)


@exercise.judge(clusters, points=1)
def by_falling_score(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The indices that stay come by falling score, as anyone who takes the first ten expects."""
    for picture, got in zip(case["pictures"], result["kept"], strict=True):
        expected = suppressed(picture, case["threshold"])
        because = _recognised(picture, case["threshold"], got)
        if got.tolist() == expected[::-1]:
            because = "they come by rising score: sort with descending=True"
        elif got.tolist() == sorted(expected):
            because = (
                "they come by index; keep them in the order in which you kept the boxes, from the highest score down"
            )
        expect(
            got.tolist() == expected,
            tried=f"{len(picture['scores'])} boxes at threshold {case['threshold']:g}",
            got=got.tolist(),
            expected=expected,
            because=because,
        )


@exercise.judge(chains, points=1)
def what_went_suppresses_nothing(case: dict[str, Any], result: dict[str, Any]) -> None:
    """In a row of three, the third stays: only the second overlaps with it, and that one has gone."""
    judge_sets(case, result)


def judge_sets(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the boxes that stay are the right ones, in any order."""
    for picture, got in zip(case["pictures"], result["kept"], strict=True):
        expected = suppressed(picture, case["threshold"])
        found = sorted(got.tolist())
        expect(
            found == sorted(expected),
            tried=f"{len(picture['scores'])} boxes at threshold {case['threshold']:g}",
            got=f"{len(found)} stay: {found}",
            expected=f"{len(expected)} stay: {sorted(expected)}",
            because=_recognised(picture, case["threshold"], got),
        )


def _recognised(picture: dict[str, torch.Tensor], threshold: float, got: torch.Tensor) -> str:
    """The misconception that makes these boxes stay, else what the rule is."""
    found = sorted(got.tolist())
    rule = "from the highest score down, a box stays if it overlaps with none that stays already"
    return next((because for because, wrong in MISTAKES.items() if found == sorted(wrong(picture, threshold))), rule)


def suppressed(
    picture: dict[str, torch.Tensor],
    threshold: float,
    *,
    descending: bool = True,
    greedy: bool = True,
    keeps_overlap: bool = False,
) -> list[int]:
    """The indices that stay, by falling score, one by one; the options are the usual mistakes."""
    overlaps = matrix(picture["boxes"], picture["boxes"])
    order = picture["scores"].argsort(descending=descending).tolist()
    kept: list[int] = []
    for place, i in enumerate(order):
        deciding = kept if greedy else order[:place]
        hits = [float(overlaps[i, j]) > threshold for j in deciding]
        if not any(not hit if keeps_overlap else hit for hit in hits):
            kept.append(i)
    return kept


def _in_order_of_score(picture: dict[str, torch.Tensor], threshold: float) -> list[int]:
    order = picture["scores"].argsort(descending=True)
    places = {index: place for place, index in enumerate(order.tolist())}
    return [places[index] for index in suppressed(picture, threshold)]


MISTAKES = {
    "the box with the lowest score of each object stays: argsort is ascending unless told otherwise": (
        lambda picture, threshold: suppressed(picture, threshold, descending=False)
    ),
    "boxes that have gone go on suppressing others: compare with the boxes that stay, not with all of higher score": (
        lambda picture, threshold: suppressed(picture, threshold, greedy=False)
    ),
    "boxes that overlap stay and those apart go: it is the other way round": (
        lambda picture, threshold: suppressed(picture, threshold, keeps_overlap=True)
    ),
    "these are places in the sorted list: translate them back, order[place]": _in_order_of_score,
    "nothing was suppressed": lambda picture, threshold: list(range(len(picture["scores"]))),
    "only the box with the highest score stays: other objects are on the picture as well": (
        lambda picture, threshold: picture["scores"].argsort(descending=True)[:1].tolist()
    ),
    "the scores are not looked at: the first box of each object stays": (
        lambda picture, threshold: suppressed(
            {**picture, "scores": -torch.arange(len(picture["scores"])).float()}, threshold
        )
    ),
}
