"""Hidden judges of chapter 00: tall and small pictures, other batch sizes, a model in eval mode, one label a class."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises import nb00_start_here as visible


@visible.preprocess_image.case
def tall_and_large(rng: torch.Generator) -> dict[str, Any]:
    return {"pixels": visible._drawn_pixels(rng, 480, 330)}


@visible.preprocess_image.hidden_judge(tall_and_large, points=1)
def shrinks_a_tall_picture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A tall picture that is larger than the model's input is resized and cut like any other."""
    visible.judge_cut(case["pixels"], result["x"])


@visible.preprocess_image.case
def tiny(rng: torch.Generator) -> dict[str, Any]:
    return {"pixels": visible._drawn_pixels(rng, 60, 90)}


@visible.preprocess_image.hidden_judge(tiny, points=1)
def enlarges_a_tiny_picture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A picture smaller than the model's input is enlarged, not padded."""
    visible.judge_cut(case["pixels"], result["x"])


@visible.measure_accuracy.case
def wholly_asleep(rng: torch.Generator) -> dict[str, Any]:
    return visible._accuracy_case(rng, asleep=[""], count=17, batch=5)


@visible.measure_accuracy.hidden_judge(wholly_asleep, points=1)
def eval_mode_stays(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A model that came in eval mode leaves in eval mode."""
    visible.judge_modes(case, result)


@visible.measure_accuracy.hidden_judge(wholly_asleep, points=1)
def other_batch_sizes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The accuracy is right for another number of pictures and another batch size."""
    visible.weighed_by_pictures.decide(case, result)


@visible.draw_labels.case
def one_of_each(rng: torch.Generator) -> dict[str, Any]:
    return visible._labels_case(rng, k=1)


@visible.draw_labels.hidden_judge(one_of_each, points=1)
def one_label_a_class(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With k = 1 there is exactly one label of each class."""
    visible.exactly_k_of_each_class.decide(case, result)
