"""Segmentation of new scenes: a pretrained trunk, a random one, both tuned, and a forest that sees single pixels.

The models are those of chapter 07 (`tests.benchmarks.segmenting`). The forest classifies a pixel by its colour, its
place and simple filters at three scales, trained on pixels of the same scenes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from torch import nn
from torch.utils.data import DataLoader

from course.applications.iou import SegmentationScores, confusion_matrix
from course.applications.segmenter import FeatureMaps, resize
from course.runtime import seed_everything
from tests.benchmarks.segmenting import CLASSES, SIZE, TEST, TRAIN, scenes, trained

PIXELS = 300  # of each training scene for the forest
SCALES = (1, 3, 8)  # pixels, of the Gaussian filters
TREES = 30


def run(seed: int) -> tuple[int, dict[str, Callable[[np.ndarray], float]]]:
    """The number of test scenes, and for each model what gives its mIoU over scenes of these indices."""
    counts: dict[str, np.ndarray] = {}
    for name, weights in (("pretrained", "default"), ("random", None)):
        seed_everything(seed)
        counts[name] = per_scene(predicted(*trained(weights, seed, tuned=True)), seed)
    counts["baseline"] = per_scene(by_forest(seed), seed)
    return TEST, {name: overlap_over(matrices) for name, matrices in counts.items()}


def overlap_over(matrices: np.ndarray) -> Callable[[np.ndarray], float]:
    """mIoU over scenes, by their indices, repeats counted: pixels are counted over all of them, then divided."""
    return lambda indices: SegmentationScores(torch.from_numpy(matrices[indices].sum(0))).miou


def per_scene(preds: torch.Tensor, seed: int) -> np.ndarray:
    """(scenes, classes, classes): the pixels of each test scene by true and predicted class."""
    truth = [mask for _, mask in scenes("test", TEST, seed)]
    return np.stack([confusion_matrix(*pair, len(CLASSES)).numpy() for pair in zip(preds, truth, strict=True)])


def predicted(model: nn.Module, maps: FeatureMaps) -> torch.Tensor:
    """(scenes, SIZE, SIZE): the class of every pixel."""
    with torch.inference_mode():
        batches = [resize(model.eval()(**x), (SIZE, SIZE)).argmax(1) for x, _ in DataLoader(maps, 25)]
    return torch.cat(batches)


def by_forest(seed: int) -> torch.Tensor:
    """What the forest says of the test scenes."""
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(seed)
    features, labels = [], []
    for x, mask in scenes("train", TRAIN, seed):
        chosen = rng.choice(SIZE * SIZE, PIXELS, replace=False)
        features.append(pixel_features(x)[chosen])
        labels.append(mask.numpy().ravel()[chosen])
    forest = RandomForestClassifier(TREES, min_samples_leaf=5, n_jobs=1, random_state=seed)
    forest.fit(np.concatenate(features), np.concatenate(labels))
    found = [forest.predict(pixel_features(x)).reshape(SIZE, SIZE) for x, _ in scenes("test", TEST, seed)]
    return torch.from_numpy(np.stack(found)).long()


def pixel_features(x: torch.Tensor) -> np.ndarray:
    """(SIZE * SIZE, features): colour, place, and at three scales smoothed colour, gradient and local variation."""
    colours = x.numpy()
    grey = colours.mean(0)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    planes = [*colours, rows, columns]
    for scale in SCALES:
        smooth = [ndimage.gaussian_filter(channel, scale) for channel in colours]
        spread = ndimage.gaussian_filter(grey**2, scale) - ndimage.gaussian_filter(grey, scale) ** 2
        planes += [
            *smooth,
            ndimage.gaussian_gradient_magnitude(grey, scale),
            ndimage.gaussian_laplace(grey, scale),
            spread,
        ]
    return np.stack(planes, -1).reshape(SIZE * SIZE, -1).astype(np.float32)
