"""A time limit on code that may not want to stop. What counts is computing time: a busy machine costs nobody marks."""

from __future__ import annotations

import contextlib
import ctypes
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from course.errors import MachineBusy, TimeLimitReached

PATIENCE = 10.0  # how many times its limit (at least a second) code may take by the clock, on a machine that is busy
_AGAIN_S = 0.1
_OURS = (__file__, contextlib.__file__)  # the frames that set the limit up and take it down


@contextlib.contextmanager
def time_limit(seconds: float, *, patience: float = PATIENCE) -> Iterator[None]:
    """Raise TimeLimitReached when the block computes or sleeps for longer, even in a loop that catches everything.

    Time that the machine gives to other programs does not count; MachineBusy is raised when `patience` times the limit,
    or as many seconds if that is longer, have passed by the clock. In the main thread a timer signal looks at the
    time, and interrupts sleeping too; elsewhere, and on Windows, a second thread does, between two instructions of
    Python. A long call into C (and there, a sleep) is waited for.
    """
    stop = _stop_class(owner=sys._getframe(2))
    in_main = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    alarm = _signal_alarm if in_main else _thread_alarm
    watch = _Stopwatch(seconds, patience * max(seconds, 1.0), whole_process=in_main)
    tracing = sys.gettrace()
    try:
        with alarm(watch, stop):
            yield
    except stop:
        raise watch.reason or TimeLimitReached("is there an endless loop?") from None
    finally:
        stop.owner = None
        if sys.gettrace() is not tracing:
            sys.settrace(tracing)


class _Stopwatch:
    """The time that a block has taken, of three kinds: by the clock, computing, and waiting for a processor."""

    def __init__(self, limit_s: float, clock_limit_s: float, *, whole_process: bool) -> None:
        self._limit_s, self._clock_limit_s = limit_s, clock_limit_s
        self._whole_process, self._thread = whole_process, threading.get_ident()
        self._schedule = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        self._started = time.monotonic(), self._computed_s(), self._queued_s()
        self.reason: Exception | None = None  # why the block is ended

    @property
    def every_s(self) -> float:
        """How often to look."""
        return min(max(self._limit_s / 10, 0.005), 0.5)

    def is_over(self) -> bool:
        """Whether the block is to be ended; once it is, it stays so."""
        self.reason = self.reason or self._why()
        return self.reason is not None

    def _why(self) -> Exception | None:
        clock_s = time.monotonic() - self._started[0]
        computed_s = self._computed_s() - self._started[1]
        queued_s = self._queued_s() - self._started[2]
        if computed_s >= self._limit_s:
            return TimeLimitReached("is there an endless loop?")
        if clock_s - computed_s - queued_s >= self._limit_s:  # not so where the system doesn't say how long it queued
            return TimeLimitReached("does it sleep, or wait for something?")
        if clock_s >= self._clock_limit_s:
            return MachineBusy(
                f"this machine is too busy: in {clock_s:.0f} s it gave {computed_s:.1f} s to your code; "
                "check again when it has less to do"
            )
        return None

    def _computed_s(self) -> float:
        if not self._whole_process and hasattr(time, "pthread_getcpuclockid"):
            return time.clock_gettime(time.pthread_getcpuclockid(self._thread))
        return time.process_time()

    def _queued_s(self) -> float:
        """How long this thread has waited for a processor; infinite where the system does not say."""
        try:
            return int(self._schedule.read_text().split()[1]) / 1e9
        except (OSError, ValueError, IndexError):
            return math.inf


class _Stop(BaseException):
    """Raised in the block that took too long. Code that catches it and carries on meets another in its next line.

    How a loop is ended that catches everything, such as `while True: try: ... except BaseException: pass`:

    1. The alarm raises a first one and does no more, so that `finally` blocks get their time.
    2. The loop swallowed it, and the alarm rings again. Just to raise again would never do: most of the time the loop
       is inside its `try`. So from the second one on, making one also installs a trace function.
    3. The handler catches it. The next line that runs is in the handler or after it, and so outside that `try`; there
       the trace function raises another one, which leaves the loop.
    4. Unless a second `try` around the loop catches that as well. Then the trace function is needed once more, but
       CPython removes one that has raised, and installing it before it raises changes nothing. The first moment after
       the catching at which any code of ours runs is when the handler is left: it drops the exception, nobody else
       holds it, and `__del__` is called. That is why a destructor, of all things, installs a trace function.

    An answer that stores the exceptions it catches takes that moment away: then each ring of the alarm gets out of one
    `try`, and two of them are left when two rings meet in the right place, which takes seconds. A sandbox does not
    depend on any of this; it ends the process from outside.
    """

    owner: FrameType | None = None  # the frame that holds the block; None once the block is left
    raised = 0

    def __init__(self) -> None:
        type(self).raised += 1
        self.thread = threading.get_ident()
        self._trace()

    def __del__(self) -> None:
        self._trace()

    def _trace(self) -> None:
        if self.raised < 2 or self.owner is None or self.thread != threading.get_ident():
            return
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame is not self.owner:
            frame.f_trace = self._raise_again
            frame = frame.f_back
        sys.settrace(self._raise_again)

    @classmethod
    def _raise_again(cls, frame: FrameType, event: str, argument: Any) -> Callable | None:
        if frame.f_code.co_filename in _OURS:
            return None
        if event == "line":
            raise cls
        return cls._raise_again


def _stop_class(owner: FrameType) -> type[_Stop]:
    """A class of its own for each block, so that one within another is not taken for it."""
    return type("Stop", (_Stop,), {"owner": owner})


@contextlib.contextmanager
def _signal_alarm(watch: _Stopwatch, stop: type[_Stop]) -> Iterator[None]:
    def ring(signum: int, frame: FrameType | None) -> None:
        # Raised in the frames that take the limit down, it would leave the timer running.
        if frame is not None and frame.f_code.co_filename not in _OURS and watch.is_over():
            raise stop

    started = time.monotonic()
    before = signal.signal(signal.SIGALRM, ring)
    other_s, other_interval_s = signal.setitimer(signal.ITIMER_REAL, watch.every_s, min(watch.every_s, _AGAIN_S))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)
        if other_s:  # somebody else's alarm, such as a test runner's, is set again
            left_s = max(other_s - (time.monotonic() - started), 0.001)
            signal.setitimer(signal.ITIMER_REAL, left_s, other_interval_s)


@contextlib.contextmanager
def _thread_alarm(watch: _Stopwatch, stop: type[_Stop]) -> Iterator[None]:
    over = threading.Event()
    lock = threading.Lock()
    thread_id = ctypes.c_ulong(threading.get_ident())

    def look() -> None:
        while not over.wait(watch.every_s if watch.reason is None else _AGAIN_S):
            with lock:
                if not over.is_set() and watch.is_over():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread_id, ctypes.py_object(stop))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread_id, None)  # one that was sent and not yet raised
        watcher.join()
