"""Hidden judges of chapter 05: more classes, other numbers of pictures, a class that takes all."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_runs
from course.exercises.nb05_classify_images import (
    compare_models,
    count_confusions,
    investigate_a_change,
    predict_pictures,
    read_folder,
    suspect_labels,
)


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
    """Classes that are never predicted are counted right, and their recall of zero is part of the mean."""
    count_confusions.judge_matrices(case, result)
    count_confusions.judge_scores(case, result)


@compare_models.exercise.case
def many_pictures(rng: torch.Generator) -> dict[str, Any]:
    one_sided = [compare_models.drawn_models(rng, *sizes, vary=0) for sizes in ((60, 8, 0), (50, 0, 9))]
    return {"draws": [compare_models.drawn_models(rng, *sizes) for sizes in ((400, 60, 31), (300, 4, 13))] + one_sided}


@compare_models.exercise.hidden_judge(many_pictures, points=1)
def compares_on_many_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With hundreds of pictures the p-value is exact, and so it is where one model is right wherever the other is."""
    compare_models.judge_p_values(case, result)


@suspect_labels.exercise.case
def many_samples(rng: torch.Generator) -> dict[str, Any]:
    return {"draws": [*(suspect_labels.drawn_probabilities(rng, classes) for classes in (4, 8)), a_class_of_one(rng)]}


def a_class_of_one(rng: torch.Generator) -> dict[str, Any]:
    """One sample has a label of its own: its threshold is its probability, above that of another confident guess."""
    while True:
        draw = suspect_labels.drawn_probabilities(rng, 4)
        labels, count = draw["labels"].clone(), len(draw["labels"])
        probabilities = torch.cat([0.95 * draw["probabilities"], torch.full((count, 1), 0.05)], dim=1)
        labels[0] = 4
        lowest = int(suspect_labels.thresholds(probabilities, labels)[:4].argmin())
        probabilities[0] = 0.01
        probabilities[0, lowest], probabilities[0, 4] = 0.48, 0.49
        if suspect_labels.thresholds(probabilities, labels)[lowest] < 0.45:
            return {"probabilities": probabilities, "labels": labels}


@suspect_labels.exercise.hidden_judge(many_samples, points=1)
def suspects_among_few_and_among_many_classes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With four classes, with eight, and with a class of one sample, the rule finds the suspects in the same order."""
    suspect_labels.judge_lists(case, result, in_order=True)


@investigate_a_change.exercise.hidden_judge(investigate_a_change.a_record, points=1)
def every_run_was_a_run_of_its_own(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each setting was measured with every seed, not once for all of them."""
    judge_runs(result)
