"""Hidden judges of chapter 06: fractions for pixels, crowded and empty pictures, other thresholds, two classes."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_runs
from course.exercises.nb06_detect_objects import (
    encode_boxes,
    investigate_a_setting,
    match_anchors,
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
    heaps = [drawn_boxes(rng, 30, size=100.0, least=25.0) for _ in range(2)]
    pictures = [suppress_duplicates.shuffled(boxes, rng, classes) for classes, boxes in enumerate(heaps, 1)]
    empty = {"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.int64)}
    return {"pictures": [*pictures, empty], "threshold": 0.2}


@suppress_duplicates.exercise.hidden_judge(crowded, points=1)
def crowded_and_empty_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Thirty boxes in one heap are thinned out correctly, and a picture without boxes gives none."""
    suppress_duplicates.judge_sets(case, result)


@score_detections.exercise.case
def strict(rng: torch.Generator) -> dict[str, Any]:
    sets = [score_detections.drawn_set(rng, twice=1, missed=1, pictures=6) for _ in range(3)]
    return {"sets": [*sets, *score_detections.empty_sets(rng)], "threshold": 0.8}


@score_detections.exercise.hidden_judge(strict, points=1)
def a_stricter_threshold(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The threshold that is given decides what counts as found."""
    score_detections.judge_values(case, result)


@swap_predictor.exercise.case
def two_classes(rng: torch.Generator) -> dict[str, Any]:
    return swap_predictor.detector_case(rng, 2)


@swap_predictor.exercise.hidden_judge(two_classes, points=1)
def fewer_classes_than_before(case: dict[str, Any], result: dict[str, Any]) -> None:
    """For two classes, each proposal gets three scores."""
    swap_predictor.judge_layer(case, result, 0)
    swap_predictor.judge_layer(case, result, 1)


@encode_boxes.exercise.case
def thin_boxes(rng: torch.Generator) -> dict[str, Any]:
    return encode_boxes.coding_case(rng, 9, least=3.0)


@encode_boxes.exercise.hidden_judge(thin_boxes, points=1)
def thin_boxes_in_both_directions(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Thin boxes and anchors are encoded and decoded correctly."""
    encode_boxes.judge_encoding(case, result)
    encode_boxes.judge_decoding(case, result)


@match_anchors.exercise.case
def more_of_everything(rng: torch.Generator) -> dict[str, Any]:
    return {"sets": [case for draw in _MATCHING for case in draw(rng)["sets"]]}


_MATCHING = (match_anchors.three_kinds.draw, match_anchors.hard_to_reach.draw, match_anchors.nothing_to_match.draw)


@match_anchors.exercise.hidden_judge(more_of_everything, points=1)
def all_rules_together(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Other anchors and boxes, with all the rules together."""
    match_anchors.judge_matches(case, result)


@investigate_a_setting.exercise.hidden_judge(investigate_a_setting.the_record, points=1)
def every_run_was_a_run_of_its_own(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each setting was measured with every seed, not once for all of them."""
    judge_runs(result)
