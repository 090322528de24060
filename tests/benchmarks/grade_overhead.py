"""Milliseconds from an exercise's start to its result, where the exercise does nothing: what the sandbox costs.

The child is asked for over the same socket as any other; it is confined, runs its definitions, one probe that returns
a number at once, and its reply is read and checked. The largest part is the fork of a process with torch loaded.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from course.grading.sandbox import runner
from course.grading.sandbox.runner import Sandbox, SandboxedRunner
from course.judging import wire
from course.judging.definitions import Statement
from course.judging.exercise import Exercise
from tests.benchmarks import Figure

PACKAGE = "nb99_nothing"
PROBE = '''"""An exercise that does nothing."""
from course.judging.exercise import Exercise
exercise = Exercise("99-nothing", answer="nothing", call="nothing()", title="Nothing")

@exercise.probe
def probe(answer, case):
    return {"value": answer()}
'''
ANSWER = "def nothing():\n    return 1"


def measure(count: str = "100") -> Figure:
    exercise = Exercise("99-nothing", answer="nothing", call="nothing()", title="Nothing")
    with _one_probe_more(), Sandbox() as box:
        runner = SandboxedRunner(box, [Statement(ANSWER, 0)])
        milliseconds = [_once(runner, exercise) for _ in range(int(count) + 5)][5:]
    low, middle, high = statistics.quantiles(milliseconds, n=4)
    note = f"{count} times: {middle:.1f} ms ({low:.1f} to {high:.1f}), at most {max(milliseconds):.1f}"
    return Figure(middle, "ms", "40", (note,))


def _once(runner: SandboxedRunner, exercise: Exercise) -> float:
    started = time.perf_counter()
    (reply,) = runner.run(exercise, [wire.encode({})])
    seconds = time.perf_counter() - started
    assert reply.failure is None and reply.artefacts is not None, reply.failure
    assert wire.decode(reply.artefacts) == {"value": 1}
    return seconds * 1000


@contextlib.contextmanager
def _one_probe_more() -> Iterator[None]:
    """The exercise that does nothing, among those that the sandbox sees."""
    original = runner.write_probes

    def write(folder: Path) -> None:
        original(folder)
        (folder / PACKAGE).mkdir()
        (folder / PACKAGE / "__init__.py").write_text(f"from course.exercises.{PACKAGE}.nothing import exercise\n")
        (folder / PACKAGE / "nothing.py").write_text(PROBE)

    runner.write_probes = write
    try:
        yield
    finally:
        runner.write_probes = original
