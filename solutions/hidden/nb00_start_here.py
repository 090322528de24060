"""Hidden judges of chapter 00: tall and small pictures, other batch sizes, a model in eval mode, one label a class."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.nb00_start_here import draw_labels, measure_accuracy, preprocess_image


@preprocess_image.exercise.case
def tall_and_large(rng: torch.Generator) -> dict[str, Any]:
    return {"pixels": preprocess_image.drawn_pixels(rng, 480, 330)}


@preprocess_image.exercise.hidden_judge(tall_and_large, points=1)
def shrinks_a_tall_picture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A tall picture that is larger than the model's input is resized and cut like any other."""
    preprocess_image.judge_cut(case["pixels"], result["x"])


@preprocess_image.exercise.case
def tiny(rng: torch.Generator) -> dict[str, Any]:
    return {"pixels": preprocess_image.drawn_pixels(rng, 60, 90)}


@preprocess_image.exercise.hidden_judge(tiny, points=1)
def enlarges_a_tiny_picture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A picture smaller than the model's input is enlarged, not padded."""
    preprocess_image.judge_cut(case["pixels"], result["x"])


@measure_accuracy.exercise.case
def wholly_asleep(rng: torch.Generator) -> dict[str, Any]:
    return measure_accuracy.accuracy_case(rng, asleep=[""], loaders=4)


@measure_accuracy.exercise.hidden_judge(wholly_asleep, points=1)
def eval_mode_stays(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A model that came in eval mode leaves in eval mode."""
    measure_accuracy.judge_modes(case, result)


@measure_accuracy.exercise.hidden_judge(wholly_asleep, points=1)
def other_batch_sizes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The accuracy is right for other numbers of pictures and other batch sizes."""
    measure_accuracy.weighed_by_pictures.decide(case, result)


@draw_labels.exercise.case
def one_of_each(rng: torch.Generator) -> dict[str, Any]:
    return draw_labels.labels_case(rng, k=1)


@draw_labels.exercise.hidden_judge(one_of_each, points=1)
def one_label_a_class(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With k = 1 there is exactly one label of each class."""
    draw_labels.exactly_k_of_each_class.decide(case, result)
