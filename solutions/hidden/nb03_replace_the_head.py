"""Hidden judges of chapter 03: other architectures, other numbers of classes, rows that repeat."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises import nb03_replace_the_head as visible


@visible.replace_the_head.case
def small_cnn(rng: torch.Generator) -> dict[str, Any]:
    return visible._head_case("cnn", rng)


@visible.replace_the_head.hidden_judge(small_cnn, points=1)
def head_of_an_unknown_architecture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A network of our own, its head inside a Sequential, gets a new last layer as well."""
    visible.judge_head(case, result)


@visible.replace_the_head.case
def two_classes(rng: torch.Generator) -> dict[str, Any]:
    return {**visible._head_case("vgg", rng), "num_classes": 2}


@visible.replace_the_head.hidden_judge(two_classes, points=1)
def fewer_classes_than_before(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Two classes are as good as nine."""
    visible.judge_head(case, result)


@visible.build_optimizer.case
def a_vgg(rng: torch.Generator) -> dict[str, Any]:
    return visible._build_case("vgg", rng)


@visible.build_optimizer.hidden_judge(a_vgg, points=1)
def the_head_of_a_vgg_learns(case: dict[str, Any], result: dict[str, Any]) -> None:
    """One step moves the new head of a VGG and nothing before it."""
    visible.the_head_learns.decide(case, result)
    visible.the_backbone_stays.decide(case, result)


@visible.copy_rows.case
def repeated_rows(rng: torch.Generator) -> dict[str, Any]:
    index = torch.randint(9, (12,), generator=rng)
    return {"weight": torch.randn(9, 12, generator=rng), "index": index}


@visible.copy_rows.hidden_judge(repeated_rows, points=1)
def a_row_may_come_twice(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The same row may start two classes: order and repeats are kept."""
    visible.the_rows_that_were_asked_for.decide(case, result)


@visible.write_loss.case
def a_transformer(rng: torch.Generator) -> dict[str, Any]:
    return visible._loss_case("vit", rng)


@visible.write_loss.hidden_judge(a_transformer, points=1)
def the_loss_of_a_transformer(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss and its gradient are right for a transformer."""
    visible.judge_value(case, result)
    visible.the_gradient_arrives.decide(case, result)
