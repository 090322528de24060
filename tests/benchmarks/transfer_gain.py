"""How far the pretrained trunk is ahead of a random one and of a classical baseline, in every application.

`python -m tests.benchmarks transfer_gain` measures all; `transfer_gain classification text` those named. Each is
trained at 3 seeds. A difference is paired, by seed and by test item. Its 95 % interval comes from a bootstrap at both
levels: seeds are drawn with replacement, and so are the items, the same ones for every seed and both models, because
the seeds share test items.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from course.errors import UnknownName
from tests.benchmarks import Figure

APPLICATIONS = ("classification", "detection", "segmentation", "text")
SEEDS = (0, 1, 2)
DRAWS = 500
Metric = Callable[[np.ndarray], float]
Run = tuple[int, dict[str, Metric]]


def measure(*applications: str) -> Figure:
    for name in applications:
        if name not in APPLICATIONS:
            raise SystemExit(str(UnknownName.of("application", name, APPLICATIONS)))
    notes, lowest, missing = [], [], []
    for name in applications or APPLICATIONS:
        if find_spec(f"tests.benchmarks.transfer.{name}") is None:
            missing.append(name)
            continue
        module = importlib.import_module(f"tests.benchmarks.transfer.{name}")
        line, low = report(name, [module.run(seed) for seed in SEEDS])
        print(line, flush=True)
        lowest.append(low)
    if missing:
        notes.append(f"not there yet: {', '.join(missing)}")
    value = min(lowest, default=float("nan"))
    unit = "above a random trunk, the lowest end of the intervals"
    return Figure(value, unit, "above 0", tuple(notes), missed=not value > 0)


def report(name: str, runs: list[Run]) -> tuple[str, float]:
    """One line on an application, and the low end of the interval of pretrained minus random."""
    everything = [np.arange(items) for items, _ in runs]
    kinds = [kind for kind in ("pretrained", "random", "baseline") if kind in runs[0][1]]
    means = {
        kind: np.mean([metrics[kind](items) for items, (_, metrics) in zip(everything, runs, strict=True)])
        for kind in kinds
    }
    gains = {kind: gain(runs, "pretrained", kind) for kind in kinds[1:]}
    told = ", ".join(f"{kind} {mean:.3f}" for kind, mean in means.items())
    ahead = "; ".join(f"{mean:+.3f} ({low:+.3f} to {high:+.3f}) on {kind}" for kind, (mean, low, high) in gains.items())
    return f"{name}: {told}; pretrained is ahead by {ahead}", gains["random"][1]


def gain(runs: list[Run], first: str, second: str, *, draws: int = DRAWS) -> tuple[float, float, float]:
    """(mean, low, high): how far `first` is above `second`, with a 95 % percentile interval over seeds and items."""
    rng = np.random.default_rng(0)
    counts = {items for items, _ in runs}

    def difference(items: np.ndarray, metrics: dict[str, Metric]) -> float:
        return metrics[first](items) - metrics[second](items)

    found = []
    for _ in range(draws):
        items = {count: rng.integers(count, size=count) for count in sorted(counts)}
        chosen = rng.integers(len(runs), size=len(runs))
        by_seed = {i: difference(items[runs[i][0]], runs[i][1]) for i in sorted(set(chosen.tolist()))}
        found.append(np.mean([by_seed[i] for i in chosen.tolist()]))
    mean = np.mean([difference(np.arange(count), metrics) for count, metrics in runs])
    low, high = np.quantile(found, (0.025, 0.975))
    return float(mean), float(low), float(high)
