"""Hidden judges of chapter 04: longer models, frozen stages, AdamW, repeated calls, other ranks."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_runs
from course.exercises.nb04_fine_tune import (
    adapt_low_rank,
    find_a_rate,
    freeze_again,
    group_by_depth,
    head_then_everything,
    investigate_a_change,
    unfreeze_a_stage,
)


@group_by_depth.exercise.case
def two_stages_frozen(rng: torch.Generator) -> dict[str, Any]:
    return group_by_depth.rates_case("long_chain", rng, frozen=2)


@group_by_depth.exercise.hidden_judge(two_stages_frozen, points=1)
def rates_fall_on_a_longer_model(case: dict[str, Any], result: dict[str, Any]) -> None:
    """On a longer model with two frozen stages the groups are right as well."""
    group_by_depth.every_parameter_once.decide(case, result)
    group_by_depth.rates_fall_with_depth.decide(case, result)
    group_by_depth.biases_and_norms_do_not_decay.decide(case, result)


@unfreeze_a_stage.exercise.case
def one_after_another_and_again(rng: torch.Generator) -> dict[str, Any]:
    return unfreeze_a_stage.unfreeze_case("long_chain", rng, calls=[4, 3, 3])


@unfreeze_a_stage.exercise.hidden_judge(one_after_another_and_again, points=1)
def unfreezes_one_after_another(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Two stages unfrozen one after the other train, and a repeated call changes nothing."""
    unfreeze_a_stage.a_second_call_does_nothing.decide(case, result)
    unfreeze_a_stage.the_stage_moves.decide(case, result)
    unfreeze_a_stage.the_others_stay.decide(case, result)
    unfreeze_a_stage.the_head_keeps_its_momentum.decide(case, result)


@freeze_again.exercise.case
def adamw_on_a_longer_model(rng: torch.Generator) -> dict[str, Any]:
    return freeze_again.refreeze_case("long_chain", rng, optimizer="adamw", k=3)


@freeze_again.exercise.hidden_judge(adamw_on_a_longer_model, points=1)
def still_under_adamw(case: dict[str, Any], result: dict[str, Any]) -> None:
    """AdamW does not move the module either, and keeps training the others."""
    freeze_again.still_under_momentum.decide(case, result)
    freeze_again.the_rest_goes_on.decide(case, result)


@freeze_again.exercise.case
def zeros_under_adamw(rng: torch.Generator) -> dict[str, Any]:
    return freeze_again.refreeze_case("chain", rng, optimizer="adamw", set_to_none=False, k=4)  # the head, one layer


@freeze_again.exercise.hidden_judge(zeros_under_adamw, points=1)
def still_with_zeros_under_adamw(case: dict[str, Any], result: dict[str, Any]) -> None:
    """AdamW's weight decay does not shrink the module where gradients are filled with zeros."""
    freeze_again.still_with_zeroed_gradients.decide(case, result)


@head_then_everything.exercise.case
def longer_model_one_batch(rng: torch.Generator) -> dict[str, Any]:
    return head_then_everything.two_steps_case("long_chain", rng, batches=1)


@head_then_everything.exercise.hidden_judge(longer_model_one_batch, points=1)
def two_steps_on_a_longer_model(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Both steps are right on a longer model and other data."""
    head_then_everything.backbone_identical_at_handover.decide(case, result)
    head_then_everything.the_head_is_trained_first.decide(case, result)
    head_then_everything.then_everything_moves_on_from_there.decide(case, result)


@adapt_low_rank.exercise.case
def without_bias_on_tokens(rng: torch.Generator) -> dict[str, Any]:
    return adapt_low_rank.lora_case(rng, inputs=9, outputs=14, r=2, bias=False, extra=(3,))


@adapt_low_rank.exercise.hidden_judge(without_bias_on_tokens, points=1)
def adapts_a_layer_over_tokens(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A base without a bias, applied to a sequence of tokens, is adapted and merged as well."""
    adapt_low_rank.the_start_changes_nothing.decide(case, result)
    adapt_low_rank.both_factors_learn.decide(case, result)
    adapt_low_rank.the_update_is_scaled.decide(case, result)
    adapt_low_rank.merging_is_exact.decide(case, result)


@find_a_rate.exercise.case
def two_batches_of_a_longer_model(rng: torch.Generator) -> dict[str, Any]:
    return find_a_rate.range_case("long_chain", rng, high=0.2, steps=9, batches=2, training=False)


@find_a_rate.exercise.hidden_judge(two_batches_of_a_longer_model, points=1)
def tests_a_longer_model(case: dict[str, Any], result: dict[str, Any]) -> None:
    """On a longer model, handed over in eval mode, the test is right as well."""
    find_a_rate.rates_grow_by_a_factor.decide(case, result)
    find_a_rate.losses_are_those_of_the_steps.decide(case, result)
    find_a_rate.the_model_is_unchanged.decide(case, result)


@find_a_rate.exercise.case
def a_batch_without_a_loss(rng: torch.Generator) -> dict[str, Any]:
    case = find_a_rate.range_case("chain", rng, high=0.2, steps=9, batches=4)
    case["x"][3][0, 0, 0, 0] = float("nan")
    return case


@find_a_rate.exercise.hidden_judge(a_batch_without_a_loss, points=1)
def stops_at_a_loss_that_is_no_number(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The run ends with the first loss that is not finite, NaN too."""
    find_a_rate.it_stops_at_divergence.decide(case, result)


@investigate_a_change.exercise.hidden_judge(investigate_a_change.the_record, points=1)
def every_run_was_a_run_of_its_own(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each setting was measured with every seed, not once for all of them."""
    judge_runs(result)
