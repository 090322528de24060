"""Chapter 07's experiment at three seeds: a frozen and a tuned trunk, pretrained and random.

`python -m tests.benchmarks segmenting` measures what is missing, at three seeds, and writes the stored table
`course/data/assets/tables/segmenting.json`. Every run is kept under COURSE_HOME as soon as it is done, so a benchmark
that was interrupted goes on where it stopped; with seeds as arguments only theirs are measured.
"""

from __future__ import annotations

import copy
import functools
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from course.applications.iou import SegmentationScores, measure_iou
from course.applications.segmentation import SegmentationTransform, group_labels, seg_loss
from course.applications.segmenter import FeatureMaps, MultiScaleBackbone, UpperStages
from course.data.scenes import Scenes
from course.models.backbones import image_transform, load_backbone
from course.models.freezing import trainable_parameters
from course.runtime import seed_everything
from course.training.loop import fit
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept

SIZE, TRAIN, TEST, BATCH_SIZE = 128, 150, 80, 10
HEAD_EPOCHS, HEAD_LR, TUNE_EPOCHS, TUNE_LR = 12, 5e-3, 4, 1e-3
GROUPS = {
    "animal": ("mammal", "other animal"),
    "plant or food": ("plant", "food"),
    "face or hand": ("face", "hand"),
    "made thing": ("vehicle", "place", "clothing", "tool"),
}
CLASSES = ("background", *GROUPS)
SEEDS = (0, 1, 2)
SETTINGS = ("pretrained, frozen", "pretrained, tuned", "random, frozen", "random, tuned")


def scenes(split: str, count: int, seed: int) -> Scenes:
    """Scenes as tensors (3, SIZE, SIZE) and masks of five classes."""
    transform = image_transform(load_backbone(), size=SIZE)
    lookup = group_labels(Scenes.classes, GROUPS)
    return Scenes(
        split, count, size=SIZE, seed=seed, transform=SegmentationTransform(transform, len(CLASSES), lookup=lookup)
    )


@functools.lru_cache(maxsize=2)
def maps(weights: str | None, seed: int) -> tuple[nn.Module, FeatureMaps, FeatureMaps]:
    """A backbone (random ones are drawn from the seed), and its maps of the training and the test scenes."""
    torch.manual_seed(seed)
    backbone = load_backbone(weights=weights)
    trunk = MultiScaleBackbone(backbone)
    return backbone, FeatureMaps(trunk, scenes("train", TRAIN, seed)), FeatureMaps(trunk, scenes("test", TEST, seed))


def train(model: nn.Module, data: FeatureMaps, seed: int, epochs: int, lr: float) -> None:
    """Train what is trainable on the grid of the finest map, with a warm-up and a cosine."""
    loader = DataLoader(
        data.downsample_masks(), BATCH_SIZE, shuffle=True, generator=torch.Generator().manual_seed(seed)
    )
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=lr)
    fit(model, loader, epochs=epochs, optimizer=optimizer, loss_fn=seg_loss, schedule="cosine", verbose=False)


def trained(weights: str | None, seed: int, *, tuned: bool) -> tuple[nn.Module, FeatureMaps]:
    """A model for maps, and the test scenes' maps: the head is trained; then, if `tuned`, the layers below it too."""
    backbone, train_maps, test_maps = maps(weights, seed)
    head = train_maps.new_head(len(CLASSES), seed=seed)
    train(head, train_maps, seed, HEAD_EPOCHS, HEAD_LR)
    if not tuned:
        return head, test_maps
    upper = UpperStages(copy.deepcopy(backbone), head)  # the cached one stays as it was
    train(upper, train_maps, seed, TUNE_EPOCHS, TUNE_LR)
    return upper, test_maps


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: mIoU and pixel accuracy on new scenes of new things, and the IoU of each class."""
    seed_everything(seed)
    start, _, kind = setting.partition(", ")
    model, test_maps = trained("default" if start == "pretrained" else None, seed, tuned=kind == "tuned")
    found: SegmentationScores = measure_iou(model, DataLoader(test_maps, 25), len(CLASSES))
    each = dict(zip(CLASSES, found.iou.tolist(), strict=True))
    return {"setting": setting, "seed": seed, "miou": found.miou, "pixel_accuracy": found.pixel_accuracy, **each}


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("segmenting", run, SETTINGS, SEEDS, seeds)
    ahead = comparison.paired("pretrained, frozen", "random, frozen", "miou")
    return Figure(ahead.mean, "mIoU of a pretrained trunk above a random one, both frozen", "0", tuple(notes))
