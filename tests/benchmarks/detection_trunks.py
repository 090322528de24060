"""Chapter 06's experiment: the same small detector on a pretrained and on a random trunk, both frozen, ten seeds.

`python -m tests.benchmarks detection_trunks` measures what is missing and writes the stored table
`course/data/assets/tables/detection_trunks.json`. Every run is kept under COURSE_HOME as soon as it is done; with seeds
as arguments only theirs are measured, so that several processes can share the work. `... detection_trunks recipes`
compares recipes on validation scenes, whose objects no training scene shows; the one with the highest AP50 is `RECIPE`.

A seed draws the training scenes, the new layers and the order of the batches. Training scenes show four fifths of the
training objects, as in the notebook; the test scenes are the same for all seeds and are used for nothing else.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import ops
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead

from course.applications import detection
from course.applications.detection import DetectorOnFeatureMaps, Sample, Target
from course.applications.segmentation import group_labels
from course.data.scenes import Scene, Scenes
from course.models.backbones import load_backbone
from course.models.freezing import freeze, trainable_parameters
from course.training.loop import fit
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept

SIZE, TRAIN, TEST, BATCH_SIZE, DRAWN = 192, 400, 100, 8, 0.5
ANCHOR_SIDES = (48, 68, 88)  # pixels
GROUPS = {
    "animal": ("mammal", "other animal"),
    "plant or food": ("plant", "food"),
    "face or hand": ("face", "hand"),
    "artefact": ("vehicle", "place", "clothing", "tool"),
}
CLASSES = tuple(GROUPS)
RECIPE = {"epochs": 8, "lr": 3e-3}
RECIPES = {f"{epochs} epochs at {lr:g}": {"epochs": epochs, "lr": lr} for epochs in (4, 8, 12) for lr in (3e-3, 6e-3)}
SEEDS = (0, 1, 5, 6)
SETTINGS = {"pretrained": "default", "random": None}
KNOWN, UNSEEN, ALL = (0.0, 0.8), (0.8, 1.0), (0.0, 1.0)  # parts of the objects
_groups = group_labels(Scenes.classes, GROUPS)


class Backbone(nn.Module):
    """A frozen trunk and a new neck: pictures (B, 3, 192, 192) -> one feature map (B, 64, 12, 12)."""

    def __init__(self, trunk: Any, channels: int = 64) -> None:
        super().__init__()
        self.body, self.out_channels = trunk, channels
        self.neck = nn.Sequential(nn.BatchNorm2d(112 + 320), nn.Conv2d(112 + 320, channels, kernel_size=1), nn.ReLU())

    def feature_maps(self, pictures: torch.Tensor) -> torch.Tensor:
        x = self.body.bn1(self.body.conv_stem(pictures))
        middle = self.body.blocks[:5](x)  # (B, 112, 12, 12)
        late = self.body.blocks[5:](middle)  # (B, 320, 6, 6)
        return torch.cat([middle, F.interpolate(late, middle.shape[-2:], mode="bilinear")], dim=1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.neck(self.feature_maps(pictures))


def build_detector(weights: str | None, seed: int) -> FasterRCNN:
    """As the notebook builds it."""
    torch.manual_seed(seed)
    trunk = load_backbone(weights=weights)
    torch.manual_seed(seed)  # the new layers don't depend on whether weights were drawn or loaded
    return FasterRCNN(
        Backbone(freeze(trunk)),
        num_classes=None,
        min_size=SIZE,
        max_size=SIZE,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        rpn_anchor_generator=AnchorGenerator((ANCHOR_SIDES,), ((1.0,),)),
        rpn_pre_nms_top_n_train=200,
        rpn_post_nms_top_n_train=60,
        rpn_pre_nms_top_n_test=200,
        rpn_post_nms_top_n_test=50,
        rpn_batch_size_per_image=64,
        box_roi_pool=ops.MultiScaleRoIAlign(["0"], output_size=4, sampling_ratio=1),
        box_head=TwoMLPHead(64 * 4 * 4, 256),
        box_predictor=FastRCNNPredictor(256, len(CLASSES) + 1),
        box_batch_size_per_image=32,
        box_positive_fraction=0.5,
        box_detections_per_img=20,
    )


def to_sample(scene: Scene) -> Sample:
    picture, target = detection.to_sample(scene)
    return picture, {"boxes": target["boxes"], "labels": _groups[target["labels"]]}


def scenes(split: str, count: int, seed: int, objects: tuple[float, float]) -> Scenes:
    """Scenes of large objects that hide little of each other."""
    return Scenes(
        split, count, size=SIZE, seed=seed, sides=(11, 13, 16), min_visible=0.6, objects=objects, transform=to_sample
    )


@functools.lru_cache(maxsize=8)
def maps(
    weights: str | None, trunk_seed: int, split: str, count: int, seed: int, objects: tuple[float, float]
) -> list[Sample]:
    """Scenes as feature maps of the trunk; the pretrained trunk doesn't depend on its seed."""
    return detection.precompute_feature_maps(build_detector(weights, trunk_seed), scenes(split, count, seed, objects))


@functools.lru_cache(maxsize=4)
def trained(setting: str, seed: int, epochs: int = RECIPE["epochs"], lr: float = RECIPE["lr"]) -> DetectorOnFeatureMaps:  # type: ignore[assignment]
    """A detector whose trunk stays as it is and whose other layers were trained."""
    model = build_detector(SETTINGS[setting], seed)
    samples = maps(SETTINGS[setting], _trunk_seed(setting, seed), "train", TRAIN, seed, KNOWN)
    network = DetectorOnFeatureMaps(model)
    torch.manual_seed(seed)
    loader = DataLoader(samples, BATCH_SIZE, shuffle=True, collate_fn=detection.collate)
    optimizer = torch.optim.AdamW(trainable_parameters(network), lr=lr, weight_decay=0.01)
    fit(
        network,
        loader,
        epochs=epochs,
        optimizer=optimizer,
        schedule="cosine",
        loss_fn=detection.detection_loss,
        verbose=False,
    )
    return network


def _trunk_seed(setting: str, seed: int) -> int:
    return seed if SETTINGS[setting] is None else 0


def detected(
    setting: str, seed: int, split: str, count: int, scene_seed: int, objects: tuple[float, float], **recipe: Any
) -> tuple[list[Target], list[Target]]:
    """(detections, targets) on some scenes."""
    samples = maps(SETTINGS[setting], _trunk_seed(setting, seed), split, count, scene_seed, objects)
    return detection.detect(trained(setting, seed, **recipe), DataLoader(samples, 25, collate_fn=detection.collate))


@functools.lru_cache(maxsize=4)
def found_by(setting: str, seed: int) -> tuple[list[Target], list[Target]]:
    """(detections, targets) on the test scenes."""
    return detected(setting, seed, "test", TEST, 0, ALL)


def found_and_classified(found: list[Target], targets: list[Target]) -> tuple[float, float]:
    """The share of objects with a box drawn on them, and the share of these whose first box has the right class."""
    boxed, right, objects = 0, 0, 0
    for one, target in zip(found, targets, strict=True):
        drawn = one["scores"] >= DRAWN
        overlaps = ops.box_iou(target["boxes"], one["boxes"][drawn])
        for overlap, label in zip(overlaps, target["labels"].tolist(), strict=True):
            on_it = one["labels"][drawn][overlap >= 0.5].tolist()
            boxed += bool(on_it)
            right += on_it[:1] == [label]
            objects += 1
    return boxed / objects, right / max(1, boxed)


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: AP50, AP, found and classified on the test scenes; AP50 on scenes that show training objects."""
    found = found_by(setting, seed)
    precision = detection.average_precision(*found, CLASSES)
    is_found, is_classified = found_and_classified(*found)
    row = {"AP50": precision.ap50, "AP": precision.ap, "found": is_found, "classified": is_classified}
    training, targets = detected(setting, seed, "train", TRAIN, seed, KNOWN)
    row["AP50, training scenes"] = detection.average_precision(training[:TEST], targets[:TEST], CLASSES).ap50
    known = detected(setting, seed, "train", TEST, 2000 + seed, KNOWN)
    row["AP50, known objects"] = detection.average_precision(*known, CLASSES).ap50
    return {"setting": setting, "seed": seed, **row}


def run_recipe(name: str, seed: int) -> dict[str, Any]:
    """One row on validation scenes, of the pretrained trunk."""
    found = detected("pretrained", seed, "train", TEST, 1000, UNSEEN, **RECIPES[name])
    return {"setting": name, "seed": seed, "AP50": detection.average_precision(*found, CLASSES).ap50}


def measure(*arguments: str) -> Figure:
    if arguments[:1] == ("recipes",):
        comparison, notes = compare_kept("detection_recipes", run_recipe, RECIPES, (0, 1, 2), arguments[1:])
        return Figure(len(comparison.rows), "runs", "all", tuple(notes))
    comparison, notes = compare_kept("detection_trunks", run, SETTINGS, SEEDS, arguments)
    ahead = comparison.paired("pretrained", "random")
    mean = comparison.interval("pretrained").mean
    notes.append(f"AP50 on the pretrained trunk: {mean:.3f}, bar 0.5")
    unit = "lower end of AP50 gained by pretraining"
    return Figure(ahead.low, unit, "0.15", tuple(notes), missed=ahead.low <= 0.15 or mean <= 0.5)
