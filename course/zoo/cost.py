"""What a model costs: parameters, MiB, floating-point operations and milliseconds per input."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course.models.freezing import evaluating


@dataclass(frozen=True)
class Footprint:
    """`parameters`, `mebibytes` (of parameters and buffers), `flops` and `milliseconds`, the last two per input.

    A multiplication and an addition are two operations; papers, and torchvision's own tables, often count them as one.
    """

    parameters: int
    mebibytes: float
    flops: int
    milliseconds: float


def footprint(model: nn.Module, example: Any, *, repeats: int = 5) -> Footprint:
    """The `Footprint` of a model for `example`, a batch (B, ...) or a dict of batches; the model's mode is restored.

    The model runs in eval mode without gradients. Milliseconds are the shortest of `repeats` runs over the batch, after
    a warm-up, divided by B: anything else that a machine does can only add to them. Operations are counted by torch, in
    matrix products and convolutions.
    """
    tensors = [*model.parameters(), *model.buffers()]
    with evaluating(model), torch.inference_mode():
        counter = FlopCounterMode(display=False)
        with counter:
            _run(model, example)
        seconds = [_timed(model, example) for _ in range(repeats + 1)][1:]
    count = len(next(iter(example.values())) if isinstance(example, dict) else example)
    return Footprint(
        sum(parameter.numel() for parameter in model.parameters()),
        sum(tensor.numel() * tensor.element_size() for tensor in tensors) / 2**20,
        counter.get_total_flops() // count,
        1000 * min(seconds) / count,
    )


def _run(model: nn.Module, example: Any) -> None:
    model(**example) if isinstance(example, dict) else model(example)


def _timed(model: nn.Module, example: Any) -> float:
    on_gpu = next(model.parameters()).is_cuda
    if on_gpu:
        torch.cuda.synchronize()
    start = time.perf_counter()
    _run(model, example)
    if on_gpu:
        torch.cuda.synchronize()
    return time.perf_counter() - start
