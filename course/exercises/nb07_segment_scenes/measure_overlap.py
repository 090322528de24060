"""Mean intersection over union, over a data set."""

from __future__ import annotations

from typing import Any

import torch

from course.judging import Exercise, expect, expect_close, need

VOID, IN_VAIN = 255, 5

exercise = Exercise(
    "07-measure-overlap",
    answer="miou",
    call="miou(preds, masks, ignore)",
    title="Measure the overlap over a data set",
    withholds=("course.applications.iou.confusion_matrix",),
    hints=(
        "Take one class at a time. Which pixels are in the intersection, which in the union? Count over all pictures "
        "first, and divide once.",
        "Drop the ignored pixels first, from both: `valid = masks != ignore`, then `preds[valid]` and `masks[valid]` "
        "are two flat tensors.",
        "The classes are those that occur in either: `torch.cat([p, m]).unique()`. For each: "
        "`((p == c) & (m == c)).sum() / ((p == c) | (m == c)).sum()`.",
    ),
    idea="Keep the pixels that are not ignored; for each class that occurs in the predictions or the masks, "
    "intersection / union of its pixels over all pictures; return the mean over these classes as a float.",
)


@exercise.case
def pictures_of_unlike_content(rng: torch.Generator) -> dict[str, Any]:
    return {"sets": [overlap_case(rng, [0, 1, 2, 3], void=0.0) for _ in range(3)], "ignore": VOID}


@exercise.case
def with_void(rng: torch.Generator) -> dict[str, Any]:
    return {"sets": [overlap_case(rng, [0, 1, 2], void=0.2) for _ in range(3)], "ignore": VOID}


@exercise.case
def with_gaps(rng: torch.Generator) -> dict[str, Any]:
    sets = [overlap_case(rng, [0, 3, 7], void=0.1) for _ in range(4)]
    predict_in_vain(sets[-1], IN_VAIN, rng)
    return {"sets": sets, "ignore": VOID}


def overlap_case(rng: torch.Generator, classes: list[int], *, void: float) -> dict[str, torch.Tensor]:
    """Masks (5, 8, 9) of unlike content (the last picture is nearly all background) and predictions that err."""
    shape, values = (5, 8, 9), torch.tensor(classes)
    masks = values[torch.randint(len(values), shape, generator=rng)]
    masks[-1][torch.rand(shape[1:], generator=rng) < 0.9] = 0
    wrong = torch.rand(shape, generator=rng) < torch.tensor([0.1, 0.7, 0.4, 0.2, 0.3]).view(5, 1, 1)
    preds = torch.where(wrong, values[torch.randint(len(values), shape, generator=rng)], masks)
    masks[torch.rand(shape, generator=rng) < void] = VOID
    return {"preds": preds, "masks": masks}


def predict_in_vain(data: dict[str, torch.Tensor], label: int, rng: torch.Generator) -> None:
    """Exchange a tenth of the predictions, in place, for a class that the masks don't hold."""
    data["preds"][torch.rand(data["preds"].shape, generator=rng) < 0.1] = label


@exercise.probe
def probe_measure_overlap(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    values = []
    for data in case["sets"]:
        value = answer(data["preds"].clone(), data["masks"].clone(), case["ignore"])
        values.append(need(value, (int, float, torch.Tensor), "one number, the mean over the classes"))
    return {"values": values}


@exercise.judge(pictures_of_unlike_content, points=2)
def counted_over_all_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    """It is the mean over classes of intersection / union, counted over all pictures together."""
    judge_values(case, result, "5 pictures of 4 classes, all pixels labelled")


@exercise.judge(with_void, points=1)
def void_does_not_count(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Pixels whose label is `ignore` count neither for nor against, whatever was predicted there."""
    judge_values(case, result, "5 pictures with a fifth of their pixels labelled 255, and ignore=255")


@exercise.judge(with_gaps, points=1)
def absent_classes_are_left_out(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A class in neither predictions nor masks is left out of the mean; one that is in either of them counts."""
    gaps, vain = slice(None, -1), slice(-1, None)
    for part, tried in (
        (gaps, "5 pictures with the classes 0, 3 and 7"),
        (vain, f"5 pictures with the classes 0, 3 and 7; class {IN_VAIN} is predicted but never true"),
    ):
        judge_values({**case, "sets": case["sets"][part]}, {"values": result["values"][part]}, tried)


def judge_values(case: dict[str, Any], result: dict[str, Any], tried: str) -> None:
    """Raise Wrong unless every value is the reference's, naming the known mistakes."""
    because = _recognised(case, result["values"])
    for value, data in zip(result["values"], case["sets"], strict=True):
        if isinstance(value, torch.Tensor):
            shape = tuple(value.shape)
            several = "these are several values: return the mean of one value per class"
            expect(value.numel() == 1, tried=tried, got=f"the shape {shape}", expected="one number", because=several)
            value = value.item()
        expected = reference(data["preds"], data["masks"], case["ignore"])
        expect_close(value, expected, tried=tried, atol=1e-4, because=because)


def _recognised(case: dict[str, Any], values: list[Any]) -> str:
    """The mistake that gives the value of every set, else what the rule is."""
    known = [_mistakes(data["preds"], data["masks"], case["ignore"]) for data in case["sets"]]
    for because in known[0] if all(not isinstance(v, torch.Tensor) or v.numel() == 1 for v in values) else ():
        if all(abs(float(v) - mistakes[because]) <= 1e-4 for v, mistakes in zip(values, known, strict=True)):
            return because
    return "for each class, count both pixels over all pictures, then divide; return the mean over the classes"


def counts(preds: torch.Tensor, masks: torch.Tensor, ignore: int | None) -> dict[int, tuple[float, float]]:
    """Class -> (pixels in the intersection, pixels in the union), for the classes that occur."""
    if ignore is not None:
        preds, masks = preds[masks != ignore], masks[masks != ignore]
    found = torch.cat([preds.flatten(), masks.flatten()]).unique().tolist()
    return {c: (float(((preds == c) & (masks == c)).sum()), float(((preds == c) | (masks == c)).sum())) for c in found}


def reference(preds: torch.Tensor, masks: torch.Tensor, ignore: int | None) -> float:
    """The mean over the classes that occur; nan if there is not one pixel."""
    parts = [both / either for both, either in counts(preds, masks, ignore).values()]
    return sum(parts) / len(parts) if parts else float("nan")


def _mistakes(preds: torch.Tensor, masks: torch.Tensor, ignore: int) -> dict[str, float]:
    found = counts(preds, masks, ignore)
    ious = {c: both / either for c, (both, either) in found.items()}
    valid = masks != ignore
    true = {c: float((masks[valid] == c).sum()) for c in found}
    per_picture = [reference(p, m, ignore) for p, m in zip(preds, masks, strict=True)]
    late = [  # void dropped from the intersection, which cannot hold it anyway, but not from the union
        float(((preds == c) & (masks == c)).sum()) / float(((preds == c) | (masks == c)).sum()) for c in ious
    ]
    n = max(ious) + 1
    said = preds != ignore
    return {
        "this is the mean of one mIoU per picture: a picture with few pixels of a class counts as much as one that is "
        "full of it. Count over all pictures, then divide": sum(per_picture) / len(per_picture),
        "this is pixel accuracy: large classes dominate it": float((preds == masks)[valid].float().mean()),
        "this is pixel accuracy with the ignored pixels counted as wrong": float((preds == masks).float().mean()),
        "this is the intersection divided by the class's own pixels (recall): predicting too much costs nothing": (
            _mean([found[c][0] / true[c] for c in found if true[c]])
        ),
        "this is Dice (F1), twice the intersection over the sum of both sizes": (
            _mean([2 * both / (both + either) for both, either in found.values()])
        ),
        "the pixels of all classes were counted together: a mean over classes gives a small class the same weight": (
            sum(both for both, _ in found.values()) / sum(either for _, either in found.values())
        ),
        "classes were weighted by their number of pixels": sum(true[c] * ious[c] for c in ious) / sum(true.values()),
        "the background was left out: it is a class as well": _mean([value for c, value in ious.items() if c]),
        "pixels where `ignore` is predicted were left out too: only the mask decides": (
            reference(preds[said], masks[said], ignore)
        ),
        "`ignore` was counted as one more class": reference(preds, masks, None),
        "ignored pixels are still in the union: predictions on void are neither right nor wrong": _mean(late),
        "a class that occurs nowhere was counted as 0: 0 / 0 says nothing about the model": sum(ious.values()) / n,
        "a class that occurs nowhere was counted as 1": (sum(ious.values()) + n - len(ious)) / n,
        "a class that is predicted but never true has IoU 0, and counts": _mean([ious[c] for c in ious if true[c]]),
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
