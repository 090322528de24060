"""Hidden judges of chapter 11: other windows, one channel, another architecture, other batches."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.nb11_look_ahead import cut_patches, draw_sound, follow_student, soften_answers


@draw_sound.exercise.case
def a_longer_window(rng: torch.Generator) -> dict[str, Any]:
    return draw_sound.sounds_case(rng, 2, window=100)


@draw_sound.exercise.hidden_judge(a_longer_window, points=1)
def draws_with_another_window(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With another window and hop the pictures are right as well."""
    draw_sound.compare_pictures(case, result["picture"], "two sounds with another window")


@cut_patches.exercise.case
def small_patches(rng: torch.Generator) -> dict[str, Any]:
    case = cut_patches.pictures_case(rng, rows=4, columns=3, size=5)
    return {**case, "x": case["x"][:1, :2]}


@cut_patches.exercise.hidden_judge(small_patches, points=1)
def cuts_other_sizes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With another size, another number of channels and one picture the patches are right as well."""
    cut_patches.compare_patches(case, result["patches"])


@follow_student.exercise.case
def a_residual_network(rng: torch.Generator) -> dict[str, Any]:
    return follow_student.follow_case("resnet", rng, calls=2)


@follow_student.exercise.hidden_judge(a_residual_network, points=1)
def follows_in_another_architecture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Another architecture's parameters and buffers are followed as well."""
    follow_student.judge_parameters(case, result["teachers"])
    follow_student.judge_buffers(case, result["teachers"])


@soften_answers.exercise.case
def more_classes(rng: torch.Generator) -> dict[str, Any]:
    draws = [soften_answers.loss_draw(rng, alpha=alpha, batch=9, classes=12) for alpha in (0.3, 0.9)]
    return {"draws": draws}


@soften_answers.exercise.hidden_judge(more_classes, points=1)
def weighs_both_with_more_classes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With more classes and a larger batch the gradients are right as well."""
    soften_answers.judge_gradients(case, result["gradients"])
