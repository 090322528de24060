"""Processor seconds of the tests of one exercise: what an author waits for after each change."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from tests.benchmarks import Figure

ROOT = Path(__file__).resolve().parents[2]


def measure(exercise: str = "07-measure-overlap", repetitions: str = "3") -> Figure:
    runs = [_once(exercise) for _ in range(int(repetitions))]
    seconds = min(seconds for seconds, _ in runs)
    notes = (f"{run} ({spent:.1f} s)" for spent, run in runs)
    return Figure(seconds, "processor seconds", "6", tuple(notes))


def _once(exercise: str) -> tuple[float, str]:
    """Processor seconds of one run, its children's too, and pytest's last line."""
    before = _spent()
    command = [sys.executable, "-m", "pytest", "-q", "tests", "-k", exercise]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return _spent() - before, done.stdout.strip().splitlines()[-1]


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
