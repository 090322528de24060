"""The most memory that all processes of `course grade` hold at once, in MiB, with two workers.

The sum of their proportional shares (PSS), so that what a fork has in common is counted once, ten times a second. What
answers use is left out by taking ones that use next to nothing: those of chapter 02, on small networks.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from tests.benchmarks import Figure
from tests.benchmarks._submissions import descendants, grade_process, write_class

MIB = 1024  # of what the kernel calls kB


def measure(submissions: str = "40", jobs: str = "2") -> Figure:
    most: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_class(root / "class", int(submissions))
        process = grade_process(root / "class", root / "out", "--jobs", jobs)
        samples = 0
        while process.poll() is None:
            held = _held_mib(process.pid)
            samples += 1
            if sum(held.values()) > sum(most.values()):
                most = held
            time.sleep(0.1)
    if process.returncode:
        raise RuntimeError(f"course grade ended with {process.returncode}")
    parts = ", ".join(f"{part} {mib:.0f}" for part, mib in sorted(most.items(), key=lambda pair: -pair[1]))
    return Figure(sum(most.values()), "MiB", "2048", (f"{samples} samples; at the peak: {parts}",))


def _held_mib(first: int) -> dict[str, float]:
    """MiB of the process and all below it, by what they are."""
    held: dict[str, float] = defaultdict(float)
    for pid in (first, *descendants(first)):
        with contextlib.suppress(OSError):  # it ended meanwhile
            line = (Path("/proc") / str(pid) / "cmdline").read_text("utf-8", "replace")
            text = (Path("/proc") / str(pid) / "smaps_rollup").read_text()
            kib = next(int(row.split()[1]) for row in text.splitlines() if row.startswith("Pss:"))
            held[_part(line)] += kib / MIB
    return held


def _part(command: str) -> str:
    for words, part in (
        ("course.grading.sandbox.zygote", "behind the sandbox"),
        ("multiprocessing", "workers"),
        ("course.cli.app", "course grade"),
    ):
        if words in command:
            return part
    return "others"
