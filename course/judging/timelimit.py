"""A time limit on code that may not want to stop."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Iterator

from course.errors import TimeLimitReached

_AGAIN_S = 0.002


class _Stop(BaseException):
    """Raised inside the code that took too long; no `except Exception` swallows it."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitReached when the block takes longer, even in a loop that catches everything.

    The exception is raised again and again until one lands outside the loop's own `try`. In the main thread a timer
    signal does it, and interrupts sleeping too; elsewhere, and on Windows, a second thread does, between two
    instructions of Python. A single long call into C is waited for.
    """
    use_signal = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    alarm = _signal_alarm if use_signal else _thread_alarm
    try:
        with alarm(seconds):
            yield
    except _Stop:
        raise TimeLimitReached("is there an endless loop, or an input() that waits?") from None


@contextlib.contextmanager
def _signal_alarm(seconds: float) -> Iterator[None]:
    armed = True

    def stop(signum: int, frame: object) -> None:
        if armed:
            raise _Stop

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _thread_alarm(seconds: float) -> Iterator[None]:
    over = threading.Event()
    thread_id = ctypes.c_ulong(threading.get_ident())

    def watch() -> None:
        wait = seconds
        while not over.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread_id, ctypes.py_object(_Stop))
            wait = _AGAIN_S

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread_id, None)  # one that was sent and not yet raised
