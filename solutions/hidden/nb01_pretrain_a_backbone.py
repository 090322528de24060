"""Hidden judges of chapter 01: another architecture and optimiser, other temperatures, other ids, other sizes."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_runs
from course.exercises.nb01_pretrain_a_backbone import (
    investigate_contrast,
    mask_tokens,
    score_collapse,
    train_step,
    write_byol_step,
    write_nt_xent,
)


@train_step.exercise.case
def head_only(rng: torch.Generator) -> dict[str, Any]:
    return train_step.step_case("vgg", rng, part="classifier")


@train_step.exercise.hidden_judge(head_only, points=1)
def moves_what_the_optimiser_holds(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With an optimiser that holds only the classifier, three steps lead where SGD leads."""
    train_step.gradients_do_not_pile_up.decide(case, result)


@write_nt_xent.exercise.case
def cold(rng: torch.Generator) -> dict[str, Any]:
    return write_nt_xent.views_case(rng, 9, 5, 0.07, batches=2)


@write_nt_xent.exercise.hidden_judge(cold, points=1)
def holds_at_a_low_temperature(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss and its gradient are right at temperatures near 0.07, with more rows than columns."""
    write_nt_xent.equal_to_the_formula.decide(case, result)
    write_nt_xent.the_gradient_reaches_z.decide(case, result)


@mask_tokens.exercise.case
def other_ids(rng: torch.Generator) -> dict[str, Any]:
    return mask_tokens.words_case(rng, 0.4, order=(1, 0, 2, 199))


@mask_tokens.exercise.hidden_judge(other_ids, points=1)
def reads_the_special_ids(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With other ids for the special tokens and another p, everything still holds."""
    mask_tokens.special_tokens_are_never_chosen.decide(case, result)
    mask_tokens.labels_are_the_hidden_words.decide(case, result)
    mask_tokens.eighty_ten_ten.decide(case, result)


@score_collapse.exercise.case
def other_size(rng: torch.Generator) -> dict[str, Any]:
    return score_collapse.clouds_case(rng, 600, 96, dead=True)


@score_collapse.exercise.hidden_judge(other_size, points=1)
def holds_for_other_sizes(case: dict[str, Any], result: dict[str, list[float]]) -> None:
    """The score needs no particular size, and a dead embedding (all zeros) scores 0."""
    score_collapse.near_zero_when_collapsed.decide(case, result)
    score_collapse.near_one_when_spread_out.decide(case, result)
    score_collapse.between_for_the_rest.decide(case, result)


@write_byol_step.exercise.case
def one_row(rng: torch.Generator) -> dict[str, Any]:
    return write_byol_step.updates_case(rng, 0.99, rows=1, updates=4)


@write_byol_step.exercise.hidden_judge(one_row, points=1)
def holds_for_one_row_and_a_slow_teacher(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With a single row per view and a momentum of 0.99, everything still holds."""
    write_byol_step.the_student_follows_the_teacher.decide(case, result)
    write_byol_step.the_teacher_moves_slowly.decide(case, result)
    write_byol_step.gradients_do_not_pile_up.decide(case, result)


@investigate_contrast.exercise.hidden_judge(investigate_contrast.the_record, points=1)
def every_run_was_a_run_of_its_own(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each setting was measured with every seed, not once for all of them."""
    judge_runs(result)
