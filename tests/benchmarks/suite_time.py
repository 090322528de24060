"""Minutes that the README's test command takes after the installation: `python -m tests.benchmarks suite_time`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks import Figure


def measure(*arguments: str) -> Figure:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments], cwd=Path(__file__).resolve().parents[2])
    minutes = (time.perf_counter() - started) / 60
    return Figure(minutes, "minutes", "15", (f"pytest ended with {done.returncode}",))
