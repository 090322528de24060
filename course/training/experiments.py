"""One experiment over several settings and seeds, with intervals; and stored tables of earlier experiments."""

from __future__ import annotations

import html
import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import course
from course.errors import EmptyData, UnknownName
from course.files import replacing
from course.notebook.progress_bars import progress_bar
from course.notebook.tables import html_table, text_table
from course.runtime import seed_everything
from course.training.intervals import Interval
from course.training.stopping import stoppable

TABLES = Path(course.__file__).parent / "data" / "assets" / "tables"


@dataclass(frozen=True)
class Comparison:
    """The results of `compare`: `rows` has one dict per run, with its setting, its seed and its metrics."""

    rows: list[dict[str, Any]]

    @property
    def settings(self) -> list[str]:
        """The names of the settings, in the order they were given."""
        return list(dict.fromkeys(row["setting"] for row in self.rows))

    @property
    def metrics(self) -> list[str]:
        """The names of the metrics."""
        return [name for name in self.rows[0] if name not in ("setting", "seed")]

    def values(self, setting: str, metric: str | None = None) -> list[float]:
        """One value per seed, in the order of the seeds. `metric` defaults to the first one."""
        metric = metric or self.metrics[0]
        if setting not in self.settings:
            raise UnknownName.of("setting", setting, self.settings)
        if metric not in self.metrics:
            raise UnknownName.of("metric", metric, self.metrics)
        return [row[metric] for row in self.rows if row["setting"] == setting]

    def interval(self, setting: str, metric: str | None = None) -> Interval:
        """The mean over seeds with its interval."""
        return Interval.of(self.values(setting, metric))

    def paired(self, a: str, b: str, metric: str | None = None) -> Interval:
        """The difference `a` - `b`, paired by seed: what runs with one seed share (data, start) cancels out."""
        pairs = zip(self.values(a, metric), self.values(b, metric), strict=True)
        return Interval.of([first - second for first, second in pairs])

    def table(self) -> str:
        """A row per setting and a column per metric, with mean ± half-width of the 95 % interval, as text."""
        return text_table(self._cells())

    def _cells(self) -> list[list[str]]:
        body = [[name, *(str(self.interval(name, metric)) for metric in self.metrics)] for name in self.settings]
        return [["setting", *(metric.replace("_", " ") for metric in self.metrics)], *body]

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return html_table(self._cells())


@stoppable("the comparison was stopped; its runs so far are not kept: run the cell again to begin anew")
def compare(
    run: Callable[[Any, int], float | dict[str, float]],
    settings: Mapping[str, Any] | Iterable[Any],
    seeds: Iterable[int] = (0, 1, 2),
) -> Comparison:
    """`run(setting, seed)` for every setting and seed, as a `Comparison`.

    `run` returns a number, called "value", or a dict from metric name to number. Settings are a dict from name to
    setting, or a list of settings that serve as names too. Python's, numpy's and torch's generators are seeded before
    each run.
    """
    named = dict(settings) if isinstance(settings, Mapping) else {str(setting): setting for setting in settings}
    plan = [(name, seed) for seed in seeds for name in named]
    if not plan:
        raise EmptyData("there is nothing to compare; pass at least one setting and one seed")
    rows = []
    for name, seed in progress_bar(plan, "comparing", total=len(plan)):
        seed_everything(seed)
        result = run(named[name], seed)
        measured = result if isinstance(result, Mapping) else {"value": result}
        rows.append({"setting": name, "seed": seed, **{key: float(value) for key, value in measured.items()}})
    order = list(named)
    return Comparison(sorted(rows, key=lambda row: order.index(row["setting"])))


@dataclass(frozen=True)
class StoredTable:
    """Rows measured by an earlier benchmark, with its command, commit and machine."""

    name: str
    command: str
    commit: str
    machine: str
    rows: list[dict[str, Any]]

    @property
    def source(self) -> str:
        """One line saying that these figures are stored, and where they come from."""
        return f"stored, not measured now: `{self.command}` at {self.commit} on {self.machine}"

    def _cells(self) -> list[list[str]]:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        return [names, *([_format_value(row.get(name)) for name in names] for row in self.rows)]

    def __repr__(self) -> str:
        return f"{text_table(self._cells())}\n{self.source}"

    def _repr_html_(self) -> str:
        return f"{html_table(self._cells())}<p>{html.escape(self.source)}</p>"


def stored_table(name: str) -> StoredTable:
    """The table with this name; UnknownName if no benchmark has stored it."""
    path = TABLES / f"{name}.json"
    if not path.is_file():
        raise UnknownName.of("stored table", name, (file.stem for file in TABLES.glob("*.json")))
    return StoredTable(name, **json.loads(path.read_text(encoding="utf-8")))


def write_table(name: str, rows: list[dict[str, Any]], *, command: str, folder: Path = TABLES) -> Path:
    """Store rows that a benchmark measured with `command`, with this commit and machine; returns the file's path."""
    content = {"command": command, "commit": _commit(), "machine": _machine(), "rows": rows}
    path = folder / f"{name}.json"
    with replacing(path, parents=True) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _commit() -> str:
    try:
        git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no commit"


def _machine() -> str:
    import torch

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{gpu}, torch {torch.__version__}"


def _format_value(value: Any) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
