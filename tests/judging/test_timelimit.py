"""No loop outlives its time limit, in the main thread or in another."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from course.errors import MachineBusy, TimeLimitReached
from course.judging import timelimit
from course.judging.timelimit import time_limit

needs_schedstat = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this system does not say how long a process has waited"
)


def endless():
    while True:
        pass


def swallows_everything():
    while True:
        try:  # noqa: SIM105
            time.sleep(0.005)
        except BaseException:
            pass


def swallows_in_two_loops():
    while True:
        try:
            while True:
                try:
                    sum(range(100))
                except BaseException:
                    continue
        except BaseException:
            time.sleep(0.001)


def goes_on_in_finally():
    while True:
        try:
            time.sleep(0.005)
        finally:
            continue  # noqa: B012


LOOPS = [endless, swallows_everything, swallows_in_two_loops, goes_on_in_finally]


def limited(function, seconds=0.1):
    """The exception that ended the function, or None."""
    try:
        with time_limit(seconds):
            function()
    except TimeLimitReached as error:
        return error
    return None


@pytest.mark.parametrize("loop", [*LOOPS, lambda: time.sleep(60)])
def test_the_main_thread_gets_out_of_any_loop(loop):
    assert isinstance(limited(loop), TimeLimitReached)


@needs_schedstat
def test_sleeping_is_not_taken_for_an_endless_loop():
    assert "endless loop" in str(limited(endless))
    assert str(limited(lambda: time.sleep(60))) == "does it sleep, or wait for something?"


def computes(seconds):
    """Work of so many seconds, on a processor that gives it little time at once."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


BUSY = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"


@pytest.fixture
def busy_machine():
    """Sixteen programs for each processor that do nothing but take time."""
    crowd = [subprocess.Popen([sys.executable, "-S", "-c", BUSY]) for _ in range(16 * len(os.sched_getaffinity(0)))]
    yield
    for one in crowd:
        one.kill()
        one.wait()


@needs_schedstat
@pytest.mark.slow
def test_on_a_busy_machine_only_computing_counts_and_the_clock_never_makes_an_endless_loop(busy_machine):
    started = time.monotonic()
    with time_limit(0.4, patience=1000):
        computes(0.2)
    if time.monotonic() - started < 0.4:
        pytest.skip("this machine is too large to be kept busy")
    with pytest.raises(MachineBusy, match="too busy"), time_limit(1.0, patience=0.2):
        computes(0.9)


def test_the_clock_alone_makes_a_machine_busy_and_no_loop_endless(monkeypatch):
    watch = timelimit._Stopwatch(10.0, 100.0, whole_process=True)
    begun = time.monotonic()
    monkeypatch.setattr(timelimit.time, "monotonic", lambda: begun + 99)
    monkeypatch.setattr(watch, "_queued_s", lambda: 95.0)
    watch._started = begun, watch._computed_s(), 0.0
    assert not watch.is_over()
    monkeypatch.setattr(timelimit.time, "monotonic", lambda: begun + 101)
    assert watch.is_over() and isinstance(watch.reason, MachineBusy)


@pytest.mark.parametrize("queued", [math.inf, 0.0])
def test_where_the_system_does_not_count_waiting_only_the_clock_tells(monkeypatch, queued):
    watch = timelimit._Stopwatch(10.0, 100.0, whole_process=True)
    begun = time.monotonic()
    monkeypatch.setattr(watch, "_queued_s", lambda: queued)
    watch._started = begun, watch._computed_s(), queued
    monkeypatch.setattr(timelimit.time, "monotonic", lambda: begun + 50)
    assert watch.is_over() == (queued == 0.0)


@pytest.mark.parametrize("loop", LOOPS)
def test_another_thread_gets_out_of_any_loop(loop):
    ended = []
    thread = threading.Thread(target=lambda: ended.append(limited(loop)), daemon=True)
    thread.start()
    thread.join(30)
    assert isinstance(ended[0], TimeLimitReached)


def test_code_that_returns_in_time_is_left_alone():
    before = signal.getsignal(signal.SIGALRM), sys.gettrace()
    assert limited(lambda: time.sleep(0.01), 0.05) is None
    time.sleep(0.1)  # an alarm left running would ring here
    assert (signal.getsignal(signal.SIGALRM), sys.gettrace()) == before


def test_nothing_is_left_behind_after_a_loop_that_swallowed():
    before = signal.getsignal(signal.SIGALRM), sys.gettrace()
    limited(swallows_everything)
    assert (signal.getsignal(signal.SIGALRM), sys.gettrace()) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert limited(lambda: time.sleep(0.01), 5) is None


def test_cleaning_up_gets_its_time():
    cleaned = []

    def loop():
        try:
            endless()
        finally:
            cleaned.extend(range(1000))

    assert limited(loop)
    assert len(cleaned) == 1000


def test_a_limit_within_another_stops_its_own_block_alone():
    with time_limit(60):
        assert limited(endless)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_alarm_of_somebody_else_still_rings():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        limited(lambda: time.sleep(0.01), 5)
        time.sleep(0.4)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rung


def test_an_exception_of_the_block_passes_through():
    with pytest.raises(ZeroDivisionError), time_limit(5):
        1 / 0  # noqa: B018
