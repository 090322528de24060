"""Chapter 07: what pretraining, tuning and a skip connection add to a segmenter, and what a coarse grid costs."""

from __future__ import annotations

from collections.abc import Callable

import torch

from course.applications.iou import SegmentationScores, confusion_matrix
from course.errors import UnknownName
from course.training.experiments import stored_table
from tests.benchmarks import segmenting
from tests.benchmarks.lesson_runs import Lesson


def _score(setting: str, seed: int, metric: str) -> float:
    """From the stored table of `segmenting`, if the seed is there; measured otherwise."""
    try:
        rows = stored_table("segmenting").rows
    except UnknownName:
        rows = []
    for row in rows:
        if (row["setting"], row["seed"]) == (setting, seed) and metric in row:
            return float(row[metric])
    return float(segmenting.run(setting, seed)[metric])


def _difference(ahead: str, behind: str, metric: str = "miou") -> Callable[[int], float]:
    return lambda seed: _score(ahead, seed, metric) - _score(behind, seed, metric)


def _lead_shrinks(seed: int) -> float:
    """How much further the frozen model is ahead of `background everywhere` by mIoU than by pixel accuracy."""
    masks = _masks(seed)
    nothing = SegmentationScores(confusion_matrix(torch.zeros_like(masks), masks, len(segmenting.CLASSES)))
    by_miou = _score("pretrained, frozen", seed, "miou") - nothing.miou
    return by_miou - (_score("pretrained, frozen", seed, "pixel_accuracy") - nothing.pixel_accuracy)


def _lost_to_the_grid(seed: int) -> float:
    """1 minus the mIoU of the true masks at stride 8, and minus a tenth: more than that is lost."""
    masks = _masks(seed)
    cells = torch.nn.functional.one_hot(segmenting.on_grid(masks, segmenting.SIZE // 8), len(segmenting.CLASSES))
    enlarged = segmenting.upsample(cells.movedim(-1, 1).float(), masks.shape[-2:]).argmax(1)
    return 0.9 - SegmentationScores(confusion_matrix(enlarged, masks, len(segmenting.CLASSES))).miou


def _masks(seed: int) -> torch.Tensor:
    scenes = segmenting.scenes("test", segmenting.TEST, seed)
    return torch.stack([mask for _, mask in scenes])


LESSONS = [
    Lesson(
        "07-pretraining-pays-frozen",
        "A dense head on a frozen pretrained trunk is ahead of the same head on a random trunk.",
        _difference("pretrained, frozen", "random, frozen"),
    ),
    Lesson(
        "07-pretraining-pays-tuned",
        "A tuned pretrained trunk is ahead of a tuned random trunk.",
        _difference("pretrained, tuned", "random, tuned"),
    ),
    Lesson(
        "07-tuning-pays",
        "Tuning the upper layers adds to the mIoU of the frozen pretrained trunk.",
        _difference("pretrained, tuned", "pretrained, frozen"),
    ),
    Lesson(
        "07-pretraining-beats-pixels",
        "A dense head on a frozen pretrained trunk is ahead of a forest of single pixels.",
        _difference("pretrained, frozen", segmenting.FOREST),
    ),
    Lesson(
        "07-skips-sharpen-outlines",
        "A decoder with a skip connection confuses object and background less often near outlines.",
        _difference("pretrained, frozen", "pretrained, frozen, skip", "outline_error"),
    ),
    Lesson(
        "07-skips-raise-miou",
        "A decoder with a skip connection has a higher mIoU than the dense head.",
        _difference("pretrained, frozen, skip", "pretrained, frozen"),
    ),
    Lesson(
        "07-pixel-accuracy-flatters",
        "By mIoU a trained head is further ahead of predicting background everywhere than by pixel accuracy.",
        _lead_shrinks,
    ),
    Lesson(
        "07-a-coarse-grid-limits",
        "Perfect labels on a grid of stride 8 lose more than a tenth of the mIoU.",
        _lost_to_the_grid,
    ),
]
