"""Does fine-tuning win at home and lose away, and does head first win both (Kumar et al., 2022)? Five seeds on emoji.

`python -m tests.benchmarks ood_signs` prints paired differences with their intervals, told as found, and writes the
stored table `course/data/assets/tables/ood_signs.json`. Six epochs of the whole network at 96 pixels, on 100 pictures;
with seeds as arguments only theirs are measured.
"""

from __future__ import annotations

from course.training.experiments import Comparison
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept
from tests.benchmarks._whole_network import run

PROBE, TUNED, HEAD_FIRST = "probe", "fine-tune, 0.001", "head first, 0.001"
SETTINGS = (PROBE, TUNED, HEAD_FIRST)
SEEDS = (0, 1, 2, 3, 4)
# What is compared -> ahead, behind, where, and the sign that the paper's averages have.
SIGNS = {
    "fine-tuning above the probe at home": (TUNED, PROBE, "fluent", "+"),
    "fine-tuning above the probe away": (TUNED, PROBE, "away", "-"),
    "head first above fine-tuning at home": (HEAD_FIRST, TUNED, "fluent", "+"),
    "head first above fine-tuning away": (HEAD_FIRST, TUNED, "away", "+"),
}


def told(comparison: Comparison) -> list[str]:
    """A line for each sign: the paired difference, what its interval says, and whether the literature agrees."""
    lines = []
    for words, (ahead, behind, where, expected) in SIGNS.items():
        difference = comparison.paired(ahead, behind, where)
        sign = ("+" if difference.mean > 0 else "-") if difference.excludes_zero else "not resolved"
        verdict = "as in the paper" if sign == expected else "open" if sign == "not resolved" else "against the paper"
        lines.append(f"{words}: {difference} ({sign}; {verdict})")
    return lines


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("ood_signs", run, SETTINGS, SEEDS, seeds)
    ahead = comparison.paired(HEAD_FIRST, TUNED, "away")
    unit = f"± {ahead.half_width:.2g} accuracy of head first above fine-tuning on unseen styles, {ahead.n} seeds"
    return Figure(ahead.mean, unit, "told as found", (*notes, *told(comparison)))
