"""The loss of one batch, how many of its predictions are correct, and the means of both over many batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from course.errors import BadLabels, EmptyData, NonFiniteLoss
from course.training.batches import MicroBatch
from course.training.engine import Engine


class BatchMetrics(NamedTuple):
    """What was measured on one micro-batch, still on the device: the mean loss over its labels, and how many are right.

    `correct` is None if the labels are not classes. `num_labels` is how many labels count, or None for one per sample.
    """

    samples: int
    loss: torch.Tensor
    correct: torch.Tensor | None = None
    num_labels: torch.Tensor | None = None


def ignore_index_of(loss_fn: Callable | None) -> int:
    """The label that a loss leaves out, such as the border of an object or the padding of a text."""
    return getattr(loss_fn, "ignore_index", -100)


def compute_loss(
    network: nn.Module, micro_batch: MicroBatch, loss_fn: Callable | None, engine: Engine
) -> tuple[torch.Tensor, BatchMetrics]:
    """The loss of one micro-batch, to call backward on, and its metrics."""
    inputs, labels = micro_batch.inputs, micro_batch.labels
    loss_fn = loss_fn or F.cross_entropy
    with engine.autocast():
        outputs = network(**inputs) if isinstance(inputs, dict) else network(inputs)
        outputs = getattr(outputs, "logits", outputs)
        num_classes = _num_classes(outputs, labels)
        ignore_index = ignore_index_of(loss_fn)
        if num_classes and not outputs.is_cpu:  # a GPU stops with a device-side assert, and only later
            _check_labels(micro_batch.loader_labels, num_classes, ignore_index)
        try:
            loss = loss_fn(outputs, labels)
        except (IndexError, RuntimeError):
            if num_classes:
                _check_labels(micro_batch.loader_labels, num_classes, ignore_index)
            raise
    if not num_classes:
        return loss, BatchMetrics(micro_batch.samples, loss.detach())
    is_correct = outputs.detach().argmax(1) == labels
    if is_correct.ndim == 1:
        return loss, BatchMetrics(micro_batch.samples, loss.detach(), torch.count_nonzero(is_correct))
    counts = labels != ignore_index  # a label per word or per pixel: some of them may be ignored
    correct, num_labels = torch.count_nonzero(is_correct & counts), torch.count_nonzero(counts)
    return loss, BatchMetrics(micro_batch.samples, loss.detach(), correct, num_labels)


def _num_classes(outputs: Any, labels: Any) -> int:
    """How many classes the outputs (N, classes, ...) score for labels (N, ...), or 0 if the labels are not classes."""
    are_tensors = isinstance(outputs, torch.Tensor) and isinstance(labels, torch.Tensor)
    return outputs.shape[1] if are_tensors and labels.dtype == torch.int64 and outputs.ndim == labels.ndim + 1 else 0


def _check_labels(labels: torch.Tensor, num_classes: int, ignore_index: int) -> None:
    """Raises BadLabels if the outputs have no score for some label. Labels that are on a GPU are not fetched."""
    if not labels.is_cpu or not labels.numel():
        return
    low, high = torch.aminmax(labels)
    if low >= 0 and high < num_classes:
        return
    wrong = labels[((labels < 0) | (labels >= num_classes)) & (labels != ignore_index)].unique().tolist()
    if wrong:
        raise BadLabels(
            f"labels {', '.join(map(str, wrong[:8]))} are outside 0 to {num_classes - 1}: the model has {num_classes} "
            "outputs; number the classes from 0, or give the model more outputs: "
            f"replace_head(model, {max(*wrong, 1) + 1})"
        )


class RunningMeans:
    """Mean loss and accuracy over labels. Sums are fetched once in `FETCH_EVERY` steps: fetching waits for the GPU."""

    FETCH_EVERY = 50

    def __init__(self, engine: Engine, epoch: int | None = None) -> None:
        self._engine, self._epoch = engine, epoch
        self._checks_every_step = epoch is not None and engine.device.type == "cpu"  # nothing to wait for
        self._pending: list[tuple[BatchMetrics, int, float]] = []  # (metrics, number of the batch, learning rate)
        self._batches = 0
        self._samples, self._labels, self._loss, self._correct = 0, 0.0, 0.0, 0.0
        self._has_accuracy = True

    def update(self, metrics: list[BatchMetrics], batches: int, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Count a step of that many batches; NonFiniteLoss if a loss fetched now is NaN or infinite."""
        self._batches += batches
        lr = optimizer.param_groups[-1]["lr"] if optimizer else 0.0
        self._pending += [(one, self._batches, lr) for one in metrics if one.samples]  # the rest is padding
        is_non_finite = self._checks_every_step and not all(math.isfinite(one.loss.item()) for one in metrics)
        if is_non_finite or len(self._pending) >= self.FETCH_EVERY:
            self._fetch_pending()

    def _fetch_pending(self) -> None:
        if not self._pending:
            return
        losses = _fetch([one.loss for one, _, _ in self._pending])
        correct = _fetch([one.correct for one, _, _ in self._pending if one.correct is not None])
        num_labels = _fetch([one.num_labels for one, _, _ in self._pending if one.num_labels is not None])
        weights = num_labels or [float(one.samples) for one, _, _ in self._pending]
        self._has_accuracy = len(correct) == len(losses)
        self._correct += sum(correct)
        for (one, batch, lr), loss, weight in zip(self._pending, losses, weights, strict=True):
            if self._epoch is not None and not math.isfinite(loss):
                raise NonFiniteLoss(_non_finite_message(loss, self._epoch, batch, lr, self._engine.precision))
            self._samples += one.samples
            self._labels += weight
            self._loss += loss * weight if weight else 0.0  # the mean over no label is not a number
        self._pending.clear()

    def means(self) -> dict[str, float]:
        """loss, accuracy (if the labels are classes) and samples, over all processes; EmptyData if there were none."""
        self._fetch_pending()
        sums = [self._samples, self._labels, self._loss, self._correct]
        samples, labels, loss, correct = self._engine.processes.sum(sums, self._engine.device)
        if not samples:
            raise EmptyData(
                "the loader gave no batch at all; check that its data set is not empty, and with drop_last=True that "
                "it has a whole batch_size of samples"
            )
        labels = labels or math.nan
        accuracy = {"accuracy": correct / labels} if self._has_accuracy else {}
        return {"loss": loss / labels, **accuracy, "samples": int(samples)}


def _fetch(scalars: list[torch.Tensor]) -> list[float]:
    """These scalar tensors as numbers, fetched from the device together."""
    return torch.stack(scalars).tolist() if scalars else []


def _non_finite_message(loss: float, epoch: int, batch: int, lr: float, precision: str) -> str:
    wider = "" if precision == "float32" else '; or precision="float32"'
    return (
        f"the loss became {loss} in epoch {epoch}, batch {batch}, at learning rate {lr:g}; load the model again, then "
        f"try lr={lr / 10:g}, or clip_norm=1.0{wider}; if it happens in the first batch, look for NaN in the inputs"
    )
