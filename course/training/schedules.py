"""Learning rates that change with every step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

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


class Schedule:
    """Every group's learning rate: its own start times factor(step)."""

    def __init__(self, optimizer: torch.optim.Optimizer, factor: Callable[[int], float]) -> None:
        self._optimizer, self._factor, self._step = optimizer, factor, -1
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.step()

    def step(self) -> None:
        self._step += 1
        factor = self._factor(self._step)
        for group in self._optimizer.param_groups:  # asked for anew: load_state_dict replaces the groups
            group["lr"] = group["initial_lr"] * factor

    def state_dict(self) -> dict[str, int]:
        return {"step": self._step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._step = state["step"]


def make_schedule(schedule: Any, optimizer: torch.optim.Optimizer, steps: int | None) -> Any:
    """What to step after every step, from the `schedule` of `fit`; `steps` is the length of the run if known."""
    if schedule is None or hasattr(schedule, "step"):
        return schedule
    if callable(schedule):
        return Schedule(optimizer, schedule)
    if schedule != "cosine":
        raise TrainingError(
            f'schedule={schedule!r} is none; pass "cosine", a function step -> factor, or a torch scheduler'
        )
    if steps is None:
        raise TrainingError('schedule="cosine" needs a loader with a length; pass schedule=cosine(steps) for this one')
    return Schedule(optimizer, cosine(steps, warmup=steps // 10))
