"""Chapter 01's contrast with both views in one style instead of two, judged on validation objects.

`python -m tests.benchmarks contrast_variants` measures what is missing, at five seeds, and writes the stored table
`course/data/assets/tables/contrast_variants.json`.
"""

from __future__ import annotations

from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept
from tests.benchmarks.pretraining import run

SETTINGS = ("contrast", "one style")
SEEDS = (0, 1, 2, 3, 4)

__all__ = ["SEEDS", "SETTINGS", "measure", "run"]


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("contrast_variants", run, SETTINGS, SEEDS, seeds)
    ahead = comparison.paired("contrast", "one style", "partners")
    return Figure(ahead.low, "more partners found with views in two styles than in one, low end", "0", tuple(notes))
