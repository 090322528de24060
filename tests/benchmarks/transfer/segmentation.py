"""Segmentation of unseen scenes: a pretrained backbone, a random one, both tuned, and a forest that sees single pixels.

All models are those of chapter 07 (`tests.benchmarks.segmenting`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from course.applications.iou import SegmentationScores, confusion_matrix
from course.runtime import seed_everything
from tests.benchmarks import segmenting
from tests.benchmarks.segmenting import CLASSES, TEST

ALL = (0.0, 1.0)  # the training objects


def run(seed: int) -> tuple[int, dict[str, Callable[[np.ndarray], float]]]:
    """The number of test scenes, and for each model what gives its mIoU over scenes of these indices."""
    counts: dict[str, np.ndarray] = {}
    for name, weights in (("pretrained", "default"), ("random", None)):
        way = f"{name}, tuned"
        model = segmenting.train(way, segmenting.best_rate(way), seed, ALL)
        data = segmenting.maps(weights, "test", TEST, seed, ALL)
        counts[name] = per_scene(segmenting.predicted(model, data), seed)
    seed_everything(seed)
    counts["baseline"] = per_scene(segmenting.by_forest(seed), seed)
    return TEST, {name: overlap_over(matrices) for name, matrices in counts.items()}


def overlap_over(matrices: np.ndarray) -> Callable[[np.ndarray], float]:
    """mIoU over scenes, by their indices, repeats counted: pixels are counted over all of them, then divided."""
    return lambda indices: SegmentationScores(torch.from_numpy(matrices[indices].sum(0))).miou


def per_scene(preds: torch.Tensor, seed: int) -> np.ndarray:
    """(scenes, classes, classes): the pixels of each test scene by true and predicted class."""
    truth = [mask for _, mask in segmenting.scenes("test", TEST, seed)]
    return np.stack([confusion_matrix(*pair, len(CLASSES)).numpy() for pair in zip(preds, truth, strict=True)])
