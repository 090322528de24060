"""A model with a module to freeze, and a batch to train it on: the case of freezing and of modes."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises import small_models


def training_case(architecture: str, rng: torch.Generator, frozen: str = "") -> dict[str, Any]:
    """`frozen` is the submodule to freeze: what plays the backbone, unless another is named."""
    return {
        "architecture": architecture,
        "state": small_models.drawn_state(architecture, rng),
        "frozen": frozen or _trunk(architecture),
        "x": small_models.pictures(rng, 8),
        "y": small_models.labels(rng, 8),
    }


def _trunk(architecture: str) -> str:
    """The name of the submodule that plays the backbone."""
    return {"cnn": "backbone", "resnet": "layer1", "vgg": "features", "efficientnet": "features", "vit": "encoder"}[
        architecture
    ]
