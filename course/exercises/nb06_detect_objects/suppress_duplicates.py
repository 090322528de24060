"""Of boxes of one class that overlap too much, only the one with the highest score stays."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.nb06_detect_objects.overlaps import drawn_boxes, matrix, nudged
from course.judging import Exercise, Unusable, expect, need

exercise = Exercise(
    "06-suppress-duplicates",
    answer="nms",
    call="nms(boxes, scores, labels, threshold)",
    title="Keep one box per object",
    withholds=("torchvision.ops.boxes.nms", "torchvision.ops.boxes.batched_nms"),
    hints=(
        "Process the boxes from the highest score down. Which boxes decide whether the next one stays?",
        "A box stays if no box *kept so far* has its label and an IoU above the threshold with it. Boxes that went "
        "decide nothing.",
        "order = scores.argsort(descending=True); kept = []; for i in order: keep i unless some j in kept has "
        "labels[j] == labels[i] and an IoU above the threshold. Return the indices as a tensor.",
    ),
    idea="for i in scores.argsort(descending=True).tolist(): if all(labels[i] != labels[j] or iou[i, j] <= threshold "
    "for j in kept): kept.append(i); return torch.tensor(kept, dtype=torch.int64).",
)


@exercise.case
def clusters(rng: torch.Generator) -> dict[str, Any]:
    halves = torch.tensor([[0.0, 0, 16, 16], [0, 0, 8, 16], [0, 0, 16, 8]])  # IoU of exactly one half with the first
    return {"pictures": [*(clusters_of_boxes(rng) for _ in range(3)), shuffled(halves, rng)], "threshold": 0.5}


def clusters_of_boxes(rng: torch.Generator, objects: int = 4, copies: int = 3, classes: int = 1) -> dict[str, Any]:
    """Each object found several times, at about the same place, in an order that has nothing to do with scores."""
    seeds = drawn_boxes(rng, objects, size=100.0, least=20.0)
    boxes = torch.cat([nudged(seeds, rng, 0.04 * (1 + turn)) for turn in range(copies)])
    return shuffled(boxes, rng, classes)


def shuffled(boxes: torch.Tensor, rng: torch.Generator, classes: int = 1) -> dict[str, torch.Tensor]:
    """The boxes in another order, with scores and with labels from 1 to `classes`."""
    boxes = boxes[torch.randperm(len(boxes), generator=rng)]
    scores = (torch.randperm(len(boxes), generator=rng) + 1 + 0.8 * torch.rand(len(boxes), generator=rng)) / len(boxes)
    labels = torch.randint(1, classes + 1, (len(boxes),), generator=rng)
    return {"boxes": boxes, "scores": scores.clamp(max=2) / 2, "labels": labels}


@exercise.case
def chains(rng: torch.Generator) -> dict[str, Any]:
    """Rows of three: the second overlaps with the first and the third, these two hardly with each other."""
    pictures = []
    for _ in range(3):
        boxes, scores = [], []
        for row in range(3):
            side, step = 20 + 6 * torch.rand((), generator=rng), 0.34 + 0.06 * torch.rand((), generator=rng)
            x, y = 40 * torch.rand((), generator=rng), 40.0 * row + 5 * torch.rand((), generator=rng)
            for position, score in enumerate((0.9, 0.7, 0.5)):
                left = x + position * step * side
                boxes.append(torch.stack([left, y, left + side, y + side]))
                scores.append(score - 0.15 * torch.rand((), generator=rng))
        order = torch.randperm(9, generator=rng)
        labels = torch.ones(9, dtype=torch.int64)
        pictures.append({"boxes": torch.stack(boxes)[order], "scores": torch.stack(scores)[order], "labels": labels})
    return {"pictures": pictures, "threshold": 0.35}


@exercise.case
def several_classes(rng: torch.Generator) -> dict[str, Any]:
    return {"pictures": [clusters_of_boxes(rng, copies=4, classes=2) for _ in range(3)], "threshold": 0.5}


@exercise.probe
def probe_nms(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    kept = []
    for picture in case["pictures"]:
        given = [picture[name].clone() for name in ("boxes", "scores", "labels")]
        returned = need(answer(*given, case["threshold"]), (torch.Tensor, list, tuple), "the indices that stay")
        try:
            indices = torch.as_tensor(returned)
        except (TypeError, ValueError, RuntimeError) as error:
            raise Unusable(
                "your answer returned something that is not a row of numbers; return the indices of the boxes that stay"
            ) from error
        if indices.dtype == torch.bool:
            raise Unusable("your answer returned a mask of True and False; return indices: `mask.nonzero().flatten()`")
        if indices.is_floating_point() and indices.numel():
            raise Unusable("your answer returned numbers with fractions: boxes or scores; return their indices")
        if indices.ndim != 1:
            raise Unusable(f"your answer returned a tensor of shape {tuple(indices.shape)}; return one row of indices")
        kept.append(indices.long().clone())
    return {"kept": kept}


@exercise.judge(clusters, points=1)
def one_box_per_object_stays(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Of boxes of one class at the same place, the one with the highest score stays."""
    judge_sets(case, result)


@exercise.judge(clusters, points=1)
def by_falling_score(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The indices are sorted by falling score, as anyone who takes the first ten expects."""
    pairs = list(zip(case["pictures"], result["kept"], strict=True))[:3]  # not those at the threshold
    for picture, got in pairs:
        expected = suppressed(picture, case["threshold"])
        because = _recognised(pairs, case["threshold"])
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


@exercise.judge(several_classes, points=1)
def classes_are_kept_apart(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A box never suppresses one of another class."""
    judge_sets(case, result)


def judge_sets(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the boxes that stay are the right ones, in any order."""
    pairs = list(zip(case["pictures"], result["kept"], strict=True))
    for picture, got in pairs:
        expected = suppressed(picture, case["threshold"])
        found = sorted(got.tolist())
        expect(
            found == sorted(expected),
            tried=f"{len(picture['scores'])} boxes at threshold {case['threshold']:g}",
            got=f"{len(found)} stay: {found}",
            expected=f"{len(expected)} stay: {sorted(expected)}",
            because=_recognised(pairs, case["threshold"]),
        )


def _recognised(pairs: list[tuple[dict[str, Any], torch.Tensor]], threshold: float) -> str:
    """The misconception that explains what stays in every picture, else what the rule is."""
    for because, wrong in MISTAKES.items():
        if all(sorted(got.tolist()) == sorted(wrong(picture, threshold)) for picture, got in pairs):
            return because
    if _drops_low_scores(pairs, threshold):
        return (
            "boxes with low scores have gone although nothing suppresses them: the threshold is one of IoU, and scores "
            "only give the order"
        )
    return (
        "from the highest score down, a box stays if its IoU with every kept box of its class is at most the threshold"
    )


def _drops_low_scores(pairs: list[tuple[dict[str, Any], torch.Tensor]], threshold: float) -> bool:
    """True if what stays are the right boxes down to some score, the same in all pictures."""
    lowest, dropped = 1.0, 0.0
    for picture, got in pairs:
        expected = suppressed(picture, threshold)
        if sorted(got.tolist()) != sorted(expected[: len(got)]):
            return False
        scores = picture["scores"][expected].tolist()
        lowest = min([lowest, *scores[: len(got)]])
        dropped = max([dropped, *scores[len(got) :]])
    return dropped <= lowest


def suppressed(
    picture: dict[str, torch.Tensor],
    threshold: float,
    *,
    descending: bool = True,
    greedy: bool = True,
    keeps_overlap: bool = False,
    by_class: bool = True,
    strict: bool = True,
) -> list[int]:
    """The indices that stay, by falling score, one by one; the options are the usual mistakes."""
    overlaps = matrix(picture["boxes"], picture["boxes"])
    labels = picture["labels"].tolist() if by_class else [1] * len(picture["labels"])
    order = picture["scores"].argsort(descending=descending).tolist()
    kept: list[int] = []
    for position, i in enumerate(order):
        deciding = [j for j in (kept if greedy else order[:position]) if labels[j] == labels[i]]
        values = [float(overlaps[i, j]) for j in deciding]
        hits = [value > threshold or (value == threshold and not strict) for value in values]
        if not any(not hit if keeps_overlap else hit for hit in hits):
            kept.append(i)
    return kept


def _in_order_of_score(picture: dict[str, torch.Tensor], threshold: float) -> list[int]:
    order = picture["scores"].argsort(descending=True)
    positions = {index: position for position, index in enumerate(order.tolist())}
    return [positions[index] for index in suppressed(picture, threshold)]


MISTAKES = {
    "the box with the lowest score of each object stays: argsort is ascending by default": (
        lambda picture, threshold: suppressed(picture, threshold, descending=False)
    ),
    "boxes that have gone still suppress others: compare with the boxes that stay, not with all of higher score": (
        lambda picture, threshold: suppressed(picture, threshold, greedy=False)
    ),
    "boxes that overlap stay and those apart go: it is the other way round": (
        lambda picture, threshold: suppressed(picture, threshold, keeps_overlap=True)
    ),
    "an IoU of exactly the threshold is not above it: such a box stays": (
        lambda picture, threshold: suppressed(picture, threshold, strict=False)
    ),
    "the labels were ignored: boxes of different classes don't suppress each other": (
        lambda picture, threshold: suppressed(picture, threshold, by_class=False)
    ),
    "these are positions in the sorted list: translate them back, order[position]": _in_order_of_score,
    "nothing was suppressed": lambda picture, threshold: list(range(len(picture["scores"]))),
    "only the box with the highest score stays: there are other objects in the picture": (
        lambda picture, threshold: picture["scores"].argsort(descending=True)[:1].tolist()
    ),
    "the scores were ignored: the first box of each object stays": (
        lambda picture, threshold: suppressed(
            {**picture, "scores": -torch.arange(len(picture["scores"])).float()}, threshold
        )
    ),
}
