"""Where the work is done: processes of this machine, or the workers of a Dask cluster. Both give futures."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from course.errors import GradingError
from course.extras import needed_for


class Pool(Protocol):
    """Takes work."""

    @property
    def width(self) -> int:
        """How much of it runs at once."""
        ...

    def submit(self, function: Callable, *arguments: Any) -> Future: ...

    def recover(self, error: BaseException) -> bool:
        """True when the error was the pool's own, and work submitted again will run."""
        ...

    def close(self) -> None: ...


class LocalPool:
    """Processes of this machine. One that dies, killed for memory say, is replaced."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._executor = self._start()

    @property
    def width(self) -> int:
        return self._jobs

    def _start(self) -> ProcessPoolExecutor:
        # Each new Python would look for modules in the current folder first, where a class's files may lie.
        os.environ["PYTHONSAFEPATH"] = "1"
        # A fork of this process would share its threads' locks, and its connection to the gradebook. The fork server
        # has torch loaded, once for all workers.
        forks = "forkserver" in multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if forks else "spawn")
        context.set_forkserver_preload(["course.grading.run.worker"])
        return ProcessPoolExecutor(self._jobs, mp_context=context, initializer=_end_with_parent)

    def submit(self, function: Callable, *arguments: Any) -> Future:
        try:
            return self._executor.submit(function, *arguments)
        except BrokenProcessPool:
            self.recover(BrokenProcessPool())
            return self._executor.submit(function, *arguments)

    def recover(self, error: BaseException) -> bool:
        if not isinstance(error, BrokenProcessPool):
            return False
        if getattr(self._executor, "_broken", True):
            self._executor.shutdown(wait=False)
            self._executor = self._start()
        return True

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """A worker whose parent was killed ends too, and its sandbox with it."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class DaskPool:
    """The workers of a Dask cluster. What a lost worker had is done again by another; the scheduler sees to it."""

    def __init__(self, address: str) -> None:
        with needed_for("a scheduler"):
            from distributed import Client
        try:
            self._client = Client(address, timeout=10)
        except (OSError, ValueError) as error:
            raise GradingError(
                f"no Dask scheduler answers at {address} ({error}); start one: dask scheduler"
            ) from error
        self._executor = self._client.get_executor(pure=False, retries=2)

    @property
    def width(self) -> int:
        """The threads of all workers; they may come and go."""
        return max(1, sum(self._client.nthreads().values()))

    def submit(self, function: Callable, *arguments: Any) -> Future:
        return self._executor.submit(function, *arguments)

    def recover(self, error: BaseException) -> bool:
        from distributed import KilledWorker

        return isinstance(error, KilledWorker)

    def close(self) -> None:
        self._executor.shutdown(wait=False)
        self._client.close()
