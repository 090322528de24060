"""Batches on their way from a loader to the device: prefetched, copied, and split if memory is short."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import torch

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")


class Batch(NamedTuple):
    """One batch of this process: the first `samples` of it count, any others are padding.

    `global_samples` is the number that counts in all processes together. `loader_labels` are the labels as the loader
    gave them, usually on the CPU, so that reading them doesn't wait for a GPU. `copied` is the CUDA event after which
    inputs and labels are on the device.
    """

    inputs: Any
    labels: Any
    samples: int
    global_samples: int
    loader_labels: Any
    copied: Any = None


class MicroBatch(NamedTuple):
    """The samples that go through the model at once, on the device: a whole batch, or a part of one.

    `weight` is its share of the loss of one step; the weights of a step sum to 1, averaged over processes. `is_last`
    marks the last micro-batch of a step.
    """

    inputs: Any
    labels: Any
    samples: int
    weight: float
    is_last: bool
    loader_labels: Any


def prefetch(items: Iterable[Item], prepare: Callable[[Item], Prepared]) -> Iterator[Prepared]:
    """`prepare(item)` for each item, in order; a thread prepares the next one while the current one is in use.

    Decoding and copying release Python's lock, so they overlap with the time spent waiting for the GPU.
    """
    iterator, end = iter(items), object()

    def prepare_next() -> Any:
        item = next(iterator, end)
        return item if item is end else prepare(item)  # type: ignore[arg-type]

    with ThreadPoolExecutor(1, "prefetch") as thread:
        upcoming = thread.submit(prepare_next)
        while (prepared := upcoming.result()) is not end:
            upcoming = thread.submit(prepare_next)
            yield prepared


def to_device(value: Any, device: torch.device, *, channels_last: bool = False) -> Any:
    """Every tensor in `value` (a tensor, or lists and dicts of them) on the device, pictures channels-last if wanted.

    Copies to a CUDA GPU go through pinned memory and are asynchronous.
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


def iter_tensors(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in a tensor, or in lists and dicts of them."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from iter_tensors(item)


def slice_samples(value: Any, start: int, stop: int) -> Any:
    """The samples from `start` up to `stop` of a batch: a tensor, a list, or a dict of columns."""
    if isinstance(value, dict):
        return {key: item[start:stop] for key, item in value.items()}
    return value[start:stop]


def count_samples(value: Any) -> int:
    """The length of a batch: of a tensor's first axis, of a dict's columns, of a list of samples."""
    return len(next(iter(value.values()))) if isinstance(value, dict) else len(value)


def count_labels(labels: Any, ignore_index: int) -> int | None:
    """How many labels count, if a sample has several (a class per pixel or per word); None if it has one."""
    if isinstance(labels, torch.Tensor) and labels.dtype == torch.int64 and labels.ndim > 1:
        return int(torch.count_nonzero(labels != ignore_index))
    return None


def count_batches(loader: Any) -> int | None:
    """How many batches a loader gives, or None if it does not know."""
    try:
        return len(loader)
    except TypeError:  # a DataLoader over an IterableDataset has the method, and raises
        return None
