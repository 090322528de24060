"""Chapter 06: what a pretrained trunk gains for a detector, and where the detector fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from course.errors import UnknownName
from course.training.experiments import stored_table
from tests.benchmarks import detection_trunks
from tests.benchmarks.lesson_runs import Lesson


def _row(setting: str, seed: int) -> dict[str, Any]:
    """From the stored table of `detection_trunks`, which has ten seeds; measured if it is not there."""
    try:
        rows = stored_table("detection_trunks").rows
    except UnknownName:
        rows = []
    for row in rows:
        if (row["setting"], row["seed"]) == (setting, seed) and "AP50, known objects" in row:
            return row
    return detection_trunks.run(setting, seed)


def _gain(metric: str) -> Callable[[int], float]:
    return lambda seed: _row("pretrained", seed)[metric] - _row("random", seed)[metric]


def _found_with_right_class(seed: int) -> float:
    rows = [_row(setting, seed) for setting in ("pretrained", "random")]
    pretrained, random = (row["found"] * row["classified"] for row in rows)
    return pretrained - random


def _new_scenes(seed: int) -> float:
    row = _row("pretrained", seed)
    return row["AP50, training scenes"] - row["AP50, known objects"]


def _above_half(seed: int) -> float:
    return _row("pretrained", seed)["AP50"] - 0.5


def _unseen_objects(seed: int) -> float:
    row = _row("pretrained", seed)
    return row["AP50, known objects"] - row["AP50"]


LESSONS = [
    Lesson("06-the-detector-works", "The chapter's detector reaches an AP50 above 0.5 on test scenes.", _above_half),
    Lesson("06-pretraining-pays", "AP50 is higher on a pretrained trunk than on a random one.", _gain("AP50")),
    Lesson("06-pretraining-finds-more", "With a pretrained trunk more objects are found.", _gain("found")),
    Lesson(
        "06-pretraining-finds-and-classifies-more",
        "With a pretrained trunk more objects are found and get the right class.",
        _found_with_right_class,
    ),
    Lesson(
        "06-training-scenes-are-learned-by-heart",
        "AP50 is higher on training scenes than on new scenes of the same objects.",
        _new_scenes,
    ),
    Lesson(
        "06-unseen-objects-are-harder",
        "AP50 is higher on new scenes of known objects than on scenes of unseen objects.",
        _unseen_objects,
    ),
]
