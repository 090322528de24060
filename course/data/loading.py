"""`loader`: batches of a data set, read fast enough to keep a GPU busy, from a notebook."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from threadpoolctl import threadpool_limits
from torch.utils.data import DataLoader, Dataset

from course.errors import DataError

MOST_THREADS = 16  # more of them wait for Python's lock


def loader(
    dataset: Any,
    batch_size: int = 32,
    *,
    shuffle: bool = False,
    seed: int = 0,
    threads: int | None = None,
    workers: int = 0,
    **options: Any,
) -> DataLoader:
    """A DataLoader over `dataset`; `shuffle` draws a new order every epoch, by `seed`.

    `fit` reads the next batch while a GPU computes this one; within a batch, `threads` of them decode and resize
    pictures at once, in this process, which works in every notebook. By default that is one a core where there is a
    GPU to keep busy and the transform draws nothing at random (threads would draw in another order every time), and
    none otherwise. `workers` are processes instead, which is faster (on 16 cores four times) and repeatable, but hangs
    in some notebooks and sandboxes. Other options are DataLoader's.
    Raises DataError if both threads and workers are asked for.
    """
    if threads and workers:
        raise DataError(f"threads={threads} and workers={workers}: choose one of the two ways to read in parallel")
    if threads is None:
        threads = _threads_for(dataset) if workers == 0 else 0
    return DataLoader(
        InThreads(dataset, threads) if threads > 1 else dataset,
        batch_size=batch_size,
        shuffle=shuffle,
        generator=torch.Generator().manual_seed(seed) if shuffle else None,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
        **options,
    )


def draws_at_random(transform: Any) -> bool:
    """True if the transform seems to change pictures at random, as far as its text tells."""
    return bool(re.search("Random|Jitter|AugMix|AutoAugment", repr(transform)))


def _threads_for(dataset: Any) -> int:
    while dataset is not None:  # a Subset holds the data set that holds the transform
        if draws_at_random(getattr(dataset, "transform", None)):
            return 0
        dataset = getattr(dataset, "dataset", None)
    return min(os.cpu_count() or 1, MOST_THREADS) if torch.cuda.is_available() else 0


def _alone_on_a_core() -> None:
    """Keep torch from starting a team of threads of its own for each thread that reads."""
    torch.get_num_threads()  # sets this thread's number to the default, which else happens later
    threadpool_limits(1, user_api="openmp")


class InThreads(Dataset):
    """The same data set, whose samples of one batch are read by several threads at once; attributes are its own."""

    def __init__(self, dataset: Any, threads: int) -> None:
        self.dataset = dataset
        self._threads = ThreadPoolExecutor(threads, "reading", initializer=_alone_on_a_core)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    def __getitems__(self, indices: list[int]) -> list[Any]:  # what a DataLoader asks for, once a batch
        return list(self._threads.map(self.dataset.__getitem__, indices))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["dataset"], name)
