"""The weights between two models: exact at both ends, integers kept as integers, and neither model changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from course.judging import Exercise, Unusable, Wrong, expect, expect_close, need

State = dict[str, torch.Tensor]

exercise = Exercise(
    "10-interpolate-weights",
    answer="interpolate",
    call="interpolate(a, b, alpha)",
    title="A model between two models",
    withholds=("course.models.interpolation.interpolate",),
    hints=(
        "A state dict maps names to tensors, so build another one with the same names. Then decide what happens to "
        "each tensor: can it be averaged?",
        "`num_batches_tracked` of a BatchNorm is an int64 tensor. The mean of two counts isn't a count, and a float in "
        "its place doesn't fit the model. `tensor.is_floating_point()` tells the two kinds apart.",
        "`.clone()` whatever you copy: a tensor that is returned as it is shares its memory with the model. And which "
        "of the two formulas, (1 - alpha) * a + alpha * b or a + alpha * (b - a), is exact at both ends in float32?",
    ),
    idea="{name: (1 - alpha) * a[name] + alpha * b[name] if a[name].is_floating_point() else "
    "(b if alpha > 0.5 else a)[name].clone() for name in a}.",
)


@exercise.case
def two_states(rng: torch.Generator) -> dict[str, Any]:
    return states_case(rng)


def states_case(rng: torch.Generator, *, layers: int = 2, width: int = 5) -> dict[str, Any]:
    """Two states of one network with BatchNorm, and shares of the second on both sides of one half and at it."""
    below, above = (0.1 + 0.3 * torch.rand(2, generator=rng) + torch.tensor([0.0, 0.5])).tolist()
    a, b = _state(rng, layers, width), _state(rng, layers, width)
    return {"a": a, "b": b, "alphas": [0.0, 1.0, round(below, 3), round(above, 3), 0.5]}


def _state(rng: torch.Generator, layers: int, width: int) -> State:
    state: State = {}
    for i in range(layers):
        state[f"{i}.weight"] = torch.randn(width, width, generator=rng)
        state[f"{i}.running_var"] = torch.rand(width, generator=rng) + 0.5
        state[f"{i}.num_batches_tracked"] = torch.randint(100, 100_000, (), generator=rng)
        state[f"{i}.order"] = torch.randperm(width, generator=rng)
    return state


@exercise.probe
def probe_interpolate(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    made, kept_a, kept_b, written_a, written_b = [], [], [], [], []
    for alpha in case["alphas"]:
        a, b = ({name: value.clone() for name, value in case[key].items()} for key in ("a", "b"))
        returned = need(answer(a, b, alpha), dict, "a state: a dict from name to tensor")
        other = [name for name, value in returned.items() if not isinstance(value, torch.Tensor)]
        if other:
            raise Unusable(f"{other[0]!r} is a {type(returned[other[0]]).__name__}; a state's values are tensors")
        made.append({str(name): value.detach().clone() for name, value in returned.items()})
        kept_a.append({name: value.clone() for name, value in a.items()})
        kept_b.append({name: value.clone() for name, value in b.items()})
        for value in returned.values():  # as training from this state would
            value.detach().add_(1)
        written_a.append({name: value.clone() for name, value in a.items()})
        written_b.append({name: value.clone() for name, value in b.items()})
    return {
        "made": made,
        "kept_a": kept_a,
        "kept_b": kept_b,
        "written_a": written_a,
        "written_b": written_b,
    }


def between(a: State, b: State, alpha: float) -> State:
    """The state at `alpha`: averages of float tensors, copies of the nearer model's other tensors."""
    nearer = b if alpha > 0.5 else a
    return {
        name: (1 - alpha) * a[name] + alpha * b[name] if a[name].is_floating_point() else nearer[name] for name in a
    }


def _floats(state: State) -> State:
    return {name: value for name, value in state.items() if name.endswith(("weight", "running_var"))}


AVERAGE = "each float tensor is (1 - alpha) * a + alpha * b"
MISTAKES: dict[str, Callable[[State, State, float], State]] = {
    "the two models are swapped: alpha is the share of b": lambda a, b, t: between(a, b, 1 - t),
    "this is a, whatever alpha is": lambda a, b, t: a,
    "this is b, whatever alpha is": lambda a, b, t: b,
    "this is the middle, whatever alpha is": lambda a, b, t: between(a, b, 0.5),
    "this is a + alpha * b; the share of a must fall as that of b rises": lambda a, b, t: {
        name: a[name] + t * b[name] for name in a
    },
    "this step, alpha * (b - a), is still to be added to a": lambda a, b, t: {n: t * (b[n] - a[n]) for n in a},
    "only the weights were averaged; average the running statistics too": lambda a, b, t: {
        name: value if name.endswith("weight") else a[name] for name, value in between(a, b, t).items()
    },
    "only the weights were averaged, and the running statistics are b's: average them too": lambda a, b, t: {
        name: value if name.endswith("weight") else b[name] for name, value in between(a, b, t).items()
    },
}


def _expect_names(case: dict[str, Any], result: dict[str, Any], *, of_fractions: bool = False) -> None:
    """Raise Wrong unless every state has the models' names, or at least those of float tensors."""
    names = set(case["a"])
    needed = set(_floats(case["a"])) if of_fractions else names
    expect(
        len(result["made"]) == len(case["alphas"]), tried="counting the states", got=0, expected="one for each alpha"
    )
    for state in result["made"]:
        missing, extra = sorted(needed - set(state)), sorted(set(state) - names)
        because = "a tensor that can't be averaged must still be there, or the model can't load the state"
        expect(
            not missing and not extra,
            tried="reading the names in the returned state",
            got=f"{len(missing)} missing, {', '.join(missing[:2])}" if missing else f"also {', '.join(extra[:2])}",
            expected=f"the {len(names)} of both models",
            because=because if missing else "the state has the names of the two that were passed, and no others",
        )


@exercise.judge(two_states, points=1)
def both_ends_are_exact(case: dict[str, Any], result: dict[str, Any]) -> None:
    """At alpha 0 every tensor equals a's and at alpha 1 it equals b's, bit for bit."""
    judge_ends(case, result)


def judge_ends(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the state at 0 is a and the one at 1 is b, floats and integers."""
    _expect_names(case, result)
    for alpha, made in list(zip(case["alphas"], result["made"], strict=True))[:2]:
        end = case["b"] if alpha else case["a"]
        wrong = next((name for name in end if not _equal(made[name], end[name])), None)
        if wrong is None:
            continue
        tried, got, expected = f"{wrong!r} at alpha {alpha:g}", made[wrong], end[wrong]
        because = (
            "close, but not identical: (1 - alpha) * a + alpha * b is exact at both ends in float32; "
            "a + alpha * (b - a), for example, rounds twice"
        )
        if got.dtype != expected.dtype:
            because = f"this tensor is {str(got.dtype)[6:]}; it was {str(expected.dtype)[6:]} in both models"
        elif not expected.is_floating_point():
            because = "at alpha 0 every tensor is a's and at alpha 1 b's, those that can't be averaged as well"
        elif got.shape != expected.shape or not torch.allclose(got, expected, rtol=1e-4, atol=1e-4):
            because = _mistake(case, result["made"]) or AVERAGE
        raise Wrong(tried=tried, got=_first(got), expected=_first(expected), because=because)


@exercise.judge(two_states, points=1)
def in_between_it_is_the_average(case: dict[str, Any], result: dict[str, Any]) -> None:
    """In between, weights and running statistics are (1 - alpha) a + alpha b."""
    judge_middle(case, result)


def judge_middle(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless float tensors are averaged by alpha."""
    _expect_names(case, result, of_fractions=True)
    because = _mistake(case, result["made"]) or AVERAGE
    for alpha, made in list(zip(case["alphas"], result["made"], strict=True))[2:]:
        expected = _floats(between(case["a"], case["b"], alpha))
        for name, value in expected.items():
            expect_close(made[name], value, tried=f"{name!r} at alpha {alpha:g}", atol=1e-5, because=because)


@exercise.judge(two_states, points=1)
def whole_numbers_survive(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Counters and indices stay integers: a's up to alpha one half, b's above it."""
    judge_whole_numbers(case, result)


def judge_whole_numbers(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless integer tensors are those of the nearer model, at every alpha."""
    _expect_names(case, result)
    for alpha, made in zip(case["alphas"], result["made"], strict=True):
        expected = between(case["a"], case["b"], alpha)
        for name in expected.keys() - _floats(expected).keys():
            got, tried = made[name], f"{name!r} at alpha {alpha:g}"
            kind = str(got.dtype).removeprefix("torch.")
            because = (
                "integers became floats: the model can't count or index with them"
                if got.is_floating_point()
                else "these are neither a's nor b's: a count or an order can't be averaged, only taken from one of them"
            )
            if any(_equal(got, state[name]) for state in (case["a"], case["b"])):
                because = "up to alpha one half take a's, above it b's"
            if not _equal(got, expected[name]):
                raise Wrong(
                    tried=tried, got=f"{_first(got)} ({kind})", expected=f"{_first(expected[name])}", because=because
                )


@exercise.judge(two_states, points=1)
def both_models_stay_as_they_are(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Neither a nor b has changed, even after the result was written to."""
    judge_untouched(case, result)


def judge_untouched(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless both states are bit-identical afterwards, and the result shares no memory with them."""
    _expect_names(case, result, of_fractions=True)
    for alpha, made in list(zip(case["alphas"], result["made"], strict=True))[2:]:
        expected = _floats(between(case["a"], case["b"], alpha))
        follows = all(torch.allclose(made[n].double(), v.double(), atol=1e-4) for n, v in expected.items())
        expect(
            follows or _mistake(case, result["made"], moving=True),
            tried=f"the state at alpha {alpha:g}",
            got="values that follow none of the formulas known here",
            expected="a state between the two",
            because="fix the average first",
        )
    for when, because in {
        "kept": "the models were changed: `+=`, `mul_` and the like write into the tensors that were passed",
        "written": "the result shares memory with a model, so training the result changes that model: use `.clone()`",
    }.items():
        for model in ("a", "b"):
            for alpha, state in zip(case["alphas"], result[f"{when}_{model}"], strict=True):
                changed = [name for name in case[model] if not _equal(state.get(name), case[model][name])]
                expect(
                    not changed,
                    tried=f"comparing {model} around a call with alpha {alpha:g}"
                    + (", after writing to the result" if when == "written" else ""),
                    got=f"{changed[0]!r} changed" if changed else "",
                    expected="as it was",
                    because=because,
                )


def _mistake(case: dict[str, Any], made: list[State], *, moving: bool = False) -> str:
    """The mistake that gives the floats at every alpha; with `moving`, only one whose result depends on both models."""
    for because, formula in MISTAKES.items():
        states = [_floats(formula(case["a"], case["b"], alpha)) for alpha in case["alphas"]]
        static = because.startswith("this is")
        same = all(
            got[name].shape == value.shape and torch.allclose(got[name].double(), value.double(), atol=1e-5)
            for got, expected in zip(made, states, strict=True)
            for name, value in expected.items()
        )
        if same and not (moving and static):
            return because
    return ""


def _equal(got: Any, expected: torch.Tensor) -> bool:
    return (
        isinstance(got, torch.Tensor)
        and got.shape == expected.shape
        and got.dtype == expected.dtype
        and torch.equal(got, expected)
    )


def _first(tensor: torch.Tensor) -> Any:
    return tensor if tensor.numel() <= 6 else tensor.flatten()[:4]
