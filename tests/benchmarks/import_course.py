"""Seconds that `import course` takes in a fresh interpreter, by `python -X importtime`; torch must not be loaded."""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks import Figure


def measure(repetitions: str = "5") -> Figure:
    runs = [_import_once() for _ in range(int(repetitions))]
    seconds, loaded = min(seconds for seconds, _ in runs), any(torch for _, torch in runs)
    return Figure(seconds, "s", "0.2", (f"torch loaded: {'yes' if loaded else 'no'} (bar no)",))


def _import_once() -> tuple[float, bool]:
    code = "import course, sys; print('torch' in sys.modules)"
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = next(line for line in done.stderr.splitlines() if line.split("|")[-1].strip() == "course")
    return int(line.split("|")[1]) / 1e6, done.stdout.strip() == "True"
