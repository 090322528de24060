"""The stages of a model, from the input to the head, and a parameter group with its own learning rate for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from course.models.freezing import trainable_parameters
from course.models.heads import find_head


def stages(model: nn.Module, *, head: str | None = None) -> list[tuple[str, nn.Module]]:
    """(name, module) from the input to the head, found by the model's structure; together they have every parameter.

    A stage is a block of layers at one level of the model ("layer3", "blocks.5"). Single layers that belong together
    are one stage, a ModuleList that works with `freeze` and `parameters`: a convolution and its normalisation ("conv1
    to bn1"), the convolutions of VGG between two poolings, a ViT's class token and its first projection. The last stage
    is the head.
    """
    found = find_head(model, head=head)
    groups: list[list[tuple[str, Any]]] = []
    is_open = False  # whether a single convolution that comes next belongs to the same stage
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
    """The model's modules, in order, at the level of its blocks; and parameters that are in no module."""
    parts, total = list(_inside("", model)), _layers(model)
    while True:
        blocks = {name: part for name, part in parts if _is_block(part)}
        around_head = [name for name in blocks if head.startswith(f"{name}.")]
        largest = max(blocks, key=lambda name: _layers(blocks[name]), default="")
        if around_head:
            opened = around_head[0]
        elif len(blocks) < 4 and largest and 2 * _layers(blocks[largest]) > total:
            opened = largest  # a container with most of the model, such as VGG's `features`
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
    """Groups for a torch optimizer, one per stage from the head down, with rate `lr * decay ** depth`; the head has 0.

    Every trainable parameter is in exactly one group; a tied one is in the group nearest the head. Frozen ones are in
    none, but a frozen stage counts as depth. Create them after `replace_head`. (Howard and Ruder, ULMFiT, 2018)
    """
    groups: list[dict[str, Any]] = []
    taken: set[nn.Parameter] = set()
    for depth, (name, stage) in enumerate(reversed(stages(model, head=head))):
        params = [parameter for parameter in trainable_parameters(stage) if parameter not in taken]
        taken.update(params)
        if params:
            groups.append({"name": name, "params": params, "lr": lr * decay**depth, "weight_decay": weight_decay})
    return groups
