"""Detection in scenes: AP50 with a pretrained and with a random frozen trunk. There is no classical baseline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torchvision.ops import box_iou

from course.applications.detection import Target
from tests.benchmarks.detection_trunks import CLASSES, SETTINGS, TEST, found_by

RECALLS = np.array(torch.linspace(0, 1, 101).tolist())  # as torchmetrics rounds them


def run(seed: int) -> tuple[int, dict[str, Callable[[np.ndarray], float]]]:
    """The number of test scenes, and for each trunk the AP50 on any choice of them, repeats allowed."""
    return TEST, {setting: AP50(*found_by(setting, seed), len(CLASSES)) for setting in SETTINGS}


class AP50:
    """COCO's average precision at an overlap of 0.5, fast enough for a bootstrap: boxes are matched once.

    Called with indices of scenes, with repeats, it gives what torchmetrics gives on those scenes.
    """

    def __init__(self, found: list[Target], targets: list[Target], num_classes: int) -> None:
        self.classes = range(1, num_classes + 1)
        self.matched = [
            [match(one, target, c) for one, target in zip(found, targets, strict=True)] for c in self.classes
        ]
        counts = [[int((target["labels"] == c).sum()) for target in targets] for c in self.classes]
        self.things = np.array(counts)  # (classes, scenes)

    def __call__(self, scenes: np.ndarray) -> float:
        values = []
        for of_class, things in zip(self.matched, self.things, strict=True):
            total = things[scenes].sum()
            if total:
                hits = np.concatenate([of_class[i] for i in scenes])  # (boxes, 2): score, and 1 if right
                values.append(area(hits, int(total)))
        return float(np.mean(values))


def match(found: Target, target: Target, number: int) -> np.ndarray:
    """(N, 2): score of each box of this class, and 1 where it takes a thing that no surer box has taken."""
    chosen = found["labels"] == number
    boxes, scores = found["boxes"][chosen], found["scores"][chosen]
    truths = target["boxes"][target["labels"] == number]
    order = scores.argsort(descending=True, stable=True)
    overlaps = box_iou(boxes[order], truths)  # (boxes, things)
    free = torch.ones(len(truths), dtype=torch.bool)
    right = torch.zeros(len(order))
    for i in range(len(order)):
        open_ones = torch.where(free, overlaps[i], torch.tensor(-1.0))
        if len(truths) and float(open_ones.max()) >= 0.5:
            free[open_ones.argmax()] = False
            right[i] = 1
    return torch.stack([scores[order], right], 1).double().numpy()


def area(hits: np.ndarray, things: int) -> float:
    """The mean over 101 recalls of the largest precision at or above each (Lin and others, 2014)."""
    order = np.argsort(-hits[:, 0], kind="mergesort")
    right = np.cumsum(hits[order, 1])
    recall, precision = right / things, right / np.arange(1, len(order) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    reached = places < len(falling)
    return float(np.append(falling, 0)[np.where(reached, places, len(falling))].mean())
