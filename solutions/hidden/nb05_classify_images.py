"""Hidden judges of chapter 05: more classes, other numbers of pictures, a class that takes all, none right."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.nb05_classify_images import bound_accuracy, count_confusions, predict_pictures, read_folder


@read_folder.exercise.case
def many_classes(rng: torch.Generator) -> dict[str, Any]:
    return read_folder.folder_case(rng, classes=9)


@read_folder.exercise.hidden_judge(many_classes, points=1)
def names_what_is_no_picture_among_many_classes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With more classes, and other names, what can't be decoded is still named, and the labels fit the folders."""
    read_folder.judge_skipped(case, result)
    read_folder.judge_labels(case, result)


@predict_pictures.exercise.case
def fewer_than_a_batch(rng: torch.Generator) -> dict[str, Any]:
    return predict_pictures.pictures_case(rng, 9)


@predict_pictures.exercise.hidden_judge(fewer_than_a_batch, points=1)
def predicts_fewer_pictures_than_a_batch(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Fewer pictures than a batch holds are predicted as well."""
    predict_pictures.judge_probabilities(case, result)


@count_confusions.exercise.case
def one_class_takes_all(rng: torch.Generator) -> dict[str, Any]:
    draws = [count_confusions.drawn_labels(rng, 11, range(11)) for _ in range(2)]
    for draw in draws:
        draw["pred"] = draw["pred"].clamp_max(int(draw["pred"].median()))
    return {"draws": draws}


@count_confusions.exercise.hidden_judge(one_class_takes_all, points=1)
def counts_where_one_class_takes_all(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Classes that are true now and then and never predicted are counted right."""
    count_confusions.judge_matrices(case, result)


@bound_accuracy.exercise.case
def none_right(rng: torch.Generator) -> dict[str, Any]:
    return {"pairs": [[0, n] for _, n in bound_accuracy.drawn_pairs(rng, 4)]}


@bound_accuracy.exercise.hidden_judge(none_right, points=1)
def none_right_is_not_hopeless(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With no answer right the interval begins at 0 and ends above it."""
    bound_accuracy.judge_bounds(case, result)
