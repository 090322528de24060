"""Freezing: no gradient, not in the optimizer, fixed buffers; and a train mode that keeps frozen layers frozen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


def freeze(module: nn.Module) -> nn.Module:
    """The same module, frozen in place: `requires_grad` is False everywhere, and it is in eval mode.

    Frozen has three meanings, and a layer does not change only if all three hold:
    no gradient (`requires_grad=False`: none is computed, and backward is cheaper);
    not in the optimizer (which can change a parameter without a gradient, by momentum and weight decay);
    fixed buffers (BatchNorm's running statistics are not parameters: they change in train mode in any case).
    `freeze` ensures the first and the third; for the second, give the optimizer `trainable_parameters(model)`. Start
    training with `set_train(model)`, because `model.train()` undoes the third.
    """
    for parameter in module.parameters():
        parameter.requires_grad = False
        parameter.grad = None
    return module.eval()


def unfreeze(module: nn.Module) -> nn.Module:
    """The same module, trainable again in place; `set_train` then puts it into train mode.

    An optimizer created while it was frozen does not contain its parameters: add them, or create a new one.
    """
    for parameter in module.parameters():
        parameter.requires_grad = parameter.is_floating_point()
    return module


def is_frozen(module: nn.Module) -> bool:
    """True if the module has parameters and none of them requires a gradient."""
    flags = [parameter.requires_grad for parameter in module.parameters()]
    return bool(flags) and not any(flags)


def set_train(model: nn.Module) -> nn.Module:
    """The same model in train mode, except for its frozen layers: they stay in eval mode, with fixed buffers."""
    model.train()
    for module in model.modules():
        if is_frozen(module):
            module.eval()
    return model


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode inside the context; afterwards every module has its previous mode again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that require a gradient, each once: what to give an optimizer."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
