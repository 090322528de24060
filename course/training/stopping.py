"""What Ctrl-C or "Interrupt Kernel" leaves of a long computation: one line, and not the frames it was in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from course.errors import Stopped, TrainingStopped
from course.training.history import History


@contextmanager
def stoppable(message: str | Callable[[], str]) -> Iterator[None]:
    """Raises Stopped with this message in place of a KeyboardInterrupt from inside. A decorator as well."""
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(message if isinstance(message, str) else message()) from None


@contextmanager
def stoppable_training(
    model: nn.Module, history: History, epochs: int, checkpoint: str | Path | None
) -> Iterator[None]:
    """Raises TrainingStopped in place of a KeyboardInterrupt from inside; the model is left in eval mode."""
    try:
        yield
    except KeyboardInterrupt:
        model.eval()
        done = f"after epoch {len(history)} of {epochs}" if len(history) else f"in epoch 1 of {epochs}"
        if checkpoint is None:
            what = "the model keeps the weights it has now, and calling fit with it again trains it further"
        else:
            what = f"run the cell again to continue after the last epoch kept in {checkpoint}"
        raise TrainingStopped(f"training stopped {done}; {what}", history) from None
