"""Hidden judges of chapter 03: other architectures, other numbers of classes, rows that repeat."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.nb03_replace_the_head import build_optimizer, old_head, replace_head, transfer_rows, write_loss


@replace_head.exercise.case
def small_cnn(rng: torch.Generator) -> dict[str, Any]:
    return old_head.head_case("cnn", rng)


@replace_head.exercise.hidden_judge(small_cnn, points=1)
def head_of_an_unknown_architecture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A network of our own, its head inside a Sequential, gets a new last layer as well."""
    replace_head.judge_head(case, result)


@replace_head.exercise.case
def two_classes(rng: torch.Generator) -> dict[str, Any]:
    return old_head.head_case("vgg", rng, num_classes=2)


@replace_head.exercise.hidden_judge(two_classes, points=1)
def fewer_classes_than_before(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Two classes are as good as nine."""
    replace_head.judge_head(case, result)


@build_optimizer.exercise.case
def a_vgg(rng: torch.Generator) -> dict[str, Any]:
    return old_head.head_case("vgg", rng)


@build_optimizer.exercise.hidden_judge(a_vgg, points=1)
def the_head_of_a_vgg_learns(case: dict[str, Any], result: dict[str, Any]) -> None:
    """One step moves the new head of a VGG and nothing before it."""
    build_optimizer.the_head_learns.decide(case, result)
    build_optimizer.the_backbone_stays.decide(case, result)


@transfer_rows.exercise.case
def repeated_rows(rng: torch.Generator) -> dict[str, Any]:
    index = torch.randint(9, (12,), generator=rng)
    return {"weight": torch.randn(9, 12, generator=rng), "index": index}


@transfer_rows.exercise.hidden_judge(repeated_rows, points=1)
def a_row_may_come_twice(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The same row may start two classes: order and repeats are kept."""
    transfer_rows.the_rows_that_were_asked_for.decide(case, result)


@write_loss.exercise.case
def a_transformer(rng: torch.Generator) -> dict[str, Any]:
    return write_loss.loss_case("vit", rng)


@write_loss.exercise.hidden_judge(a_transformer, points=1)
def the_loss_of_a_transformer(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss and its gradient are right for a transformer."""
    write_loss.judge_value(case, result)
    write_loss.the_gradient_arrives.decide(case, result)
