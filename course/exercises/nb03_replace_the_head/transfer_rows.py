"""A new head that starts from rows of the old one."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from course.judging import Exercise, expect, expect_equal, need

exercise = Exercise(
    "03-transfer-rows",
    answer="transfer_rows",
    call="transfer_rows(weight, index)",
    title="Copy rows out of a pretrained head",
    hints=(
        "`weight[index]` has the right values. Is it a copy? Try both kinds of index, and change what you get.",
        "A slice gives a view: the same memory, seen through a smaller window. A tensor of row numbers gives a copy.",
        "`.detach()` leaves the graph of the old head, `.clone()` takes memory of its own. You need both.",
    ),
    idea="return weight[index].detach().clone()",
)


@exercise.case
def listed_rows(rng: torch.Generator) -> dict[str, Any]:
    return {"weight": torch.randn(20, 24, generator=rng), "index": torch.randperm(20, generator=rng)[:4]}


@exercise.case
def neighbouring_rows(rng: torch.Generator) -> dict[str, Any]:
    start = int(torch.randint(1, 10, (), generator=rng))
    return {"weight": torch.randn(20, 24, generator=rng), "slice": [start, start + 6]}


@exercise.probe
def probe_transfer_rows(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    weight = nn.Parameter(case["weight"].clone())
    index = slice(*case["slice"]) if "slice" in case else case["index"]
    rows = need(answer(weight, index), torch.Tensor, "one tensor of rows")
    returned = rows.detach().clone()
    # Rows with a history are left out of the second: a flag alone could be set by whoever knows that it is looked at.
    without_history = None if rows.grad_fn is not None else returned.clone()
    with torch.no_grad():
        rows.add_(1.0)
    after_rows_changed = weight.detach().clone()
    with torch.no_grad():
        weight.mul_(-2.0)
    return {
        "rows": returned,
        "without_history": without_history,
        "weight": after_rows_changed,
        "rows_plus_one": rows.detach().clone(),
    }


@exercise.judge(listed_rows, points=1)
def the_rows_that_were_asked_for(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The rows are those of the index, exact and in its order."""
    weight = case["weight"]
    index = torch.arange(*case["slice"]) if "slice" in case else case["index"]
    mistakes = {
        "these are columns: a row of a head's weight is a class, a column is a feature": weight[:, index],
        "the rows are in another order: row i of the new head belongs to your class i": weight[index.sort().values],
        "the rows are in another order than the index, or repeated ones came once": weight[index.unique()],
        "the rows are one too far: row numbers start at 0": weight[(index + 1) % len(weight)],
        "the rows were scaled to length 1: copy them as they are": functional.normalize(weight[index], dim=1),
        "the rows were averaged into one": weight[index].mean(0),
        "the rows are transposed": weight[index].T,
    }
    expect_equal(result["rows"], weight[index], tried=f"the rows {index.tolist()} of a head", mistakes=mistakes)


@exercise.judge(neighbouring_rows, points=1)
def the_old_head_is_safe(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Training the copied rows leaves the old head as it was, and the other way round."""
    the_rows_that_were_asked_for.decide(case, result)
    changed = int((result["weight"] != case["weight"]).any(1).sum())
    follows = not torch.equal(result["rows_plus_one"], result["rows"] + 1.0)
    expect(
        changed == 0 and not follows,
        tried=f"changing the rows that you return for slice({case['slice'][0]}, {case['slice'][1]})",
        got=f"{changed} rows of the pretrained head changed with them" if changed else "rows that follow the old head",
        expected="the pretrained head stays as it was",
        because="a slice is a view on the same memory: what trains one trains the other. Clone it",
    )


@exercise.judge(neighbouring_rows, points=1)
def the_rows_have_no_history(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The copied rows carry no graph of the old head."""
    expect(
        isinstance(result["without_history"], torch.Tensor),
        tried="reading `.grad_fn` of the rows",
        got="a graph that leads back to the old head",
        expected="None",
        because="a clone remembers where it came from: gradients would flow into the old head. Detach it as well",
    )
    the_rows_that_were_asked_for.decide(case, {"rows": result["without_history"]})
