"""Hidden judges of chapter 00: tall, small and RGBA images, other batch sizes, eval mode, one label per class, ..."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_runs
from course.exercises.nb00_start_here import (
    draw_labels,
    investigate_input_size,
    measure_accuracy,
    preprocess_image,
    split_objects,
)


@preprocess_image.exercise.case
def tall_and_large(rng: torch.Generator) -> dict[str, Any]:
    return {"pixels": preprocess_image.drawn_pixels(rng, 480, 330)}


@preprocess_image.exercise.hidden_judge(tall_and_large, points=1)
def shrinks_a_tall_picture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A tall image that is larger than the model's input is resized and cropped like any other."""
    preprocess_image.judge_cut(case["pixels"], result["x"])


@preprocess_image.exercise.case
def tiny(rng: torch.Generator) -> dict[str, Any]:
    return {"pixels": preprocess_image.drawn_pixels(rng, 60, 90)}


@preprocess_image.exercise.hidden_judge(tiny, points=1)
def enlarges_a_tiny_picture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An image smaller than the model's input is enlarged, not padded."""
    preprocess_image.judge_cut(case["pixels"], result["x"])


@preprocess_image.exercise.case
def opaque_rgba(rng: torch.Generator) -> dict[str, Any]:
    pixels = preprocess_image.drawn_pixels(rng, 240, 280)
    return {"pixels": torch.cat([pixels, torch.full((240, 280, 1), 255, dtype=torch.uint8)], dim=2)}


@preprocess_image.exercise.hidden_judge(opaque_rgba, points=1)
def takes_an_alpha_channel(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An opaque image with an alpha channel (PIL mode RGBA) gives three channels."""
    preprocess_image.judge_cut(case["pixels"][..., :3].contiguous(), result["x"])


@measure_accuracy.exercise.case
def wholly_asleep(rng: torch.Generator) -> dict[str, Any]:
    return measure_accuracy.accuracy_case(rng, asleep=[""], loaders=4)


@measure_accuracy.exercise.hidden_judge(wholly_asleep, points=1)
def eval_mode_stays(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A model in eval mode is still in eval mode afterwards."""
    measure_accuracy.judge_modes(case, result)


@measure_accuracy.exercise.hidden_judge(wholly_asleep, points=1)
def other_batch_sizes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The accuracy is right for other numbers of images and other batch sizes."""
    measure_accuracy.weighed_by_pictures.decide(case, result)


@draw_labels.exercise.case
def one_of_each(rng: torch.Generator) -> dict[str, Any]:
    return draw_labels.labels_case(rng, k=1)


@draw_labels.exercise.hidden_judge(one_of_each, points=1)
def one_label_a_class(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With k = 1 there is exactly one sample of each class."""
    draw_labels.exactly_k_of_each_class.decide(case, result)


@draw_labels.exercise.case
def several_short_classes(rng: torch.Generator) -> dict[str, Any]:
    return draw_labels.labels_case(rng, k=5, short=3)


@draw_labels.exercise.hidden_judge(several_short_classes, points=1)
def several_classes_are_short(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Several classes have fewer than k samples, and each of these is drawn as a whole."""
    draw_labels.exactly_k_of_each_class.decide(case, result)


@split_objects.exercise.case
def a_tiny_share(rng: torch.Generator) -> dict[str, Any]:
    return split_objects.drawn_case(rng, share=0.08, smallest=2)


@split_objects.exercise.hidden_judge(a_tiny_share, points=1)
def one_object_at_least(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A share too small for one object still puts one object of each class on the test side."""
    split_objects.judge_shares(case, result)


@split_objects.exercise.case
def a_huge_share(rng: torch.Generator) -> dict[str, Any]:
    return split_objects.drawn_case(rng, share=0.93, smallest=2)


@split_objects.exercise.hidden_judge(a_huge_share, points=1)
def never_all_objects(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A share that rounds to every object of a class still leaves one of them for training."""
    split_objects.judge_shares(case, result)


@investigate_input_size.exercise.hidden_judge(investigate_input_size.the_record, points=1)
def every_run_was_a_run_of_its_own(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each setting was measured with every seed, not once for all of them."""
    judge_runs(result)
