"""`find_lr`: the loss at one learning rate after another, to choose one before training."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from course.errors import TrainingError
from course.training.loop import fit
from course.training.metrics import ignore_index_of

SMOOTHING = 0.9  # weight of the past in the running mean of the loss
DIVERGED = 4.0  # times the lowest loss so far


@dataclass(frozen=True)
class LRFinding:
    """The running mean of the loss after each step, and the learning rate of that step; `suggestion` is one to try."""

    lrs: list[float]
    losses: list[float]
    suggestion: float

    def __repr__(self) -> str:
        return (
            f"LRFinding({len(self.lrs)} rates from {self.lrs[0]:.1e} to {self.lrs[-1]:.1e}; try {self.suggestion:.1e})"
        )


class _Diverged(Exception):
    pass


def find_lr(
    model: nn.Module,
    loader: Iterable,
    *,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 60,
    loss_fn: Callable | None = None,
    device: str = "auto",
) -> LRFinding:
    """Train a copy of `model` for `steps` steps while the rate of AdamW grows from `low` to `high`; the model stays.

    After Smith, "Cyclical Learning Rates for Training Neural Networks" (2017). The run ends early once the loss is four
    times its lowest value. The suggestion is a tenth of the rate at the lowest loss (fastai's "minimum / 10"): a place
    to start a comparison on validation data from, not the result of one.
    Raises TrainingError unless 0 < low < high and there are at least 10 steps.
    """
    if not 0 < low < high or steps < 10:
        raise TrainingError(f"low={low:g}, high={high:g}, steps={steps}: 0 < low < high, and at least 10 steps")
    trial = copy.deepcopy(model)
    recorded = _Recorder(loss_fn or nn.CrossEntropyLoss())
    batches = _Endless(loader, steps)
    parameters = [parameter for parameter in trial.parameters() if parameter.requires_grad]
    if not parameters:
        raise TrainingError("every parameter of the model is frozen, so no rate changes anything; unfreeze some layers")
    optimizer = torch.optim.AdamW(parameters, lr=low)
    growth = math.log(high / low) / (steps - 1)
    with contextlib.suppress(_Diverged):
        fit(
            trial,
            batches,
            epochs=1,
            optimizer=optimizer,
            schedule=lambda step: math.exp(growth * step),
            loss_fn=recorded,
            device=device,
            verbose=False,
        )
    losses = recorded.losses
    lrs = [low * math.exp(growth * step) for step in range(len(losses))]
    best = min(range(len(losses)), key=losses.__getitem__)
    return LRFinding(lrs, losses, lrs[best] / 10)


class _Endless:
    """`steps` batches of a loader, which is read again from its start whenever it ends."""

    def __init__(self, loader: Iterable, steps: int) -> None:
        self._loader, self._steps = loader, steps

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Any]:
        given = 0
        while given < self._steps:
            before = given
            for batch in self._loader:
                yield batch
                given += 1
                if given == self._steps:
                    return
            if given == before:
                return  # an empty loader: `fit` says so


class _Recorder:
    """A loss that keeps its running mean after each call (bias-corrected), and stops the run once it has diverged."""

    def __init__(self, loss_fn: Callable) -> None:
        self._loss_fn = loss_fn
        self.ignore_index = ignore_index_of(loss_fn)
        self.losses: list[float] = []
        self._mean = 0.0

    def __call__(self, outputs: Any, labels: Any) -> torch.Tensor:
        loss = self._loss_fn(outputs, labels)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise _Diverged
        self._mean = SMOOTHING * self._mean + (1 - SMOOTHING) * value
        self.losses.append(self._mean / (1 - SMOOTHING ** (len(self.losses) + 1)))
        if self.losses[-1] > DIVERGED * min(self.losses):
            raise _Diverged
        return loss
