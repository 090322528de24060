"""Hidden judges of chapter 09: all rules at once, other kernels, other pictures, more broken exports."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_runs
from course.exercises.nb09_visit_the_model_zoos import (
    adapt_model,
    carry_weights,
    choose_weights,
    compare_outputs,
    investigate_budget,
)


@choose_weights.exercise.case
def every_rule(rng: torch.Generator) -> dict[str, Any]:
    decoys = (
        "task",
        "size",
        "unknown size",
        "unknown accuracy",
        "licence",
        "longer name",
        "part of a name",
        "unstated",
    )
    return choose_weights.zoo_case(rng, decoys, ("exact size", "tie", "other case", "unstated", "nothing", "plain"))


@choose_weights.exercise.hidden_judge(every_rule, points=1)
def chooses_where_every_rule_matters(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The best entry is chosen where every rule matters at once."""
    choose_weights.judge_chosen(case, result)


@adapt_model.exercise.case
def other_pictures(rng: torch.Generator) -> dict[str, Any]:
    return adapt_model.pictures_case(rng, 3)


@adapt_model.exercise.hidden_judge(other_pictures, points=1)
def adapts_to_other_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With other pictures, too, the backbone is unchanged and the head has learned."""
    adapt_model.judge_backbone(case, result)
    adapt_model.judge_accuracy(case, result)


@carry_weights.exercise.case
def kernels_of_every_kind(rng: torch.Generator) -> dict[str, Any]:
    kinds = {"DepthwiseConv2D": (5, 3, 3, 3), "Conv2DTranspose": (4, 2, 3, 5), "Conv2D": (1, 1, 6, 4), "Dense": (4, 9)}
    kernels = [carry_weights.drawn_kernel(rng, kind, shape) for kind, shape in kinds.items()]
    return {"kernels": [*kernels, carry_weights.drawn_kernel(rng, "Dense", (30, 3), flattened=(3, 2, 5))]}


@carry_weights.exercise.hidden_judge(kernels_of_every_kind, points=1)
def carries_kernels_of_every_kind(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Kernels of other shapes, of all four kinds, are carried over."""
    carry_weights.judge_kernels(case, result)


@compare_outputs.exercise.case
def every_kind_in_the_other_layout(rng: torch.Generator) -> dict[str, Any]:
    return compare_outputs.exports_case(rng, ["down", "nan", "same", "up", "down"], channels_last=True)


@compare_outputs.exercise.hidden_judge(every_kind_in_the_other_layout, points=1)
def compares_files_with_the_channels_last(case: dict[str, Any], result: dict[str, Any]) -> None:
    """True, changed and broken files with the channels last are told apart."""
    compare_outputs.judge_outputs(case, result)


@investigate_budget.exercise.hidden_judge(investigate_budget.the_record, points=1)
def every_run_was_a_run_of_its_own(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each setting was measured with every seed, not once for all of them."""
    judge_runs(result)
