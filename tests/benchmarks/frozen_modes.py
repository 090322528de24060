"""Chapter 02's experiment on BatchNorm: a head trained above a frozen backbone in eval mode and in train mode.

`python -m tests.benchmarks frozen_modes` measures what is missing and writes the stored table
`course/data/assets/tables/frozen_modes.json`. Every run is kept under COURSE_HOME as soon as it is done; with seeds as
arguments only theirs are measured.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import TensorDataset

from course.data.emoji import CLASSES, STYLES, Emoji
from course.data.held_out import hold_out
from course.models.backbones import image_transform, load_backbone
from course.models.freezing import freeze, trainable_parameters, unfreeze
from course.models.heads import find_head, replace_head
from course.models.parameter_groups import stages
from course.training.features import extract_features
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept

SIZE, POOL, SHARE, BATCH_SIZE = 96, 25, 0.6, 25  # 25 pictures per class, of which 60 % are for validation
LR, EPOCHS = 3e-3, 20  # chosen on validation pictures with cached features; more epochs change nothing
SEEDS = tuple(range(10))

Pictures = tuple[torch.Tensor, torch.Tensor]  # (N, 3, SIZE, SIZE) and labels (N,)


@functools.lru_cache(maxsize=3)
def pictures(style: str, seed: int) -> tuple[Pictures, Pictures]:
    """100 training and 150 validation pictures in a style; the seed draws both."""
    transform = image_transform(load_backbone(), size=SIZE)
    pool = Emoji("train", style=style, size=SIZE, per_class=POOL, seed=seed, transform=transform)
    parts = hold_out(pool, SHARE, seed=seed)
    train, val = ((torch.stack([part[i][0] for i in range(len(part))]), part.labels) for part in parts)
    return train, val


def frozen_model(seed: int) -> nn.Module:
    """The pretrained network, frozen, under a new head drawn from `seed`."""
    model = freeze(replace_head(load_backbone(), len(CLASSES), seed=seed))
    unfreeze(find_head(model).module)
    return model


def train_head(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, *, seed: int, drifting: tuple[str, ...] = ()
) -> None:
    """Train the head; the stages named in `drifting` are in train mode meanwhile, and everything else in eval mode."""
    head: Any = find_head(model).module
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=LR)
    # Without a stage in train mode the features of a picture are the same in every epoch.
    fixed = None if drifting else extract_features(model, TensorDataset(images, labels), cache=False).x
    torch.manual_seed(seed)  # the order of the pictures, the same in every mode
    for _ in range(EPOCHS):
        model.eval()
        for name, stage in stages(model):
            stage.train(name in drifting)
        for batch in torch.randperm(len(images)).split(BATCH_SIZE):
            logits = model(images[batch]) if fixed is None else head(fixed[batch])
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, labels[batch]).backward()
            optimizer.step()


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of right predictions in eval mode."""
    model.eval()
    with torch.inference_mode():
        predicted = torch.cat([model(batch).argmax(1) for batch in images.split(50)])
    return (predicted == labels).double().mean().item()


def stages_of_backbone() -> tuple[str, ...]:
    """The names of the backbone's stages, from the input."""
    return tuple(name for name, _ in stages(load_backbone()))[:-1]


SETTINGS: dict[str, Callable[[], tuple[str, ...]]] = {
    "eval mode": tuple,
    "train mode": stages_of_backbone,
}


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: in each style, the accuracy on validation pictures in that style of a head that was trained in it."""
    scores = {}
    for style in STYLES:
        train, val = pictures(style, seed)
        model = frozen_model(seed)
        train_head(model, *train, seed=seed, drifting=SETTINGS[setting]())
        scores[style] = accuracy(model, *val)
    return {"setting": setting, "seed": seed, **scores}


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("frozen_modes", run, SETTINGS, SEEDS, seeds)
    lost = {style: comparison.paired("eval mode", "train mode", style) for style in STYLES}
    notes += [f"{style}: eval mode ahead by {value}" for style, value in lost.items()]
    worst = min(interval.low for interval in lost.values())
    return Figure(worst, "accuracy of eval mode above train mode, low end, worst style", "0", tuple(notes))
