"""Hidden judges of chapter 07: other shapes, classes that are predicted in vain, models without an auxiliary head."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_runs
from course.exercises.nb07_segment_scenes import (
    compare_borders,
    investigate_a_change,
    measure_overlap,
    swap_classifiers,
    transform_jointly,
    write_loss,
)


@measure_overlap.exercise.case
def predicted_in_vain(rng: torch.Generator) -> dict[str, Any]:
    """Class 9 is predicted for a tenth of the pixels and true for none."""
    sets = [measure_overlap.overlap_case(rng, [0, 2, 3], void=0.3) for _ in range(2)]
    for data in sets:
        measure_overlap.predict_in_vain(data, 9, rng)
    return {"sets": sets, "ignore": measure_overlap.VOID}


@measure_overlap.exercise.hidden_judge(predicted_in_vain, points=1)
def a_class_that_is_only_predicted_counts(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A class that is predicted but never true counts, with an IoU of 0."""
    measure_overlap.judge_values(case, result, "5 pictures; class 9 is predicted but never true")


@measure_overlap.exercise.case
def another_number_for_void(rng: torch.Generator) -> dict[str, Any]:
    """Void is class 0 here, as in data sets that number their classes from 1."""
    sets = [measure_overlap.overlap_case(rng, [0, 1, 4], void=0.0) for _ in range(2)]
    return {"sets": sets, "ignore": 0}


@measure_overlap.exercise.hidden_judge(another_number_for_void, points=1)
def ignore_is_what_it_says(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Another label than 255 can be the one to ignore."""
    measure_overlap.judge_values(case, result, "5 pictures of the classes 0, 1 and 4, with ignore=0")


@write_loss.exercise.case
def more_classes(rng: torch.Generator) -> dict[str, Any]:
    return write_loss.loss_case(rng, void=[0.7, 0.1], classes=11, auxiliary=True, all_void=True)


@write_loss.exercise.hidden_judge(more_classes, points=1)
def right_for_more_classes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss is right for eleven classes with an auxiliary output, and where all is void 0, with a graph."""
    write_loss.judge_values(case, result)
    write_loss.judge_backward(case, result)


@transform_jointly.exercise.case
def a_wide_picture(rng: torch.Generator) -> dict[str, Any]:
    return transform_jointly.places_case(rng, 20, 60, [0, 7, 99, 255])


@transform_jointly.exercise.hidden_judge(a_wide_picture, points=1)
def a_wide_picture_keeps_its_labels(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A picture three times as wide as high keeps its labels, void among them."""
    transform_jointly.judge_labels(case, result)
    transform_jointly.judge_alignment(case, result)


@swap_classifiers.exercise.case
def no_auxiliary(rng: torch.Generator) -> dict[str, Any]:
    return swap_classifiers.swap_case("fcn", rng)


@swap_classifiers.exercise.hidden_judge(no_auxiliary, points=1)
def works_without_an_auxiliary(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A model whose aux_classifier is None gets its one new layer."""
    swap_classifiers.judge_output(case, result, "out")


@swap_classifiers.exercise.case
def one_class(rng: torch.Generator) -> dict[str, Any]:
    return swap_classifiers.swap_case("lraspp", rng, classes=1)


@swap_classifiers.exercise.hidden_judge(one_class, points=1)
def one_class_is_not_broadcast(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With n = 1, where a forgotten classifier would be added without an error, LR-ASPP gives one channel."""
    swap_classifiers.judge_output(case, result, "out")


@compare_borders.exercise.case
def a_wide_band(rng: torch.Generator) -> dict[str, Any]:
    return compare_borders.border_case(rng, [4, 1], margin=0)


@compare_borders.exercise.hidden_judge(a_wide_band, points=1)
def right_for_other_widths(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The bands are right for other widths, at the edge of the picture as well."""
    compare_borders.judge_values(case, result)


@investigate_a_change.exercise.hidden_judge(investigate_a_change.the_record, points=1)
def every_run_was_a_run_of_its_own(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each setting was measured with every seed, not once for all of them."""
    judge_runs(result)
