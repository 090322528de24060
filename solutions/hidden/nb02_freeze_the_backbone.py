"""Hidden judges of chapter 02: other architectures, other depths, shared weights."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.nb02_freeze_the_backbone import (
    cache_features,
    freeze_backbone,
    list_trainable,
    set_train_mode,
    training_cases,
)


@freeze_backbone.exercise.case
def transformer(rng: torch.Generator) -> dict[str, Any]:
    return training_cases.training_case("vit", rng)


@freeze_backbone.exercise.hidden_judge(transformer, points=1)
def freezes_a_transformer(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Freezing works on an encoder with attention and LayerNorm."""
    freeze_backbone.no_parameter_of_the_module_moves.decide(case, result)


@set_train_mode.exercise.case
def residual(rng: torch.Generator) -> dict[str, Any]:
    return training_cases.training_case("resnet", rng)


@set_train_mode.exercise.hidden_judge(residual, points=1)
def keeps_a_residual_stage_still(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A frozen stage in the middle of a ResNet stays still."""
    set_train_mode.frozen_statistics_stay.decide(case, result)


@list_trainable.exercise.case
def shared_weight(rng: torch.Generator) -> dict[str, Any]:
    case = list_trainable.flags_case("resnet", rng)
    case["requires_grad"]["layer1.0.conv1.weight"] = True
    return {**case, "tie": ["layer1.0.conv2", "layer1.0.conv1"]}


@list_trainable.exercise.hidden_judge(shared_weight, points=1)
def a_shared_parameter_comes_once(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A parameter that two layers share is listed once."""
    tied = case["tie"][0] + ".weight"
    expected = [f"parameter {name}" for name, flag in case["requires_grad"].items() if flag and name != tied]
    list_trainable.judge_names(result["names"], expected)


@cache_features.exercise.case
def another_draw(rng: torch.Generator) -> dict[str, Any]:
    return cache_features.features_case(rng, shuffle=True)


@cache_features.exercise.hidden_judge(another_draw, points=1)
def pairs_hold_on_other_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Features and labels stay together on pictures that the notebook never showed."""
    cache_features.labels_stay_with_their_features.decide(case, result)
