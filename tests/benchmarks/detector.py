"""Chapter 06's detector as its notebook trains it: AP50 on the test scenes, the mean of three seeds."""

from __future__ import annotations

from course.training.experiments import Comparison
from tests.benchmarks import Figure, detection_trunks

SEEDS = (0, 1, 2)


def measure() -> Figure:
    rows = [detection_trunks.run("pretrained", seed) for seed in SEEDS]
    comparison = Comparison(rows)
    mean = comparison.interval("pretrained").mean
    return Figure(mean, "AP50 on test scenes, mean of 3 seeds", "0.5", (comparison.table(),), missed=mean <= 0.5)
