"""Learning rates that change with every step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from course.errors import TrainingError


def cosine(steps: int, *, warmup: int = 0) -> Callable[[int], float]:
    """The factor on the learning rate at each step: a line up for `warmup` steps, then half a cosine down to 0.

    After Loshchilov and Hutter, "SGDR" (2017), equation 5, without restarts.
    """

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))

    return factor


def make_schedule(schedule: Any, optimizer: Optimizer, steps: int | None) -> Any:
    """What to step after every step, from the `schedule` of `fit`; `steps` is the length of the run if known."""
    if schedule is None or hasattr(schedule, "step"):
        return schedule
    if callable(schedule):
        # As a function of ours: of another callable, a checkpoint would hold whatever is in it.
        return LambdaLR(optimizer, lambda step: schedule(step))
    if schedule != "cosine":
        raise TrainingError(
            f'schedule={schedule!r} is none; pass "cosine", a function step -> factor, or a torch scheduler'
        )
    if steps is None:
        raise TrainingError('schedule="cosine" needs a loader with a length; pass schedule=cosine(steps) for this one')
    return LambdaLR(optimizer, cosine(steps, warmup=steps // 10))


def step_schedule(schedule: Any, scaler: torch.amp.GradScaler) -> None:
    """Move the rates on after a step of the optimizer, which the scaler may have left out."""
    if not scaler.is_enabled():
        schedule.step()
        return
    with warnings.catch_warnings():  # torch takes a first step that was left out for a wrong order of calls
        warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before", UserWarning)
        schedule.step()
