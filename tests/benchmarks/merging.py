"""Chapter 10: can the weights of two trained models be averaged? From one start, and each from its own. Five seeds.

`python -m tests.benchmarks merging` writes `course/data/assets/tables/merging.json`; with seeds as arguments only
theirs are measured. One model is trained on the 150 drawings in Fluent style, the other on the same objects in Noto
style. In "one start" both begin with the same pretrained weights and the same trained head; in "own starts" each
begins with random weights of its own above the frozen lower part. Rows hold the accuracy on test objects in both
styles, and in a third one, of the first model (`_0`), the average (`_half`) and the second model (`_1`).
"""

from __future__ import annotations

import copy
import functools
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from course.data.emoji import STYLES, Emoji
from course.data.held_out import hold_out
from course.models.freezing import trainable_parameters
from course.models.interpolation import interpolate
from course.runtime import seed_everything
from course.training.loop import evaluate, fit
from tests.benchmarks import Figure, fine_tuning
from tests.benchmarks._rows import compare_kept
from tests.benchmarks.fine_tuning import HELD_OUT, SIZE, draw, fresh, maps, shuffled, test_maps, train_head, transform

SHARED, OWN = "one start", "own starts"
SETTINGS = (SHARED, OWN)
SEEDS = tuple(range(5))
EPOCHS = {SHARED: 10, OWN: 15}
RATES = {SHARED: 3e-4, OWN: 1e-3}


@functools.cache
def drawn(style: str, seed: int) -> Any:
    """Maps of the training objects in a style."""
    if style == "fluent":
        return draw(seed)[0]
    train, _ = hold_out(Emoji("train", style=style, seed=seed, transform=transform(), size=SIZE), HELD_OUT, seed=seed)
    return maps(train)


def reset(upper: nn.Module) -> None:
    """Random convolutions, drawn from torch's generator; BatchNorm learns again."""
    for module in upper.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            module.reset_parameters()
            module.requires_grad_(True)


def ends(setting: str, seed: int) -> tuple[Any, Any]:
    """The models trained on Fluent and on Noto."""
    model, start = fresh(seed)
    train_head(model, start, drawn("fluent", seed), seed, fine_tuning.PROBE_LR)
    found = []
    for number, style in enumerate(("fluent", "noto")):
        upper = copy.deepcopy(start)
        seed_everything(100 * number + seed)
        if setting == OWN:
            reset(upper)
        optimizer = torch.optim.AdamW(trainable_parameters(upper), lr=RATES[setting])
        loader = shuffled(drawn(style, seed), seed)
        fit(upper, loader, epochs=EPOCHS[setting], optimizer=optimizer, schedule="cosine", verbose=False)
        found.append(upper)
    return found[0], found[1]


def run(setting: str, seed: int) -> dict[str, Any]:
    first, second = ends(setting, seed)
    middle, row = copy.deepcopy(first), {"setting": setting, "seed": seed}
    for name, alpha in {"0": 0.0, "half": 0.5, "1": 1.0}.items():
        middle.load_state_dict(interpolate(first.state_dict(), second.state_dict(), alpha))
        for style in STYLES:
            row[f"{style}_{name}"] = evaluate(middle, DataLoader(test_maps(style), 256))["accuracy"]
        row[f"both_{name}"] = (row[f"fluent_{name}"] + row[f"noto_{name}"]) / 2
    row["both_half_above_mean"] = row["both_half"] - (row["both_0"] + row["both_1"]) / 2
    return row


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("merging", run, SETTINGS, SEEDS, seeds)
    gain = comparison.paired(SHARED, OWN, "both_half_above_mean")
    unit = f"± {gain.half_width:.2g} accuracy on both styles, of the average above its ends' mean, {gain.n} seeds"
    return Figure(gain.mean, unit, "0", tuple(notes), missed=gain.low <= 0)
