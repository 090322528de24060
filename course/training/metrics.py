"""What a batch measures: its loss, how much of it is right, and the means over many batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from course.errors import BadLabels, EmptyData, NonFiniteLoss
from course.training.batches import Chunk
from course.training.engine import Engine


class Measured(NamedTuple):
    """One chunk: the mean loss over the labels that count, and how many of them were right, on the device.

    `hits` is None if the labels are not classes; `parts` is how many labels count, None for one a sample.
    """

    samples: int
    loss: torch.Tensor
    hits: torch.Tensor | None = None
    parts: torch.Tensor | None = None


def ignored_label(loss_fn: Callable | None) -> int:
    """The label that a loss leaves out, such as the border of an object or the padding of a text."""
    return getattr(loss_fn, "ignore_index", -100)


def measure(
    network: nn.Module, chunk: Chunk, loss_fn: Callable | None, engine: Engine
) -> tuple[torch.Tensor, Measured]:
    """The loss of one chunk, to take the gradient of, and the numbers to keep."""
    loss_fn = loss_fn or F.cross_entropy
    with engine.autocast():
        outputs = network(**chunk.inputs) if isinstance(chunk.inputs, dict) else network(chunk.inputs)
        outputs = getattr(outputs, "logits", outputs)
        classes = _classes(outputs, chunk.labels)
        ignored = ignored_label(loss_fn)
        if classes and not outputs.is_cpu:  # a GPU stops with a device-side assert, and only later
            _check_labels(chunk.given, classes, ignored)
        try:
            loss = loss_fn(outputs, chunk.labels)
        except (IndexError, RuntimeError):
            if classes:
                _check_labels(chunk.given, classes, ignored)
            raise
    if not classes:
        return loss, Measured(chunk.samples, loss.detach())
    right = outputs.detach().argmax(1) == chunk.labels
    if right.ndim == 1:
        return loss, Measured(chunk.samples, loss.detach(), torch.count_nonzero(right))
    counted = chunk.labels != ignored  # labels with parts, such as words or pixels: those that count
    return loss, Measured(
        chunk.samples, loss.detach(), torch.count_nonzero(right & counted), torch.count_nonzero(counted)
    )


def _classes(outputs: Any, labels: Any) -> int:
    """How many classes the outputs (N, classes, ...) score for labels (N, ...), or 0 if the labels are no classes."""
    tensors = isinstance(outputs, torch.Tensor) and isinstance(labels, torch.Tensor)
    return outputs.shape[1] if tensors and labels.dtype == torch.int64 and outputs.ndim == labels.ndim + 1 else 0


def _check_labels(labels: torch.Tensor, classes: int, ignored: int) -> None:
    """Raises BadLabels if there is a class that the outputs do not score. Labels that are on a GPU are not fetched."""
    if not labels.is_cpu or not labels.numel():
        return
    low, high = torch.aminmax(labels)
    if low >= 0 and high < classes:
        return
    wrong = labels[((labels < 0) | (labels >= classes)) & (labels != ignored)].unique().tolist()
    if wrong:
        raise BadLabels(
            f"labels {', '.join(map(str, wrong[:8]))} are outside 0 to {classes - 1}: the model has {classes} outputs; "
            f"number the classes from 0, or give the model more outputs: replace_head(model, {max(*wrong, 1) + 1})"
        )


class Tally:
    """Sums over labels, made once in `EVERY` steps, because fetching a number waits for the GPU."""

    EVERY = 50

    def __init__(self, engine: Engine, epoch: int | None = None) -> None:
        self._engine, self._epoch = engine, epoch
        self._sees_at_once = epoch is not None and engine.device.type == "cpu"  # nothing to wait for
        self._pending: list[tuple[Measured, int, float]] = []
        self._batches = 0
        self._samples, self._labels, self._loss, self._hits = 0, 0.0, 0.0, 0.0
        self._has_accuracy = True

    def add(self, measured: list[Measured], batches: int, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Count a step of that many batches; NonFiniteLoss if a loss seen now is NaN or infinite."""
        self._batches += batches
        rate = optimizer.param_groups[-1]["lr"] if optimizer else 0.0
        self._pending += [(one, self._batches, rate) for one in measured if one.samples]  # the rest is padding
        is_wrong = self._sees_at_once and not all(math.isfinite(one.loss.item()) for one in measured)
        if is_wrong or len(self._pending) >= self.EVERY:
            self._settle()

    def _settle(self) -> None:
        if not self._pending:
            return
        losses = _numbers([one.loss for one, _, _ in self._pending])
        hits = _numbers([one.hits for one, _, _ in self._pending if one.hits is not None])
        parts = _numbers([one.parts for one, _, _ in self._pending if one.parts is not None])
        weights = parts or [float(one.samples) for one, _, _ in self._pending]
        self._has_accuracy = len(hits) == len(losses)
        self._hits += sum(hits)
        for (one, batch, rate), loss, weight in zip(self._pending, losses, weights, strict=True):
            if self._epoch is not None and not math.isfinite(loss):
                raise NonFiniteLoss(_non_finite(loss, self._epoch, batch, rate, self._engine.precision))
            self._samples += one.samples
            self._labels += weight
            self._loss += loss * weight if weight else 0.0  # the mean over no label is not a number
        self._pending.clear()

    def means(self) -> dict[str, float]:
        """loss, accuracy (if the labels are classes) and samples, over all processes; EmptyData if there were none."""
        self._settle()
        samples, labels, loss, hits = self._engine.total([self._samples, self._labels, self._loss, self._hits])
        if not samples:
            raise EmptyData(
                "the loader gave no batch at all; check that its data set is not empty, and with drop_last=True that "
                "it has a whole batch_size of samples"
            )
        labels = labels or math.nan
        accuracy = {"accuracy": hits / labels} if self._has_accuracy else {}
        return {"loss": loss / labels, **accuracy, "samples": int(samples)}


def _numbers(tensors: list[torch.Tensor]) -> list[float]:
    """These single numbers, fetched from the device together."""
    return torch.stack(tensors).tolist() if tensors else []


def _non_finite(loss: float, epoch: int, batch: int, rate: float, precision: str) -> str:
    wider = "" if precision == "float32" else '; or precision="float32"'
    return (
        f"the loss became {loss} in epoch {epoch}, batch {batch}, at learning rate {rate:g}; make the model anew, then "
        f"try lr={rate / 10:g}, or clip_norm=1.0{wider}; if it happens in the first batch, look for NaN in the inputs"
    )
