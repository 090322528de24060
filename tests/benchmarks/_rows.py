"""Experiments of a row a setting and seed: kept under COURSE_HOME as each is done, and stored as a notebook's table.

One that was interrupted goes on where it stopped; several processes can share the work, each with seeds of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from course.runtime import home
from course.training.experiments import Comparison, write_table

Row = dict[str, Any]


def compare_kept(
    name: str, run: Callable[[str, int], Row], settings: Iterable[str], seeds: tuple[int, ...], asked: Iterable[str]
) -> tuple[Comparison, list[str]]:
    """What was measured for the seeds that are complete, and lines to print; the table is written once all are.

    `run` gives a row, with its setting and seed in it; `asked` are the seeds to measure now, all of them if there are
    none.
    """
    kept, settings = home() / "benchmarks" / f"{name}.jsonl", list(settings)
    kept.parent.mkdir(parents=True, exist_ok=True)
    for seed in [int(seed) for seed in asked] or seeds:
        for setting in settings:
            if (setting, seed) not in _read(kept):
                line = json.dumps(run(setting, seed))
                print(line, flush=True)
                with kept.open("a") as file:
                    file.write(line + "\n")
    found = _read(kept)
    complete = [seed for seed in seeds if all((setting, seed) in found for setting in settings)]
    comparison = Comparison([found[setting, seed] for setting in settings for seed in complete])
    notes = [f"seeds {complete}", comparison.table()]
    if tuple(complete) == seeds:
        command = f"python -m tests.benchmarks {name}"
        notes.append(f"written to {write_table(name, comparison.rows, command=command)}")
    return comparison, notes


def _read(path: Path) -> dict[tuple[str, int], Row]:
    lines = path.read_text().splitlines() if path.is_file() else []
    return {(row["setting"], row["seed"]): row for row in map(json.loads, lines)}
