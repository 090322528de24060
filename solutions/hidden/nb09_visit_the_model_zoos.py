"""Hidden judges of chapter 09: larger zoos under stricter licences, other kernels, bigger spoils."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.nb09_visit_the_model_zoos import carry_weights, choose_weights, compare_outputs


@choose_weights.exercise.case
def one_licence_alone(rng: torch.Generator) -> dict[str, Any]:
    return choose_weights.zoo_case(rng, lambda rng: ("MIT",), questions=8)


@choose_weights.exercise.hidden_judge(one_licence_alone, points=1)
def chooses_under_a_single_licence(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With a single licence allowed, the best entry under it is chosen."""
    choose_weights.judge_chosen(case, result)


@carry_weights.exercise.case
def kernels_of_every_kind(rng: torch.Generator) -> dict[str, Any]:
    kinds = {"DepthwiseConv2D": (5, 3, 3, 3), "Conv2DTranspose": (4, 2, 3, 5), "Conv2D": (1, 1, 6, 4), "Dense": (4, 9)}
    return {"kernels": [carry_weights.drawn_kernel(rng, kind, shape) for kind, shape in kinds.items()]}


@carry_weights.exercise.hidden_judge(kernels_of_every_kind, points=1)
def carries_kernels_of_every_kind(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Kernels of other shapes, of all four kinds, are carried over."""
    carry_weights.judge_kernels(case, result)


@compare_outputs.exercise.case
def every_kind_in_the_other_layout(rng: torch.Generator) -> dict[str, Any]:
    return compare_outputs.exports_case(rng, ["down", "nan", "same", "up", "down"], channels_last=True)


@compare_outputs.exercise.hidden_judge(every_kind_in_the_other_layout, points=1)
def compares_whatever_comes_with_the_channels_last(case: dict[str, Any], result: dict[str, Any]) -> None:
    """True, changed and broken files with the channels last are told apart."""
    compare_outputs.judge_outputs(case, result)
