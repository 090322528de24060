"""Hidden judges of chapter 02: other architectures, other depths, shared weights."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_runs
from course.exercises.nb02_freeze_the_backbone import (
    audit_freeze,
    cache_features,
    freeze_backbone,
    investigate_batchnorm,
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
    """A frozen stage in the middle of a ResNet keeps its statistics."""
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
    """Features and labels stay together on other pictures."""
    cache_features.labels_stay_with_their_features.decide(case, result)


@audit_freeze.exercise.case
def shared_and_adamw(rng: torch.Generator) -> dict[str, Any]:
    case = audit_freeze.audit_case("resnet", rng)
    tied = ["layer1.0.conv2", "layer1.0.conv1"]
    for values in (case["requires_grad"], case["groups"]):
        values[f"{tied[0]}.weight"] = values[f"{tied[1]}.weight"]
    return {**case, "optimizer": "AdamW", "tie": tied}


@audit_freeze.exercise.hidden_judge(shared_and_adamw, points=1)
def audits_shared_weights(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The audit is right for another optimiser, and for two layers that share a weight."""
    for key in audit_freeze.KEYS:
        audit_freeze.judge_names(key, case, result)


@audit_freeze.exercise.case
def an_efficientnet(rng: torch.Generator) -> dict[str, Any]:
    return audit_freeze.audit_case("efficientnet", rng, nested=True)


@audit_freeze.exercise.hidden_judge(an_efficientnet, points=1)
def audits_a_deeper_model(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The audit is right for BatchNorm layers at any depth, one inside another too."""
    for key in audit_freeze.KEYS:
        audit_freeze.judge_names(key, case, result)


@investigate_batchnorm.exercise.hidden_judge(investigate_batchnorm.the_record, points=1)
def every_run_was_a_run_of_its_own(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each setting was measured with every seed, not once for all of them."""
    judge_runs(result)
