"""A model with its old head: the case, the last layer's name and inputs, and which of its tensors are still there."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.exercises import small_models


def head_case(architecture: str, rng: torch.Generator, num_classes: int | None = None) -> dict[str, Any]:
    state = small_models.drawn_state(architecture, rng)
    for name, value in state.items():
        if value.is_floating_point() and (value == value.flatten()[0]).all():
            # No two tensors are alike then, so each is known by its value wherever an answer keeps it.
            state[name] = value + 0.1 * torch.randn(value.shape, generator=rng)
    if num_classes is None:
        num_classes = int(torch.randint(6, 12, (), generator=rng))
    return {
        "architecture": architecture,
        "state": state,
        "num_classes": num_classes,
        "x": small_models.pictures(rng, 48),
        "y": small_models.labels(rng, 48, num_classes),
    }


def head_inputs(case: dict[str, Any]) -> torch.Tensor:
    """(N, D), what the old head of a fresh model sees."""
    model = small_models.restore(case["architecture"], case["state"]).eval()
    seen: list[torch.Tensor] = []
    head = model.get_submodule(head_name(case["architecture"]))
    head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(case["x"])
    return seen[0]


def head_name(architecture: str) -> str:
    """The name of the last layer of a narrow architecture."""
    return [name for name, part in small_models.build(architecture).named_modules() if isinstance(part, nn.Linear)][-1]


def slope(case: dict[str, Any], outputs: torch.Tensor) -> torch.Tensor:
    """The gradient of the mean cross-entropy on the case's labels with respect to the outputs, (N, classes)."""
    logits = outputs.detach().clone().requires_grad_()
    return torch.autograd.grad(nn.functional.cross_entropy(logits, case["y"]), logits)[0]


def lost_and_new(case: dict[str, Any], state: dict[str, torch.Tensor]) -> tuple[list[str], list[str]]:
    """Names of the backbone's tensors that `state` has no more, and of those in `state` that the model never had.

    Tensors are found by value, so that a model wrapped into another keeps its backbone.
    """
    inside = head_name(case["architecture"]) + "."
    old = {name: value for name, value in case["state"].items() if not name.startswith(inside)}
    lost = [name for name, value in old.items() if not has_tensor(state, value)]
    new = [name for name, value in state.items() if not has_tensor(case["state"], value)]
    return lost, new


def has_tensor(state: dict[str, torch.Tensor], value: torch.Tensor) -> bool:
    return any(other.shape == value.shape and torch.equal(other, value) for other in state.values())
