"""Each chapter's lesson and the paired interval over ten seeds that shows it; counts those that are not shown.

`python -m tests.benchmarks lessons [NN [SEED ...]]`. Every run is kept under COURSE_HOME as soon as it is done.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path

from course.runtime import home
from course.training.intervals import Interval
from tests.benchmarks import Figure, lesson_runs
from tests.benchmarks.lesson_runs import Lesson

SEEDS = tuple(range(10))


def measure(number: str = "", *seeds: str) -> Figure:
    kept = home() / "benchmarks" / "lessons.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    lines, not_shown = [], 0
    for lesson in _lessons(number):
        for seed in [int(seed) for seed in seeds] or SEEDS:
            if (lesson.name, seed) not in _read(kept):
                with kept.open("a") as file:
                    file.write(json.dumps({"name": lesson.name, "seed": seed, "value": lesson.run(seed)}) + "\n")
        values = [value for (name, _), value in sorted(_read(kept).items()) if name == lesson.name]
        interval = Interval.of(values)
        not_shown += not interval.low > 0
        lines.append(
            f"{lesson.name}: {lesson.sentence} {interval.mean:+.3f}, 95 % interval {interval.low:+.3f} to "
            f"{interval.high:+.3f} over {interval.n} seeds"
        )
        print(lines[-1], flush=True)
    return Figure(not_shown, "not shown", "0", (f"{len(lines)} lessons",), missed=not_shown > 0)


def _lessons(number: str) -> list[Lesson]:
    names = sorted(module.name for module in pkgutil.iter_modules(lesson_runs.__path__))
    chosen = [name for name in names if name.startswith(f"nb{number}")]
    return [lesson for name in chosen for lesson in importlib.import_module(f"{lesson_runs.__name__}.{name}").LESSONS]


def _read(path: Path) -> dict[tuple[str, int], float]:
    rows = map(json.loads, path.read_text().splitlines()) if path.is_file() else ()
    return {(row["name"], row["seed"]): row["value"] for row in rows}
