"""LoRA: two small trainable factors beside a frozen layer (Hu et al., 2021, https://arxiv.org/abs/2106.09685)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from course.errors import HeadNotFound, ModelError
from course.models.freezing import freeze, unfreeze
from course.models.heads import find_head

Match = str | Callable[[str, nn.Module], bool]


class LoRALinear(nn.Module):
    """`base(x) + alpha / rank * up(down(x))`: the frozen base and a learned update of rank at most `rank`.

    `base` is a Linear, or a 1 x 1 convolution, which is a Linear at every pixel. `down` is random and `up` is zero, so
    at the start the layer computes exactly what its base does, and both are trained: `up` from the first step on,
    `down` from the second. Raises ModelError for another kind of layer, or a rank below 1.
    """

    base: nn.Module
    down: nn.Module
    up: nn.Module

    def __init__(self, base: nn.Module, rank: int = 4, alpha: float = 8.0, *, seed: int = 0) -> None:
        super().__init__()
        if not can_adapt(base):
            raise ModelError(f"LoRA adapts Linear layers and 1 x 1 convolutions, not {base}")
        if not isinstance(rank, int) or rank < 1:
            raise ModelError(f"rank={rank!r} is impossible; it is a positive whole number, usually small (4 or 8)")
        layer: Any = base
        self.base, self.scale = freeze(layer), alpha / rank
        if isinstance(layer, nn.Conv2d):
            self.down = nn.utils.skip_init(nn.Conv2d, layer.in_channels, rank, 1, stride=layer.stride, bias=False)
            self.up = nn.utils.skip_init(nn.Conv2d, rank, layer.out_channels, 1, bias=False)
        else:
            self.down = nn.utils.skip_init(nn.Linear, layer.in_features, rank, bias=False)
            self.up = nn.utils.skip_init(nn.Linear, rank, layer.out_features, bias=False)
        generator = torch.Generator().manual_seed(seed)
        nn.init.kaiming_uniform_(self.down.weight, math.sqrt(5), generator=generator)  # type: ignore[arg-type]
        nn.init.zeros_(self.up.weight)  # type: ignore[arg-type]
        self.to(layer.weight.device, layer.weight.dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + self.scale * self.up(self.down(x))

    @torch.no_grad()
    def merged(self) -> nn.Module:
        """The base layer, with the update added to its weight in place: a single layer that computes the same."""
        layer: Any = self.base
        factors: list[Any] = [self.up, self.down]
        # In float64 for an exact sum, and on the CPU because Apple's GPUs have no float64.
        up, down, weight = (part.weight.cpu().double() for part in (*factors, layer))
        update = self.scale * up.flatten(1) @ down.flatten(1)  # (out, rank) @ (rank, in)
        layer.weight.copy_((weight + update.view_as(weight)).to(layer.weight.dtype))
        return layer


def can_adapt(module: nn.Module) -> bool:
    """True for a Linear and for an ungrouped, unpadded 1 x 1 convolution."""
    if isinstance(module, nn.Conv2d):
        return set(module.kernel_size) == {1} and module.groups == 1 and module.padding in ((0, 0), "valid", "same")
    return type(module) is nn.Linear


def add_lora(
    model: nn.Module, *, rank: int = 4, alpha: float = 8.0, match: Match | None = None, seed: int = 0
) -> nn.Module:
    """The same model, changed in place: frozen except for its head and the LoRA factors added to the matching layers.

    `match` is a regular expression for layer names or a function of (name, layer); without it, every layer that can be
    adapted is. The head is never adapted, but trained as a whole. The model's output does not change.
    Raises ModelError if nothing matches or the model has LoRA factors already.
    """
    if any(isinstance(module, LoRALinear) for module in model.modules()):
        raise ModelError("this model has LoRA factors already; call merge_lora(model) first")
    try:
        head: str | None = find_head(model).name
    except HeadNotFound:
        head = None
    chosen = [
        name
        for name, module in model.named_modules()
        if name and name != head and can_adapt(module) and _matches(match, name, module)
    ]
    if not chosen:
        raise ModelError(
            f"match={match!r} matches no Linear or 1 x 1 convolution of {type(model).__name__} except its head; "
            "print(model) shows the names"
        )
    freeze(model)
    if head:
        unfreeze(model.get_submodule(head))
    for index, name in enumerate(chosen):
        parent, _, attribute = name.rpartition(".")
        layer = LoRALinear(model.get_submodule(name), rank, alpha, seed=seed + index)
        setattr(model.get_submodule(parent), attribute, layer)
    return model


def _matches(match: Match | None, name: str, module: nn.Module) -> bool:
    if match is None:
        return True
    return bool(re.search(match, name)) if isinstance(match, str) else match(name, module)


def merge_lora(model: nn.Module) -> nn.Module:
    """The same model with all LoRA factors merged into their layers: same outputs, original structure and speed."""
    for name, module in list(model.named_modules()):
        if isinstance(module, LoRALinear):
            parent, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(parent), attribute, module.merged())
    return model
