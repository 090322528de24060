"""The head: the layer that turns features into class scores, found by the model's structure, and replaced."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from course.errors import HeadNotFound, ModelError


@dataclass(frozen=True)
class Head:
    """The layer that turns features into class scores: its name in the model, the module, and its number of inputs."""

    name: str
    module: nn.Module
    in_features: int


def find_head(model: nn.Module, *, head: str | None = None) -> Head:
    """The last layer with weights, whatever its name: a Linear, or a 1 x 1 convolution as in SqueezeNet.

    `head` names another layer. Raises HeadNotFound if that layer is of another kind or does not exist.
    """
    weighted = {name: module for name, module in model.named_modules() if module._parameters}
    candidates = [name for name, module in weighted.items() if name and _head_inputs(module)]
    if head is None:
        several = getattr(model, "pretrained_cfg", {}).get("classifier")  # timm's distilled models have two
        if isinstance(several, tuple | list) and set(several) <= set(candidates):
            raise HeadNotFound(f"{type(model).__name__} has {len(several)} heads; pass head= one of {list(several)}")
        head = next(reversed(weighted), "")
    if head not in candidates:
        kind = type(weighted[head]).__name__ if head in weighted else "missing"
        raise HeadNotFound(
            f"the last layer of {type(model).__name__}, {head!r}, is {kind}, not a Linear or a 1 x 1 convolution "
            f"inside the model; pass head= one of {candidates[-5:]}"
        )
    return Head(head, weighted[head], _head_inputs(weighted[head]))


def _head_inputs(module: nn.Module) -> int:
    """The number of inputs if this layer can be a head, otherwise 0 (as for a LazyLinear before its first batch)."""
    if isinstance(module, nn.Linear):
        return module.in_features
    if isinstance(module, nn.Conv2d) and set(module.kernel_size) == {1} and module.groups == 1:
        return module.in_channels
    return 0


def replace_head(model: nn.Module, num_classes: int, *, head: str | None = None, seed: int = 0) -> nn.Module:
    """The same model, changed in place: a new, trainable head with `num_classes` outputs; nothing else changes.

    The head outputs logits, not probabilities. It is drawn from `seed` alone, with the device and dtype of the old one;
    torch's global generator is not used. Create the optimizer afterwards: an older one contains the old head. Raises
    HeadNotFound, and ModelError if `num_classes` is not a positive whole number.
    """
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ModelError(f"a head with {num_classes!r} classes is impossible; num_classes is a positive whole number")
    found = find_head(model, head=head)
    old: Any = found.module
    if isinstance(old, nn.Conv2d):
        new: nn.Module = nn.utils.skip_init(
            nn.Conv2d, old.in_channels, num_classes, 1, stride=old.stride, bias=old.bias is not None
        )
    else:
        new = nn.utils.skip_init(nn.Linear, old.in_features, num_classes, bias=old.bias is not None)
    generator = torch.Generator().manual_seed(seed)
    bound = 1 / math.sqrt(found.in_features)  # as torch initialises both kinds of layer
    for parameter in new.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    parent, _, attribute = found.name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, new.to(old.weight.device, old.weight.dtype).train(old.training))
    if hasattr(model, "num_classes"):
        model.num_classes = num_classes  # type: ignore[assignment]
    return model
