"""A new head that starts from the mean of rows of the old one."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from course.judging import Exercise, Unusable, expect, expect_close, expect_equal, need

exercise = Exercise(
    "03-transfer-rows",
    answer="transfer_rows",
    call="transfer_rows(old, groups)",
    title="Start a head from rows of the old one",
    hints=(
        "Row k of the new weight and entry k of the new bias depend on `groups[k]` alone. What is the mean over no "
        "rows? Try `torch.zeros(0, 4).mean(0)`.",
        "Make the new nn.Linear first, with `bias=old.bias is not None`. Fill its weight inside `torch.no_grad()`, in "
        "place: `new.weight[k] = ...` copies values into memory that belongs to the new layer.",
        "`old.weight[rows].mean(0)` is right for every group that isn't empty, and so is `old.bias[rows].mean()`. For "
        "an empty group, write zeros.",
    ),
    idea="new = nn.Linear(old.in_features, len(groups), bias=old.bias is not None); under torch.no_grad(), for each "
    "group, new.weight[k] = old.weight[rows].mean(0) and new.bias[k] = old.bias[rows].mean(), or 0 for an empty group.",
)


def rows_case(rng: torch.Generator, sizes: list[int], *, bias: bool = True, classes: int = 20) -> dict[str, Any]:
    """An old head, and for each new class as many of its rows as `sizes` says, in no order."""
    return {
        "weight": torch.randn(classes, 16, generator=rng),
        "bias": torch.randn(classes, generator=rng) if bias else None,
        "groups": [torch.randperm(classes, generator=rng)[:size].tolist() for size in sizes],
        "x": torch.randn(6, 16, generator=rng),
    }


@exercise.case
def several_rows_each(rng: torch.Generator) -> dict[str, Any]:
    return rows_case(rng, [3, 5, 2, 7])


@exercise.case
def one_row_and_none(rng: torch.Generator) -> dict[str, Any]:
    return rows_case(rng, [1, 0, 4, 1, 0])


@exercise.probe
def probe_transfer_rows(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    classes, inputs = case["weight"].shape
    old = nn.Linear(inputs, classes, bias=case["bias"] is not None)
    with torch.no_grad():
        old.weight.copy_(case["weight"])
        if case["bias"] is not None:
            old.bias.copy_(case["bias"])
    old.requires_grad_(False)  # a frozen model's head
    groups = [list(group) for group in case["groups"]]
    new = need(answer(old, groups), nn.Linear, "a new nn.Linear")
    if new is old:
        raise Unusable("your answer returned the old layer itself; return a new nn.Linear, the old one is still needed")
    weight = new.weight.detach().clone()
    bias = None if new.bias is None else new.bias.detach().clone()
    parameters = list(new.parameters())
    gradients: list[Any] = []
    if all(parameter.requires_grad and parameter.is_leaf for parameter in parameters):
        gradients = list(torch.autograd.grad(new(case["x"]).square().sum(), parameters))
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(1.0)
    return {
        "weight": weight,
        "bias": bias,
        "out_features": new.out_features,
        "gradients": gradients,
        "old_weight": old.weight.detach().clone(),
        "old_bias": None if old.bias is None else old.bias.detach().clone(),
    }


def expected_rows(values: torch.Tensor, groups: list[list[int]]) -> torch.Tensor:
    """The mean over each group of rows (or of entries of the bias); zeros for an empty group."""
    return torch.stack([values[rows].mean(0) if rows else torch.zeros_like(values[0]) for rows in groups])


def judge_rows(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the new weight's rows are the means of the groups."""
    weight, groups = case["weight"], case["groups"]
    size, count = [len(groups), weight.shape[1]], torch.tensor([float(len(rows)) for rows in groups])
    expect_equal(
        list(result["weight"].shape),
        size,
        tried="the shape of the new weight",
        because="the new head has one row per group, as long as the old ones: a row of a head's weight is a class",
    )
    expected = expected_rows(weight, groups)
    shifted = [[(row + 1) % len(weight) for row in rows] for rows in groups]
    first = torch.stack([weight[rows[0]] if rows else torch.zeros_like(weight[0]) for rows in groups])
    unit = functional.normalize(weight, dim=1)
    filled = [rows or [row for other in groups for row in other] for rows in groups]
    mistakes = {
        "these are sums: divide by the number of rows, or a class with many rows gets large logits": expected
        * count[:, None],
        "each class got the first row of its group alone": first,
        "the rows are one off: row numbers start at 0": expected_rows(weight, shifted),
        "the rows were scaled to length 1 first: the length of a row is part of what the old head learned": (
            expected_rows(unit, groups)
        ),
        "an empty group got the mean of rows of other classes": expected_rows(weight, filled),
    }
    tried = f"the weight for the groups {groups}"
    if not bool(torch.isfinite(result["weight"]).all()):
        because = (
            "the mean over no rows is NaN, and one NaN in the head makes the whole loss NaN: an empty group gets 0"
        )
        expect(False, tried=tried, got="a weight with NaN in it", expected="numbers", because=because)
    expect_close(
        result["weight"],
        expected,
        tried=tried,
        mistakes=mistakes,
        because="row k of the new weight is the mean of the old rows that groups[k] lists; a group that lists none "
        "gets zeros",
    )


def judge_bias(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the bias is made like the weight, or absent like the old one's."""
    tried = "the bias of the new head"
    if case["bias"] is None:
        expect(
            result["bias"] is None or not bool(result["bias"].any()),
            tried=f"{tried}, made from a head without a bias",
            got=result["bias"],
            expected="no bias, or zeros",
            because="a new nn.Linear draws a random bias unless you say bias=False",
        )
        return
    expected = expected_rows(case["bias"], case["groups"])
    mistakes = {"the bias is zero: the old head's bias is part of its logits": torch.zeros_like(expected)}
    expect_close(
        result["bias"],
        expected,
        tried=tried,
        mistakes=mistakes,
        because="the bias has one entry per class, and is averaged like the rows: the logit of a mean row needs the "
        "mean bias",
    )


@exercise.judge(several_rows_each, points=2)
def the_mean_of_each_group(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each row, and its entry of the bias, is the mean over the rows of its group."""
    judge_rows(case, result)
    judge_bias(case, result)


@exercise.judge(one_row_and_none, points=1)
def a_group_without_rows(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A class without any old row starts at zero, and a single row is copied as it is."""
    judge_rows(case, result)
    judge_bias(case, result)


@exercise.judge(one_row_and_none, points=1)
def the_old_head_is_safe(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The new head is trainable, and training it leaves the old head as it was."""
    judge_rows(case, result)
    changed = int((result["old_weight"] != case["weight"]).any(1).sum())
    if case["bias"] is not None:
        changed += int((result["old_bias"] != case["bias"]).sum())
    expect(
        changed == 0,
        tried="adding one to every parameter of the new head",
        got=f"{changed} rows or biases of the pretrained head changed",
        expected="the pretrained head stays as it was",
        because="the two heads share memory, or your function wrote into the old one: copy values, don't keep views",
    )
    weight, bias = result["weight"].clone().requires_grad_(), result["bias"]
    logits = functional.linear(case["x"], weight, bias)
    slope = torch.autograd.grad(logits.square().sum(), weight)[0]
    got = result["gradients"][0] if result["gradients"] else None
    expect(
        isinstance(got, torch.Tensor) and got.shape == slope.shape and torch.allclose(got, slope, rtol=1e-3, atol=1e-4),
        tried="asking for the gradient of the new parameters; the old head was frozen",
        got="a parameter that can't be trained" if got is None else "another gradient than this layer has",
        expected="a gradient for the weight and the bias",
        because="put the values into new parameters, which require a gradient; rows that are cut out of a frozen layer "
        "are frozen, too",
    )
