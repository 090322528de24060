"""Hidden judges of chapter 02: other architectures, other depths, shared weights."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises import narrow
from course.exercises import nb02_freeze_the_backbone as visible


@visible.freeze_backbone.case
def transformer(rng: torch.Generator) -> dict[str, Any]:
    return visible._training_case("vit", rng)


@visible.freeze_backbone.hidden_judge(transformer, points=1)
def freezes_a_transformer(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Freezing works on an encoder with attention and LayerNorm."""
    visible.no_parameter_of_the_module_moves.decide(case, result)


@visible.set_train_mode.case
def residual(rng: torch.Generator) -> dict[str, Any]:
    return visible._training_case("resnet", rng)


@visible.set_train_mode.hidden_judge(residual, points=1)
def keeps_a_residual_stage_still(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A frozen stage in the middle of a ResNet stays still."""
    visible.frozen_statistics_stay.decide(case, result)


@visible.list_trainable.case
def shared_weight(rng: torch.Generator) -> dict[str, Any]:
    names = [name for name, _ in narrow.build("resnet").named_parameters()]
    return {
        "architecture": "resnet",
        "state": narrow.drawn_state("resnet", rng),
        "requires_grad": {name: not name.startswith("conv1") for name in names},
        "tie": ["layer1.0.conv2", "layer1.0.conv1"],
    }


@visible.list_trainable.hidden_judge(shared_weight, points=1)
def a_shared_parameter_comes_once(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A parameter that two layers share is listed once."""
    tied = case["tie"][0] + ".weight"
    expected = [f"parameter {name}" for name, flag in case["requires_grad"].items() if flag and name != tied]
    visible.judge_names(result["names"], expected)


@visible.cache_once.case
def another_draw(rng: torch.Generator) -> dict[str, Any]:
    return visible._features_case(rng, shuffle=True)


@visible.cache_once.hidden_judge(another_draw, points=1)
def pairs_hold_on_other_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Features and labels stay together on pictures that the notebook never showed."""
    visible.labels_stay_with_their_features.decide(case, result)
