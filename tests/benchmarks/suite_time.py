"""Minutes that the README's test command takes after the installation."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks import Figure

ROOT = Path(__file__).resolve().parents[2]


def measure(*arguments: str, bar: str = "15") -> Figure:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments], cwd=ROOT)
    minutes = (time.perf_counter() - started) / 60
    return Figure(minutes, "minutes", bar, (f"pytest ended with {done.returncode}",), missed=done.returncode != 0)
