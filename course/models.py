"""Pretrained models by name, and the surgery on them: find and replace the head, freeze, learning rates by depth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from course.errors import HeadNotFound, ModelError
from course.weights import DEFAULT_MODEL, Origin, build


def load_backbone(name: str = DEFAULT_MODEL, *, weights: Any = "default", num_classes: int | None = None) -> nn.Module:
    """A model with its pretrained weights, in eval mode, its own classifier on unless `num_classes` asks for another.

    "efficientnet_lite0" is bundled and needs no network. Any other name is torchvision's ("resnet50"), else timm's
    ("convnext_atto", or "timm/resnet50"), and is downloaded on first use. `weights` is "default", the name of another
    set of weights ("IMAGENET1K_V1" in torchvision, a tag in timm), or None for random weights drawn from torch's
    global generator. Convolutional models come in channels-last layout, which is faster.
    Raises UnknownName, NoNetwork, WeightsMissing or WeightsCorrupt.
    """
    model = build(name, weights)
    if num_classes is not None:
        replace_head(model, num_classes)
    if sum(isinstance(module, nn.Conv2d) for module in model.modules()) > 1:
        model.to(memory_format=torch.channels_last)
    return model.eval()


def image_transform(model: nn.Module, *, size: int | None = None) -> Callable:
    """The preprocessing that the weights of `model` were trained with: PIL picture -> float tensor (3, size, size).

    With `size`, the shorter side becomes exactly `size` pixels, so nothing of a square picture is cropped away.
    Its `repr` says all that it does. Raises ModelError if `load_backbone` did not make the model.
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
        config |= {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}  # not timm's, but what these weights saw
    if size is not None:
        config |= {"input_size": (3, size, size), "crop_pct": 1.0}
    return create_transform(**config)


def categories(model: nn.Module) -> list[str] | None:
    """The names of the classes that the model's first head tells apart, or None if no library knows them."""
    from torchvision.models import ResNet18_Weights, get_model_weights

    origin = origin_of(model)
    if origin.library == "torchvision":
        return get_model_weights(origin.name)["DEFAULT"].meta["categories"]
    known = ResNet18_Weights.DEFAULT.meta["categories"]
    num_classes = 1000 if origin.library == "bundled" else getattr(model, "pretrained_cfg", {}).get("num_classes")
    return known if num_classes == len(known) else None


def origin_of(model: nn.Module) -> Origin:
    """Where `load_backbone` took the model from. Raises ModelError for a model that it did not make."""
    origin = getattr(model, "origin", None)
    if not isinstance(origin, Origin):
        raise ModelError(
            f"this {type(model).__name__} was not made by load_backbone, so its preprocessing is not known; "
            "load it with load_backbone(name), or use your own transform"
        )
    return origin


@dataclass(frozen=True)
class Head:
    """The layer that turns features into class scores: its name in the model, itself, and its number of inputs."""

    name: str
    module: nn.Module
    in_features: int


def find_head(model: nn.Module, *, head: str | None = None) -> Head:
    """The last layer with weights, whatever its name: a Linear, or a 1 x 1 convolution as in SqueezeNet.

    `head` names another layer. Raises HeadNotFound if that layer is of another kind or there is none.
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
    """The number of inputs if this layer can be a head, else 0 (as for a LazyLinear that has seen no batch)."""
    if isinstance(module, nn.Linear):
        return module.in_features
    if isinstance(module, nn.Conv2d) and set(module.kernel_size) == {1} and module.groups == 1:
        return module.in_channels
    return 0


def replace_head(model: nn.Module, num_classes: int, *, head: str | None = None, seed: int = 0) -> nn.Module:
    """The same model, changed in place: a new, trainable head of `num_classes` outputs; nothing else moves.

    The head gives logits, not probabilities. It is drawn from `seed` alone, on the device and in the precision of
    the old one; torch's global generator is left as it was. Make the optimizer afterwards: an older one holds the
    old head. Raises HeadNotFound, and ModelError if `num_classes` is not a positive whole number.
    """
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ModelError(f"a head of {num_classes!r} classes is impossible; num_classes is a whole number from 1 on")
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


def freeze(module: nn.Module) -> nn.Module:
    """The same module, frozen in place: `requires_grad` is False everywhere, and it is in eval mode.

    Frozen has three meanings, and a layer stands still only if all three hold:
    no gradient (`requires_grad=False`: none is computed, and backward is cheaper);
    not in the optimizer (a parameter it holds can move without a gradient, by momentum and weight decay);
    buffers still (BatchNorm's running statistics are no parameters: they move in train mode whatever the rest).
    `freeze` sees to the first and the third; give the optimizer `trainable_parameters(model)` for the second, and
    start training with `set_train(model)`, because `model.train()` undoes the third.
    """
    for parameter in module.parameters():
        parameter.requires_grad = False
        parameter.grad = None
    return module.eval()


def unfreeze(module: nn.Module) -> nn.Module:
    """The same module, trainable again in place; `set_train` then puts it into train mode.

    An optimizer made while it was frozen does not hold its parameters: add them, or make a new one.
    """
    for parameter in module.parameters():
        parameter.requires_grad = parameter.is_floating_point()
    return module


def is_frozen(module: nn.Module) -> bool:
    """True if the module has parameters and none of them asks for a gradient."""
    flags = [parameter.requires_grad for parameter in module.parameters()]
    return bool(flags) and not any(flags)


def set_train(model: nn.Module) -> nn.Module:
    """The same model in train mode, but for its frozen parts: those stay in eval mode, so their buffers stay still."""
    model.train()
    for module in model.modules():
        if is_frozen(module):
            module.eval()
    return model


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode inside, and afterwards for every module the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that ask for a gradient, each once: what to give an optimizer."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def stages(model: nn.Module, *, head: str | None = None) -> list[tuple[str, nn.Module]]:
    """(name, module) from the input to the head, found by structure; together they hold every parameter.

    A stage is a block of layers at one level of the model ("layer3", "blocks.5"). Plain layers that belong together
    share one, as a ModuleList over them, fit for `freeze` and `parameters`: a convolution and its normalisation
    ("conv1 to bn1"), the convolutions of VGG between two poolings, a ViT's class token and its first projection.
    The last stage is the head.
    """
    found = find_head(model, head=head)
    groups: list[list[tuple[str, Any]]] = []
    is_open = False  # whether a plain convolution that comes next belongs to the same stage
    for name, part in _parts(model, found.name):
        if isinstance(part, nn.Module) and not list(part.parameters()):
            is_open = is_open and "Pool" not in type(part).__name__
        elif groups and _joins(part, [earlier for _, earlier in groups[-1]], is_open):
            groups[-1].append((name, part))
            is_open = is_open or isinstance(part, nn.Conv2d)
        else:
            groups.append([(name, part)])
            is_open = isinstance(part, nn.Conv2d)
    return [*map(_stage, groups), (found.name, found.module)]


def _parts(model: nn.Module, head: str) -> list[tuple[str, Any]]:
    """The model's modules, in order, at the level where its blocks stand; and its loose parameters."""
    parts, total = list(_inside("", model)), _layers(model)
    while True:
        blocks = {name: part for name, part in parts if _is_block(part)}
        around_head = [name for name in blocks if head.startswith(f"{name}.")]
        largest = max(blocks, key=lambda name: _layers(blocks[name]), default="")
        if around_head:
            opened = around_head[0]
        elif len(blocks) < 4 and largest and 2 * _layers(blocks[largest]) > total:
            opened = largest  # a wrapper that holds most of the model, such as VGG's `features`
        else:
            return [(name, part) for name, part in parts if name != head]
        at = [name for name, _ in parts].index(opened)
        parts[at : at + 1] = _inside(opened, blocks[opened])


def _inside(name: str, module: nn.Module) -> Iterator[tuple[str, Any]]:
    prefix = f"{name}." if name else ""
    for key, parameter in module._parameters.items():
        if parameter is not None:
            yield prefix + key, parameter
    for key, child in module.named_children():
        yield prefix + key, child


def _is_block(part: Any) -> bool:
    return isinstance(part, nn.Module) and any(list(child.parameters()) for child in part.children())


def _layers(module: nn.Module) -> int:
    return sum(bool(inner._parameters) for inner in module.modules())


def _joins(part: Any, stage: list[Any], is_open: bool) -> bool:
    if isinstance(part, nn.Parameter) or all(isinstance(earlier, nn.Parameter) for earlier in stage):
        return True
    is_norm = not _is_block(part) and all(parameter.ndim <= 1 for parameter in part.parameters())
    return is_norm or (is_open and isinstance(part, nn.Conv2d) and max(part.stride) == 1)


def _stage(group: list[tuple[str, Any]]) -> tuple[str, nn.Module]:
    if len(group) == 1 and isinstance(group[0][1], nn.Module):
        return group[0]
    stage = nn.ModuleList(part for _, part in group if isinstance(part, nn.Module))
    for name, part in group:
        if isinstance(part, nn.Parameter):
            stage.register_parameter(name.replace(".", "_"), part)
    return f"{group[0][0]} to {group[-1][0]}", stage


def param_groups(
    model: nn.Module, lr: float, *, decay: float = 0.7, weight_decay: float = 0.0, head: str | None = None
) -> list[dict[str, Any]]:
    """Groups for a torch optimizer, one a stage from the head down: its rate is `lr * decay ** depth`, 0 at the head.

    Every trainable parameter is in exactly one group; a tied one is in the group nearest the head. Frozen ones
    are in none, yet a frozen stage counts as depth. Make them after `replace_head`. (Howard and Ruder, ULMFiT, 2018)
    """
    groups: list[dict[str, Any]] = []
    taken: set[nn.Parameter] = set()
    for depth, (name, stage) in enumerate(reversed(stages(model, head=head))):
        params = [parameter for parameter in trainable_parameters(stage) if parameter not in taken]
        taken.update(params)
        if params:
            groups.append({"name": name, "params": params, "lr": lr * decay**depth, "weight_decay": weight_decay})
    return groups
