"""Chapter 02: what a frozen backbone is worth, and what each meaning of frozen costs when it is forgotten."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import torch
from torch import nn

from course.data.emoji import CLASSES, STYLES, Emoji
from course.data.held_out import hold_out
from course.models.backbones import image_transform, load_backbone
from course.training.features import extract_features
from tests.benchmarks import frozen_modes
from tests.benchmarks.frozen_modes import BATCH_SIZE, EPOCHS, LR, POOL, SHARE, SIZE
from tests.benchmarks.lesson_runs import Lesson

STEPS = 40  # of the optimiser after the backbone was frozen in the midst of training


@functools.lru_cache(maxsize=8)
def _features(split: str, style: str, seed: int | None) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """(features (N, D), labels (N,), 8 x 8 pixels (N, 192))."""
    backbone = load_backbone()
    per_class = None if seed is None else POOL
    options: dict[str, Any] = {"style": style, "size": SIZE, "per_class": per_class, "seed": seed or 0}
    found = extract_features(backbone, Emoji(split, **options, transform=image_transform(backbone, size=SIZE)))
    plain = Emoji(split, **options)
    images = torch.stack([plain[i][0] for i in range(len(plain))])
    return found.x, found.y, nn.functional.adaptive_avg_pool2d(images, 8).flatten(1).numpy()


def _split(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The indices of the training and the validation pictures among the pool of a seed."""
    train, val = hold_out(Emoji("train", per_class=POOL, seed=seed), SHARE, seed=seed)
    return torch.tensor(train.indices), torch.tensor(val.indices)


def _head(x: torch.Tensor, y: torch.Tensor, seed: int) -> nn.Linear:
    torch.manual_seed(seed)
    head = nn.Linear(x.shape[1], len(CLASSES))
    optimizer = torch.optim.AdamW(head.parameters(), lr=LR)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(BATCH_SIZE):
            loss = nn.functional.cross_entropy(head(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return head


def _right(head: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    return (head(x).argmax(1) == y).double().mean().item()


@functools.lru_cache(maxsize=16)
def scores(seed: int) -> dict[str, float]:
    """Accuracies of heads and of the pixel rival trained on Fluent, on validation and, by style, on test pictures."""
    from sklearn.linear_model import LogisticRegression

    train, val = _split(seed)
    x, y, pixels = _features("train", "fluent", seed)
    head = _head(x[train], y[train], seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rivals = [LogisticRegression(C=c, max_iter=1000).fit(pixels[train], y[train]) for c in (0.01, 0.1, 1, 10)]
    rival = max(rivals, key=lambda one: one.score(pixels[val], y[val]))
    found = {"backbone val": _right(head, x[val], y[val]), "pixels val": rival.score(pixels[val], y[val])}
    for style in STYLES:
        tested, labels, tested_pixels = _features("test", style, None)
        found[f"backbone {style}"] = _right(head, tested, labels)
        found[f"pixels {style}"] = rival.score(tested_pixels, labels)
        own, own_labels, _ = _features("train", style, seed)
        found[f"own {style}"] = _right(_head(own[train], own_labels[train], seed), tested, labels)
    return found


def lead(seed: int, style: str) -> float:
    """By how much the head on frozen features is ahead of the pixel rival."""
    return scores(seed)[f"backbone {style}"] - scores(seed)[f"pixels {style}"]


def lost_after_freezing(seed: int) -> float:
    """The accuracy that steps with gradients of zeros cost a backbone that was frozen after an epoch of training."""
    (images, labels), val = frozen_modes.pictures("fluent", seed)
    model = frozen_modes.frozen_model(seed)
    frozen_modes.train_head(model, images, labels, seed=seed)
    model.requires_grad_(True).eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    torch.manual_seed(seed)
    for batch in torch.randperm(len(images)).split(BATCH_SIZE):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()
    model.requires_grad_(False)
    before = frozen_modes.accuracy(model, *val)
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=False)
        optimizer.step()
    return before - frozen_modes.accuracy(model, *val)


def smaller_lead(seed: int, style: str) -> float:
    """By how much that lead is smaller in a style than on Fluent."""
    return lead(seed, "fluent") - lead(seed, style)


def cost_of_shift(seed: int, style: str) -> float:
    """By how much a head trained in the style itself is ahead of one trained on Fluent."""
    return scores(seed)[f"own {style}"] - scores(seed)[f"backbone {style}"]


def modes(seed: int, style: str) -> float:
    """By how much a head trained in eval mode is ahead of one trained in train mode, from the runs that are kept."""
    from course.training.experiments import stored_table

    rows = {row["setting"]: row for row in stored_table("frozen_modes").rows if row["seed"] == seed}
    return rows["eval mode"][style] - rows["train mode"][style]


LESSONS = [
    Lesson(
        "02-features-beat-pixels",
        "A linear head on frozen features is ahead of logistic regression on pixels (validation, Fluent).",
        lambda seed: scores(seed)["backbone val"] - scores(seed)["pixels val"],
    ),
    *(
        Lesson(
            f"02-train-mode-costs-{style}",
            f"Train mode in a backbone without gradients costs accuracy ({style}).",
            functools.partial(modes, style=style),
        )
        for style in STYLES
    ),
    Lesson(
        "02-zeros-move-a-frozen-backbone",
        "Momentum and weight decay cost a backbone accuracy that was frozen in the midst of training.",
        lost_after_freezing,
    ),
    *(
        Lesson(
            f"02-lead-{style}",
            f"Trained on Fluent, frozen features are ahead of pixels on {style} test pictures.",
            functools.partial(lead, style=style),
        )
        for style in STYLES
    ),
    *(
        Lesson(
            f"02-lead-shrinks-{style}",
            f"The lead over pixels is larger on Fluent than on {style}.",
            functools.partial(smaller_lead, style=style),
        )
        for style in STYLES[1:]
    ),
    *(
        Lesson(
            f"02-shift-costs-{style}",
            f"On {style}, a head trained on Fluent is behind one trained on {style} itself.",
            functools.partial(cost_of_shift, style=style),
        )
        for style in STYLES[1:]
    ),
]
