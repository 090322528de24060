"""Hidden judges of chapter 04: longer models, frozen stages, AdamW, repeated calls, other ranks."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises import nb04_fine_tune as visible


@visible.group_by_depth.case
def two_stages_frozen(rng: torch.Generator) -> dict[str, Any]:
    return visible._rates_case("long_chain", rng, frozen=2)


@visible.group_by_depth.hidden_judge(two_stages_frozen, points=1)
def rates_fall_on_a_longer_model(case: dict[str, Any], result: list[dict[str, Any]]) -> None:
    """On a longer model with frozen stages every trainable parameter is there once, at the rate of its depth."""
    visible.every_parameter_once.decide(case, result)
    visible.rates_fall_with_depth.decide(case, result)


@visible.unfreeze_gradually.case
def one_after_another_and_again(rng: torch.Generator) -> dict[str, Any]:
    return visible._unfreeze_case("long_chain", rng, calls=[4, 3, 3])


@visible.unfreeze_gradually.hidden_judge(one_after_another_and_again, points=1)
def unfreezes_one_after_another(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Two stages unfrozen in turn move, and a repeated call does no harm."""
    visible.the_stage_moves.decide(case, result)
    visible.the_others_stay.decide(case, result)
    visible.the_head_keeps_its_momentum.decide(case, result)


@visible.freeze_again.case
def adamw_on_a_longer_model(rng: torch.Generator) -> dict[str, Any]:
    return visible._refreeze_case("long_chain", rng, optimizer="adamw", k=3)


@visible.freeze_again.hidden_judge(adamw_on_a_longer_model, points=1)
def still_under_adamw(case: dict[str, Any], result: dict[str, Any]) -> None:
    """AdamW does not move the module either, and goes on with the others."""
    visible.still_under_momentum.decide(case, result)
    visible.the_rest_goes_on.decide(case, result)


@visible.freeze_again.case
def zeros_under_adamw(rng: torch.Generator) -> dict[str, Any]:
    return visible._refreeze_case("chain", rng, optimizer="adamw", set_to_none=False, k=1)


@visible.freeze_again.hidden_judge(zeros_under_adamw, points=1)
def still_with_zeros_under_adamw(case: dict[str, Any], result: dict[str, Any]) -> None:
    """AdamW's weight decay does not shrink the module where gradients are filled with zeros."""
    visible.still_with_zeroed_gradients.decide(case, result)


@visible.head_then_all.case
def longer_model_one_batch(rng: torch.Generator) -> dict[str, Any]:
    return visible._two_steps_case("long_chain", rng, batches=1)


@visible.head_then_all.hidden_judge(longer_model_one_batch, points=1)
def two_steps_on_a_longer_model(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The hand-over and the second step hold on another model and another data set."""
    visible.backbone_identical_at_handover.decide(case, result)
    visible.the_head_is_trained_first.decide(case, result)
    visible.then_everything_moves_on_from_there.decide(case, result)


@visible.adapt_low_rank.case
def without_bias_on_tokens(rng: torch.Generator) -> dict[str, Any]:
    return visible._lora_case(rng, inputs=9, outputs=14, r=2, bias=False, extra=(3,))


@visible.adapt_low_rank.hidden_judge(without_bias_on_tokens, points=1)
def adapts_a_layer_over_tokens(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A base without a bias, applied at every token, is adapted and merged as well."""
    visible.the_start_changes_nothing.decide(case, result)
    visible.both_factors_learn.decide(case, result)
    visible.the_update_is_scaled.decide(case, result)
    visible.merging_is_exact.decide(case, result)
