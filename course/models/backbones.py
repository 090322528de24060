"""Pretrained models by name, and the preprocessing that their weights were trained with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from course.errors import ModelError
from course.models.factory import Origin, build_model
from course.models.heads import replace_head
from course.models.weights import DEFAULT_MODEL


def load_backbone(name: str = DEFAULT_MODEL, *, weights: Any = "default", num_classes: int | None = None) -> nn.Module:
    """A model with pretrained weights, in eval mode, with its own classifier or, with `num_classes`, a new one.

    "efficientnet_lite0" is bundled and needs no network. Other names are looked up in torchvision ("resnet50"), then in
    timm ("convnext_atto", or "timm/resnet50"), and downloaded on first use. `weights` is "default", the name of another
    set of weights ("IMAGENET1K_V1" in torchvision, a tag in timm), or None for random weights drawn from torch's global
    generator. Convolutional models are returned in channels-last layout, which is faster.
    Raises UnknownName, NoNetwork, WeightsMissing or WeightsCorrupt.
    """
    model = build_model(name, weights)
    if num_classes is not None:
        replace_head(model, num_classes)
    if sum(isinstance(module, nn.Conv2d) for module in model.modules()) > 1:
        model.to(memory_format=torch.channels_last)
    return model.eval()


def image_transform(model: nn.Module, *, size: int | None = None) -> Callable:
    """The preprocessing that the weights of `model` were trained with: PIL picture -> float tensor (3, size, size).

    With `size`, the shorter side becomes exactly `size` pixels, so a square picture is not cropped. The `repr` of the
    transform describes it completely. Raises ModelError if the model does not come from `load_backbone`.
    """
    origin = origin_of(model)
    if origin.library == "torchvision":
        from torchvision.models import get_model_weights

        choices = get_model_weights(origin.name)
        tag = (origin.weights or "default").split(".")[-1]
        transforms = choices["DEFAULT" if tag == "default" else tag].transforms
        return transforms() if size is None else transforms(crop_size=size, resize_size=size)
    from timm.data import create_transform, resolve_data_config

    config = resolve_data_config({}, model=model)
    if origin.library == "bundled":
        config |= {
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
        }  # those of these weights, not timm's
    if size is not None:
        config |= {"input_size": (3, size, size), "crop_pct": 1.0}
    return create_transform(**config)


def categories(model: nn.Module) -> list[str] | None:
    """The class names of the model's original head, or None if no library knows them."""
    from torchvision.models import ResNet18_Weights, get_model_weights

    origin = origin_of(model)
    if origin.library == "torchvision":
        return get_model_weights(origin.name)["DEFAULT"].meta["categories"]
    known = ResNet18_Weights.DEFAULT.meta["categories"]
    num_classes = 1000 if origin.library == "bundled" else getattr(model, "pretrained_cfg", {}).get("num_classes")
    return known if num_classes == len(known) else None


def origin_of(model: nn.Module) -> Origin:
    """Where `load_backbone` got the model from. Raises ModelError for any other model."""
    origin = getattr(model, "origin", None)
    if not isinstance(origin, Origin):
        raise ModelError(
            f"this {type(model).__name__} does not come from load_backbone, so its preprocessing is unknown; "
            "load it with load_backbone(name), or use your own transform"
        )
    return origin
