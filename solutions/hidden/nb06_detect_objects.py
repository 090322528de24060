"""Hidden judges of chapter 06: fractions for pixels, crowded pictures, a strict threshold, one kind of thing."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.nb06_detect_objects import (
    collate_scenes,
    measure_overlap,
    score_detections,
    suppress_duplicates,
    swap_predictor,
)
from course.exercises.nb06_detect_objects.overlaps import drawn_boxes


@measure_overlap.exercise.case
def fractions(rng: torch.Generator) -> dict[str, Any]:
    return measure_overlap.pairs_case(rng, size=1.0)


@measure_overlap.exercise.hidden_judge(fractions, points=1)
def boxes_in_fractions_of_the_picture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Boxes given as fractions of the picture have the same overlap as in pixels."""
    measure_overlap.judge_overlaps(case, result)


@suppress_duplicates.exercise.case
def crowded(rng: torch.Generator) -> dict[str, Any]:
    pictures = [suppress_duplicates.shuffled(drawn_boxes(rng, 30, size=100.0, least=25.0), rng) for _ in range(2)]
    empty = {"boxes": torch.zeros(0, 4), "scores": torch.zeros(0)}
    return {"pictures": [*pictures, empty], "threshold": 0.2}


@suppress_duplicates.exercise.hidden_judge(crowded, points=1)
def crowded_and_empty_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Thirty boxes in one heap are thinned out rightly, and a picture without boxes gives none."""
    suppress_duplicates.judge_sets(case, result)


@score_detections.exercise.case
def strict(rng: torch.Generator) -> dict[str, Any]:
    return {
        "sets": [score_detections.drawn_set(rng, twice=1, missed=1, pictures=6) for _ in range(3)],
        "threshold": 0.8,
    }


@score_detections.exercise.hidden_judge(strict, points=1)
def a_stricter_threshold(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The threshold that is given decides what counts as found."""
    score_detections.judge_values(case, result)


@swap_predictor.exercise.case
def two_kinds(rng: torch.Generator) -> dict[str, Any]:
    return swap_predictor.detector_case(rng, 2)


@swap_predictor.exercise.hidden_judge(two_kinds, points=1)
def fewer_kinds_than_before(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Cats and dogs alone: three scores a proposal."""
    swap_predictor.judge_layer(case, result, 0)
    swap_predictor.judge_layer(case, result, 1)


@collate_scenes.exercise.case
def mostly_nothing(rng: torch.Generator) -> dict[str, Any]:
    return collate_scenes.batch_case(rng, [(16, 12), (10, 20), (8, 8), (14, 24), (30, 6)], [0, 1, 0, 4, 0])


@collate_scenes.exercise.hidden_judge(mostly_nothing, points=1)
def most_pictures_without_things(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A batch in which most pictures hold nothing keeps all of them, each with its target."""
    collate_scenes.a_picture_without_things_stays.decide(case, result)
