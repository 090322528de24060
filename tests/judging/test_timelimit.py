"""No loop outlives its time limit, in the main thread or in another."""

import signal
import sys
import threading
import time

import pytest

from course.errors import TimeLimitReached
from course.judging.timelimit import time_limit


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
    assert "endless loop" in str(limited(loop))


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
