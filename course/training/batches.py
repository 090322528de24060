"""Batches on their way from a loader to the device: read ahead, copied, and cut into pieces where memory is short."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import torch

Item = TypeVar("Item")
Ready = TypeVar("Ready")


class Batch(NamedTuple):
    """One batch of this process. `samples` of it count, the rest is padding; `everywhere` counts in all processes."""

    inputs: Any
    labels: Any
    samples: int
    everywhere: int
    given: Any  # the labels as the loader gave them, to look at without waiting for a GPU
    copied: Any = None  # the CUDA event after which inputs and labels are on the device


class Chunk(NamedTuple):
    """What goes through the model at once, on the device. The weights of the chunks of one step sum to 1, in the mean
    over processes."""

    inputs: Any
    labels: Any
    samples: int
    weight: float
    last: bool
    given: Any


def ahead(items: Iterable[Item], prepare: Callable[[Item], Ready]) -> Iterator[Ready]:
    """What `prepare` makes of each item, in order; a thread reads and prepares the next while this one is in use.

    Reading a picture and copying it leave Python's lock to others, so they go on while the GPU is waited for.
    """
    iterator, end = iter(items), object()

    def following() -> Any:
        item = next(iterator, end)
        return item if item is end else prepare(item)  # type: ignore[arg-type]

    with ThreadPoolExecutor(1, "ahead") as thread:
        waiting = thread.submit(following)
        while (ready := waiting.result()) is not end:
            waiting = thread.submit(following)
            yield ready


def to_device(value: Any, device: torch.device, *, channels_last: bool = False) -> Any:
    """Every tensor in `value` (a tensor, or lists and dicts of them) on the device, pictures channels-last if wanted.

    To a CUDA GPU they go from pinned memory, and the copy is not waited for.
    """
    if isinstance(value, torch.Tensor):
        is_picture = channels_last and value.ndim == 4
        if value.device == device and not is_picture:
            return value
        is_async = device.type == "cuda" and value.is_cpu
        layout = torch.channels_last if is_picture else torch.preserve_format
        return (value.pin_memory() if is_async else value).to(device, non_blocking=is_async, memory_format=layout)
    if isinstance(value, dict):
        return {key: to_device(item, device, channels_last=channels_last) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_device(item, device, channels_last=channels_last) for item in value]
    return value


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in a tensor, or in lists and dicts of them."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from tensors(item)


def part(value: Any, start: int, stop: int) -> Any:
    """These samples of a batch."""
    if isinstance(value, dict):
        return {key: item[start:stop] for key, item in value.items()}
    return value[start:stop]


def count_samples(value: Any) -> int:
    """The length of a batch: of a tensor's first axis, of a dict's columns, of a list of samples."""
    return len(next(iter(value.values()))) if isinstance(value, dict) else len(value)


def count_parts(labels: Any, ignored: int) -> int | None:
    """How many labels count where a sample has several (a class for each pixel or word); None where it has one."""
    if isinstance(labels, torch.Tensor) and labels.dtype == torch.int64 and labels.ndim > 1:
        return int(torch.count_nonzero(labels != ignored))
    return None


def length(loader: Any) -> int | None:
    """How many batches a loader gives, or None if it does not know."""
    try:
        return len(loader)
    except TypeError:  # a DataLoader over an IterableDataset has the method, and raises
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """True if this is what torch raises when a device's memory, or the computer's own, runs out."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in text for words in ("can't allocate memory", "out of memory", "status_alloc_failed")
    )
