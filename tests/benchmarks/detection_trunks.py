"""Chapter 06's experiment: the same small detector on a pretrained and on a random trunk, both frozen.

`python -m tests.benchmarks detection_trunks` measures what is missing, at three seeds, and writes the stored table
`course/data/assets/tables/detection_trunks.json`. Every run is kept under COURSE_HOME as soon as it is done; with seeds
as arguments only theirs are measured, so that several processes can share the work.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.utils.data import DataLoader

from course.applications.detection import (
    DetectorOnFeatureMaps,
    Target,
    average_precision,
    collate,
    detect,
    detection_loss,
    load_detector,
    precompute_feature_maps,
    to_sample,
    train_last_stages,
)
from course.data.scenes import Scenes
from course.models.freezing import trainable_parameters
from course.runtime import seed_everything
from course.training.loop import fit
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept

TRAIN, TEST, EPOCHS, BATCH_SIZE, RATE = 400, 120, 5, 4, 2e-3
SEEDS = (0, 1, 2)
SETTINGS = {"pretrained": "default", "random": None}


@functools.lru_cache(maxsize=4)
def found_by(setting: str, seed: int) -> tuple[list[Target], list[Target]]:
    """(found, targets) on the test scenes, by a detector whose trunk stays as it is and whose rest was trained."""
    model = train_last_stages(load_detector(len(Scenes.classes), weights=SETTINGS[setting], seed=seed), 0)
    train = precompute_feature_maps(model, Scenes("train", TRAIN, seed=seed, transform=to_sample))
    test = precompute_feature_maps(model, Scenes("test", TEST, transform=to_sample))
    seed_everything(seed)
    loader = DataLoader(train, BATCH_SIZE, shuffle=True, collate_fn=collate)
    above = DetectorOnFeatureMaps(model)
    optimizer = torch.optim.AdamW(trainable_parameters(above), lr=RATE, fused=True)
    fit(above, loader, epochs=EPOCHS, optimizer=optimizer, schedule="cosine", loss_fn=detection_loss, verbose=False)
    return detect(above, DataLoader(test, 25, collate_fn=collate))


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: AP50, and AP over overlaps from 0.5 to 0.95."""
    precision = average_precision(*found_by(setting, seed), Scenes.classes)
    return {"setting": setting, "seed": seed, "AP50": precision.ap50, "AP": precision.ap}


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("detection_trunks", run, SETTINGS, SEEDS, seeds)
    ahead = comparison.paired("pretrained", "random")
    return Figure(ahead.low, "lower end of AP50 gained by pretraining", "above 0", tuple(notes))
