"""`make_loader`: batches of a data set, read fast enough to keep a GPU busy, from a notebook."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from threadpoolctl import threadpool_limits
from torch.utils.data import DataLoader, Dataset

from course.errors import DataError

MAX_THREADS = 16  # more would only wait for Python's lock


def make_loader(
    dataset: Any,
    batch_size: int = 32,
    *,
    shuffle: bool = False,
    seed: int = 0,
    threads: int | None = None,
    workers: int = 0,
    **options: Any,
) -> DataLoader:
    """A DataLoader over `dataset`; `shuffle` draws a new order every epoch, from `seed`.

    `fit` reads the next batch while a GPU computes the current one; within a batch, `threads` threads of this process
    decode and resize pictures at the same time, which works in every notebook. The default is one thread per core if
    there is a GPU to keep busy and the transform is not random (threads would draw in another order every time), and
    none otherwise. `workers` are processes instead: faster (four times on 16 cores) and repeatable, but they hang in
    some notebooks and sandboxes. Other options are DataLoader's.
    Raises DataError if both threads and workers are requested.
    """
    if threads and workers:
        raise DataError(f"threads={threads} and workers={workers}: choose one of the two ways to read in parallel")
    if threads is None:
        threads = _threads_for(dataset) if workers == 0 else 0
    return DataLoader(
        ThreadedDataset(dataset, threads) if threads > 1 else dataset,
        batch_size=batch_size,
        shuffle=shuffle,
        generator=torch.Generator().manual_seed(seed) if shuffle else None,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
        **options,
    )


def is_random(transform: Any) -> bool:
    """True if the transform seems to change pictures at random, judging by its repr."""
    return bool(re.search("Random|Jitter|AugMix|AutoAugment", repr(transform)))


def _threads_for(dataset: Any) -> int:
    while dataset is not None:  # a Subset wraps the data set that has the transform
        if is_random(getattr(dataset, "transform", None)):
            return 0
        dataset = getattr(dataset, "dataset", None)
    return min(os.cpu_count() or 1, MAX_THREADS) if torch.cuda.is_available() else 0


def _use_one_thread() -> None:
    """Keep torch from starting a pool of threads of its own in each reading thread."""
    torch.get_num_threads()  # sets this thread's number to the default, which would otherwise happen later
    threadpool_limits(1, user_api="openmp")


class ThreadedDataset(Dataset):
    """A data set whose samples are read by several threads at once, batch by batch; attributes are the original's."""

    def __init__(self, dataset: Any, threads: int) -> None:
        self.dataset = dataset
        self._threads = ThreadPoolExecutor(threads, "reading", initializer=_use_one_thread)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    def __getitems__(self, indices: list[int]) -> list[Any]:  # called by a DataLoader, once per batch
        return list(self._threads.map(self.dataset.__getitem__, indices))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["dataset"], name)
