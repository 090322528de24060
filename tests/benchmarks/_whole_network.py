"""The runs that chapter 10's tables share: a probe, fine-tuning and head first on the whole network, 100 emoji."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from course.data.emoji import CLASSES, STYLES, Emoji
from course.models.backbones import image_transform, load_backbone
from course.models.freezing import freeze, trainable_parameters, unfreeze
from course.models.heads import find_head, replace_head
from course.runtime import seed_everything
from course.training.features import extract_features
from course.training.loop import evaluate, fit

SIZE, PER_CLASS, BATCH_SIZE, EPOCHS, PROBE_EPOCHS, PROBE_LR = 96, 10, 25, 6, 10, 3e-3


def shuffled(dataset: Dataset, seed: int) -> DataLoader:
    """Batches in an order drawn from `seed`."""
    return DataLoader(dataset, BATCH_SIZE, shuffle=True, generator=torch.Generator().manual_seed(seed))


@functools.cache
def pictures(split: str, style: str = "fluent", per_class: int | None = None, seed: int = 0) -> TensorDataset:
    """All pictures of a split as one tensor (N, 3, SIZE, SIZE), ready for the backbone."""
    transform = image_transform(load_backbone(), size=SIZE)
    data = Emoji(split, style=style, size=SIZE, per_class=per_class, seed=seed, transform=transform)
    return TensorDataset(torch.stack([picture for picture, _ in data]), data.labels)


def fresh(seed: int) -> nn.Module:
    """The pretrained network under a new head drawn from `seed`."""
    return replace_head(load_backbone(), len(CLASSES), seed=seed)


def probed(train: TensorDataset, seed: int) -> nn.Module:
    """The network whose head alone has been trained."""
    model = freeze(fresh(seed))
    features, head = extract_features(model, train, cache=False), find_head(model).module
    fit(unfreeze(head), shuffled(features.dataset(), seed), epochs=PROBE_EPOCHS, lr=PROBE_LR, verbose=False)
    return model


def tune(model: nn.Module, train: TensorDataset, seed: int, lr: float) -> nn.Module:
    """The same network after EPOCHS epochs of all its weights, but for those of BatchNorm, which stays in eval mode."""
    unfreeze(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            freeze(module)
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=lr)
    fit(model, shuffled(train, seed), epochs=EPOCHS, optimizer=optimizer, schedule="cosine", verbose=False)
    return model


SETTINGS: dict[str, Callable[[TensorDataset, int], nn.Module]] = {
    "probe": probed,
    "fine-tune, 0.001": lambda train, seed: tune(fresh(seed), train, seed, 1e-3),
    "head first, 0.001": lambda train, seed: tune(probed(train, seed), train, seed, 1e-3),
}


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: accuracy on the test pictures in each style; `away` is the mean over the styles never trained on."""
    seed_everything(seed)
    model = SETTINGS[setting](pictures("train", per_class=PER_CLASS, seed=seed), seed)
    scores = {style: evaluate(model, DataLoader(pictures("test", style), 128))["accuracy"] for style in STYLES}
    away = [score for style, score in scores.items() if style != "fluent"]
    return {"setting": setting, "seed": seed, **scores, "away": sum(away) / len(away)}
