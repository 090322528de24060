"""Freezing: no gradient, not in the optimizer, buffers still; and the modes in which frozen parts stay so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


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
