"""Hidden judges of chapter 03: other architectures, other numbers of classes, rows that repeat, three tasks."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_runs
from course.exercises.nb03_replace_the_head import (
    build_optimizer,
    investigate_head,
    old_head,
    replace_head,
    share_backbone,
    transfer_rows,
    write_loss,
)


@replace_head.exercise.case
def small_cnn(rng: torch.Generator) -> dict[str, Any]:
    return old_head.head_case("cnn", rng)


@replace_head.exercise.hidden_judge(small_cnn, points=1)
def head_of_an_unknown_architecture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A custom network with its head inside a Sequential gets a new last layer as well."""
    replace_head.judge_head(case, result)


@replace_head.exercise.case
def two_classes(rng: torch.Generator) -> dict[str, Any]:
    return old_head.head_case("vgg", rng, num_classes=2)


@replace_head.exercise.hidden_judge(two_classes, points=1)
def fewer_classes_than_before(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Two classes work as well as nine."""
    replace_head.judge_head(case, result)


@build_optimizer.exercise.case
def a_vgg(rng: torch.Generator) -> dict[str, Any]:
    return build_optimizer.optimizer_case("vgg", rng)


@build_optimizer.exercise.hidden_judge(a_vgg, points=1)
def the_head_of_a_vgg_learns(case: dict[str, Any], result: dict[str, Any]) -> None:
    """One step moves the new head of a VGG and nothing before it."""
    build_optimizer.the_head_learns.decide(case, result)
    build_optimizer.the_backbone_stays.decide(case, result)
    build_optimizer.decay_for_the_weight_alone.decide(case, result)


@transfer_rows.exercise.case
def overlapping_groups(rng: torch.Generator) -> dict[str, Any]:
    case = transfer_rows.rows_case(rng, [4, 6, 1], classes=9)
    first, second, _ = case["groups"]
    case["groups"].append([*first, next(row for row in second if row not in first)])  # an old class may start two
    return case


@transfer_rows.exercise.hidden_judge(overlapping_groups, points=1)
def an_old_row_may_start_two_classes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An old row that is in two groups counts in both."""
    transfer_rows.judge_rows(case, result)
    transfer_rows.judge_bias(case, result)


@transfer_rows.exercise.case
def without_bias(rng: torch.Generator) -> dict[str, Any]:
    return transfer_rows.rows_case(rng, [2, 3, 0], bias=False)


@transfer_rows.exercise.hidden_judge(without_bias, points=1)
def a_head_without_bias(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A head without a bias gives a head without a bias."""
    transfer_rows.judge_rows(case, result)
    transfer_rows.judge_bias(case, result)


@write_loss.exercise.case
def a_transformer(rng: torch.Generator) -> dict[str, Any]:
    return write_loss.loss_case("vit", rng)


@write_loss.exercise.hidden_judge(a_transformer, points=1)
def the_loss_of_a_transformer(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss and its gradient are right for a transformer."""
    write_loss.judge_value(case, result)
    write_loss.the_gradient_arrives.decide(case, result)


@write_loss.exercise.case
def a_transformer_with_several_labels(rng: torch.Generator) -> dict[str, Any]:
    return write_loss.several(write_loss.loss_case("vit", rng), rng)


@write_loss.exercise.hidden_judge(a_transformer_with_several_labels, points=1)
def several_labels_of_a_transformer(case: dict[str, Any], result: dict[str, Any]) -> None:
    """So are those for several labels per picture."""
    write_loss.judge_value(case, result)
    write_loss.the_gradient_arrives.decide(case, result)


@share_backbone.exercise.case
def three_tasks(rng: torch.Generator) -> dict[str, Any]:
    return share_backbone.multi_case(rng, {"kind": 2, "colour": 7, "size": 3}, {"kind": 9, "colour": 0, "size": 17})


@share_backbone.exercise.hidden_judge(three_tasks, points=1)
def three_heads_one_of_them_idle(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Three tasks with other names, one of them without labels in this batch."""
    share_backbone.judge_loss(case, result)
    share_backbone.one_pass_through_the_backbone.decide(case, result)


@investigate_head.exercise.hidden_judge(investigate_head.the_record, points=1)
def every_run_was_a_run_of_its_own(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each setting was measured with every seed, not once for all of them."""
    judge_runs(result)
