"""What `course new-exercise` writes: a small exercise that works, to be changed part by part into the one you mean."""

from __future__ import annotations

EXERCISE = '''\
"""@TITLE@."""

from __future__ import annotations

from typing import Any

import torch

from course.judging import Exercise, Wrong, expect_close, need

exercise = Exercise(
    "@ID@",
    answer="@NAME@",
    call="@NAME@(values)",
    title="@TITLE@",
    hints=("Which method of a tensor adds up its values?",),
    idea="values.sum() / len(values)",
)


@exercise.case
def a_few_values(rng: torch.Generator) -> dict[str, Any]:
    """The inputs, drawn away from the answer: plain data and tensors. The grader draws others for every submission."""
    return {"values": torch.rand(5, generator=rng)}


@exercise.probe
def probe_@NAME@(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    """What the answer did, as plain data and tensors. It runs beside the answer and decides nothing."""
    returned = answer(case["values"])
    return {"mean": need(returned, torch.Tensor, "a tensor of one value")}


@exercise.judge(a_few_values, points=2)
def returns_the_mean(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The mean of the values comes back."""
    values = case["values"]
    mistakes = {"this is their sum: divide by how many there are": values.sum()}
    expect_close(result["mean"], values.mean(), tried="five values", mistakes=mistakes, because="another number came")


@exercise.judge(a_few_values, points=1)
def returns_one_value(case: dict[str, Any], result: dict[str, Any]) -> None:
    """One value comes back, not one for each."""
    if result["mean"].ndim != 0:
        shape = tuple(result["mean"].shape)
        raise Wrong(tried="five values", got=f"a tensor of shape {shape}", expected="one value", because="average them")
'''

HIDDEN = '''\
"""Hidden judges of @ID@, which only the grader knows."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.@PACKAGE@ import @NAME@


@@NAME@.exercise.case
def many_values(rng: torch.Generator) -> dict[str, Any]:
    return {"values": torch.randn(1000, generator=rng)}


@@NAME@.exercise.hidden_judge(many_values, points=1)
def returns_the_mean_of_many(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The mean is right for many values, negative ones too."""
    @NAME@.returns_the_mean.decide(case, result)
'''

WRONG = '''\
"""Answers to @ID@: wrong ones, each named for its mistake, and a right one by another approach."""


def returns_the_sum(values):
    return values.sum()


def returns_all_values(values):
    return values / len(values)


def adds_in_a_loop(values):
    total = 0 * values[0]
    for value in values:
        total = total + value
    return total / len(values)


# Exercise id -> {answer: words that the verdict must contain}.
WRONG = {
    "@ID@": {
        returns_the_sum: "divide by how many there are",
        returns_all_values: "average them",
    },
}

RIGHT = {"@ID@": [adds_in_a_loop]}
'''

PACKAGE = '"""Exercises for chapter @NUMBER@, beside those of the course."""\n'

TEXT = """\
### Exercise: @TITLE@ (3 points)

●○○ · about 5 minutes

Say why it matters, and what to write."""

CELL = '''\
# exercise: @ID@
def @NAME@(values):
    """The mean of `values`, a tensor (N,)."""
    ### BEGIN SOLUTION
    return values.mean()
    ### END SOLUTION'''

POINTS = 3  # of the visible judges above
