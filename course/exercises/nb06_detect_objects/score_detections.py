"""Average precision of one class over a data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from course.exercises.nb06_detect_objects.overlaps import drawn_boxes, matrix, nudged
from course.judging import Exercise, Unusable, expect, expect_close, need

exercise = Exercise(
    "06-score-detections",
    answer="average_precision",
    call="average_precision(found, targets, threshold)",
    title="Score a detector",
    withholds=("course.applications.detection.average_precision", "torchmetrics.detection.MeanAveragePrecision"),
    hints=(
        "Put the boxes of all pictures into one list and sort it by score, highest first. A box can only match an "
        "object in its own picture.",
        "For each box, look at the objects of its picture that no earlier box has matched. If the best of their IoUs "
        "reaches the threshold, the box is right, and that object is matched from now on.",
        "After k boxes: precision = right so far / k, recall = right so far / all objects. Replace each precision by "
        "the largest from k on, then sum up precision times the step in recall.",
    ),
    idea="hits in order of score -> right = cumsum(hits); precision = right / arange(1, n + 1); recall = right / "
    "objects; precision = its running maximum from the right; AP = sum of precision * (recall - recall before).",
)


@exercise.case
def several_sets(rng: torch.Generator) -> dict[str, Any]:
    sets = [drawn_set(rng) for _ in range(3)]
    sets[0]["targets"][0]["boxes"] = torch.cat([sets[0]["targets"][0]["boxes"], torch.tensor([[200.0, 0, 216, 16]])])
    half = {"boxes": torch.tensor([[200.0, 0, 208, 16]]), "scores": 0.5 + 0.5 * torch.rand(1, generator=rng)}
    found = sets[0]["found"][0]  # gets a box whose IoU is exactly the threshold
    sets[0]["found"][0] = {key: torch.cat([value, half[key]]) for key, value in found.items()}
    return {"sets": sets, "threshold": 0.5}


@exercise.case
def found_twice(rng: torch.Generator) -> dict[str, Any]:
    return {"sets": [drawn_set(rng, twice=2, alarms=1) for _ in range(3)], "threshold": 0.5}


@exercise.case
def close_together(rng: torch.Generator) -> dict[str, Any]:
    """Pairs of objects so close that a box on one overlaps with the other by more than the threshold."""
    return {"sets": [_crowded_set(rng) for _ in range(3)], "threshold": 0.5}


def _crowded_set(rng: torch.Generator, pictures: int = 4) -> dict[str, Any]:
    """Both boxes of each pair are nearest to the same object: the second one has to take the other, or is wrong."""
    found, targets = [], []
    for _ in range(pictures):
        x, y = (5 + 30 * torch.rand(2, generator=rng)).tolist()
        side = 30 + 10 * float(torch.rand((), generator=rng))
        lefts = torch.tensor([x, x + 0.25 * side])  # two objects, three boxes
        near = torch.tensor([x, x + 0.07 * side, x + 1.4 * side]) + 0.01 * side * torch.rand(3, generator=rng)
        targets.append({"boxes": _squares(lefts, y, side)})
        order = torch.randperm(3, generator=rng)
        found.append({"boxes": _squares(near, y, side)[order], "scores": torch.rand(3, generator=rng)})
    return {"found": found, "targets": targets}


def _squares(left: torch.Tensor, top: float, side: float) -> torch.Tensor:
    tops = torch.full_like(left, top)
    return torch.stack([left, tops, left + side, tops + side], 1)


@exercise.case
def with_missed_objects(rng: torch.Generator) -> dict[str, Any]:
    return {"sets": [drawn_set(rng, missed=2, blank=True) for _ in range(3)], "threshold": 0.5}


def empty_sets(rng: torch.Generator) -> list[dict[str, Any]]:
    """A set without any box, and one without any object."""
    no_boxes, no_objects = drawn_set(rng), drawn_set(rng)
    no_boxes["found"] = [{"boxes": torch.zeros(0, 4), "scores": torch.zeros(0)} for _ in no_boxes["found"]]
    no_objects["targets"] = [{"boxes": torch.zeros(0, 4)} for _ in no_objects["targets"]]
    return [no_boxes, no_objects]


def drawn_set(
    rng: torch.Generator, *, twice: int = 0, missed: int = 0, alarms: int = 2, blank: bool = False, pictures: int = 4
) -> dict[str, Any]:
    """Some pictures: what is there, and what a detector found of it, with false alarms, doubles and misses.

    With `blank`, one picture holds nothing and one has nothing found on it.
    """
    corners = torch.tensor([[5.0, 5.0], [55.0, 5.0], [5.0, 55.0], [55.0, 55.0]])
    found, targets = [], []
    for number in range(pictures):
        places = corners[torch.randperm(4, generator=rng)[:3]] + 4 * torch.rand(3, 2, generator=rng)
        truths = torch.cat([places, places + 26 + 10 * torch.rand(3, 2, generator=rng)], 1)
        again = [nudged(truths[:twice], rng, 0.06)] if number % 2 else []
        boxes = torch.cat([nudged(truths[: len(truths) - (missed if number else 0)], rng, 0.06), *again])
        boxes = torch.cat([boxes, drawn_boxes(rng, alarms, size=100.0, least=4.0) * 0.2])
        if blank and number == 1:
            truths = truths[:0]
        if blank and number == 2:
            boxes = boxes[:0]
        order = torch.randperm(len(boxes), generator=rng)
        found.append({"boxes": boxes[order], "scores": torch.rand(len(boxes), generator=rng)})
        targets.append({"boxes": truths})
    return {"found": found, "targets": targets}


@exercise.probe
def probe_average_precision(answer: Any, case: dict[str, Any]) -> dict[str, list[float]]:
    values = []
    for one in case["sets"]:
        found, targets = ([{key: value.clone() for key, value in part.items()} for part in one[key]] for key in one)
        value = need(answer(found, targets, case["threshold"]), (int, float, torch.Tensor), "the average precision")
        if isinstance(value, torch.Tensor) and value.numel() != 1:
            raise Unusable(
                f"your answer returned a tensor of shape {tuple(value.shape)}; average precision is one number"
            )
        values.append(float(value))
    return {"values": values}


@exercise.judge(several_sets, points=2)
def area_under_the_curve(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Average precision is the area under the curve of precision over recall, made to fall."""
    judge_values(case, result)


@exercise.judge(found_twice, points=1)
def an_object_is_found_once(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A second box on an object that is matched already is a false alarm."""
    judge_values(case, result)


@exercise.judge(close_together, points=1)
def objects_that_are_still_free(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A box is compared with the objects that are not matched yet, as in COCO."""
    judge_values(case, result)


@exercise.judge(with_missed_objects, points=1)
def what_was_missed_counts(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Objects that no box found lower the recall, and boxes in a picture without objects are false alarms."""
    judge_values(case, result)


def judge_values(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the values are the average precisions of the case's sets."""
    pairs = list(zip(case["sets"], result["values"], strict=True))
    because = next((why for why, mistake in MISTAKES.items() if _explains(mistake, pairs, case["threshold"])), RULE)
    for one, got in pairs:
        boxes = sum(len(part["boxes"]) for part in one["found"])
        objects = sum(len(part["boxes"]) for part in one["targets"])
        curve = hits(one, case["threshold"])
        expected = area(curve, objects)
        expect_close(
            got,
            expected,
            tried=f"{boxes} boxes on {len(one['found'])} pictures with {objects} objects; by falling score "
            f"{''.join('✓' if hit else '✗' for hit in curve)}",
            atol=1e-4,
            rtol=0,
            because=because if boxes and objects else "without objects or without boxes the value is 0",
        )
        expect(0 <= got <= 1.0001, tried="reading your value", got=got, expected="a number from 0 to 1")


def _explains(
    mistake: Callable[[dict[str, Any], float], float], pairs: list[tuple[dict[str, Any], float]], threshold: float
) -> bool:
    """Whether the mistake gives the value of every set that has boxes and objects."""
    whole = [(one, got) for one, got in pairs if _objects(one) and any(len(part["boxes"]) for part in one["found"])]
    return all(abs(mistake(one, threshold) - got) <= 1e-4 for one, got in whole)


def hits(
    one: dict[str, Any],
    threshold: float,
    *,
    once: bool = True,
    only_free: bool = True,
    ranked: bool = True,
    own_picture: bool = True,
    strict: bool = False,
) -> list[bool]:
    """Whether each box is right, from the highest score down; the options are the usual mistakes."""
    ranks = [(float(s), n, i) for n, part in enumerate(one["found"]) for i, s in enumerate(part["scores"])]
    if ranked:
        ranks.sort(reverse=True)
    taken: set[tuple[int, int]] = set()
    right = []
    for _, number, i in ranks:
        pictures = [number] if own_picture else range(len(one["targets"]))
        overlaps = {
            (n, j): value
            for n in pictures
            for j, value in enumerate(_overlaps(one["found"][number]["boxes"][i], one["targets"][n]["boxes"]))
            if not (once and only_free and (n, j) in taken)
        }
        best = max(overlaps, key=lambda key: overlaps[key], default=None)
        hit = (
            best is not None
            and (overlaps[best] > threshold if strict else overlaps[best] >= threshold)
            and not (once and best in taken)
        )
        right.append(hit)
        if hit and best is not None:
            taken.add(best)
    return right


def _overlaps(box: torch.Tensor, truths: torch.Tensor) -> list[float]:
    return matrix(box[None], truths)[0].tolist() if len(truths) else []


def area(curve: list[bool], objects: int, *, falling: bool = True) -> float:
    """Precision summed over the steps in recall; `falling` makes each the largest from there on."""
    if not curve or not objects:
        return 0.0
    right = torch.tensor(curve, dtype=torch.float64).cumsum(0)
    precision = right / torch.arange(1, len(curve) + 1)
    if falling:
        precision = precision.flip(0).cummax(0).values.flip(0)
    steps = torch.tensor(curve, dtype=torch.float64) / objects
    return float((precision * steps).sum())


def _objects(one: dict[str, Any]) -> int:
    return sum(len(part["boxes"]) for part in one["targets"])


def _mean_over_pictures(one: dict[str, Any], threshold: float) -> float:
    parts = [{"found": [f], "targets": [t]} for f, t in zip(one["found"], one["targets"], strict=True)]
    values = [area(hits(part, threshold), _objects(part)) for part in parts if _objects(part)]
    return sum(values) / len(values)


def _precision(one: dict[str, Any], threshold: float) -> float:
    curve = hits(one, threshold)
    return sum(curve) / len(curve)


def _of_what_was_found(one: dict[str, Any], threshold: float) -> float:
    curve = hits(one, threshold)
    return area(curve, max(1, sum(curve)))


def _at_101_recalls(one: dict[str, Any], threshold: float) -> float:
    """COCO's sampled area: the mean of the largest precision at or above each of 101 recalls."""
    curve, objects = hits(one, threshold), _objects(one)
    right, points = 0, []
    for k, hit in enumerate(curve, 1):
        right += hit
        points.append((right / objects, right / k))
    levels = [i / 100 for i in range(101)]
    return sum(max((p for r, p in points if r >= level - 1e-9), default=0.0) for level in levels) / 101


RULE = (
    "follow the ticks from left to right: at each ✓ recall grows by one object, and counts with the largest precision "
    "from there on"
)
MISTAKES = {
    "an object was matched twice: once a box with a higher score has matched it, the next box on it is a false alarm": (
        lambda one, threshold: area(hits(one, threshold, once=False), _objects(one))
    ),
    "this is PASCAL VOC's rule, which compares a box with the object that it overlaps most even if that one is matched "
    "already; this task asks for COCO's, which looks at the objects that are still free": (
        lambda one, threshold: area(hits(one, threshold, only_free=False), _objects(one))
    ),
    "this samples the curve at 101 recalls, as COCO's tools do; the formula above is the exact area": _at_101_recalls,
    "the boxes are not in order of their scores over all pictures: sort them, highest first": (
        lambda one, threshold: area(hits(one, threshold, ranked=False), _objects(one))
    ),
    "precision was not made to fall: at each recall the largest precision from there on counts": (
        lambda one, threshold: area(hits(one, threshold), _objects(one), falling=False)
    ),
    "this is the mean over pictures: average precision ranks the boxes of all pictures together": _mean_over_pictures,
    "recall is counted among the objects that were found; divide by all objects that are there": _of_what_was_found,
    "this is the precision of all boxes: average precision follows it from the highest score down": _precision,
    "this is the recall of all boxes: average precision weighs it by precision": (
        lambda one, threshold: sum(hits(one, threshold)) / max(1, _objects(one))
    ),
    "a box was matched with an object in another picture": (
        lambda one, threshold: area(hits(one, threshold, own_picture=False), _objects(one))
    ),
    "an IoU of exactly the threshold is a match": (
        lambda one, threshold: area(hits(one, threshold, strict=True), _objects(one))
    ),
    "any overlap counted as a match: compare it with the threshold": (
        lambda one, threshold: area(hits(one, 1e-9), _objects(one))
    ),
}
