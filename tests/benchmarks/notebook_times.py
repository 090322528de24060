"""Seconds that each notebook takes in the quick profile with a cold cache, run alone.

`python -m tests.benchmarks notebook_times [NAME ...]`; the figure is that of the slowest.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from course import authoring
from tests.benchmarks import Figure

ROOT = Path(__file__).resolve().parents[2]


def measure(*names: str) -> Figure:
    paths = sorted(path for folder in ("notebooks", "solutions") for path in (ROOT / folder).glob("*.ipynb"))
    chosen = [path for path in paths if not names or path.stem in names]
    seconds = {}
    for path in chosen:
        with tempfile.TemporaryDirectory() as home:
            variables = authoring.environment(Path(home), strict=path.parent.name == "solutions")
            started = time.perf_counter()
            authoring.run(authoring.read(path), path.parent, label=path.name, variables=variables)
            seconds[path] = time.perf_counter() - started
        print(f"{path.parent.name}/{path.stem}: {seconds[path]:.0f} s")
    mean = f"mean {sum(seconds.values()) / len(seconds):.0f} s on {os.cpu_count()} cores (bar 40)"
    return Figure(max(seconds.values()), "s", "90", (mean,))
