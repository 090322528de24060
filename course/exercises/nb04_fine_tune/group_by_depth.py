"""Parameter groups whose learning rate falls with the distance from the head."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from course.exercises import small_models
from course.exercises.tensor_comparison import diverged
from course.judging import Exercise, Unusable, expect, expect_close, need

exercise = Exercise(
    "04-group-by-depth",
    answer="param_groups",
    call="param_groups(model, lr, decay, weight_decay)",
    title="Group parameters by depth",
    withholds=("course.models.param_groups",),
    hints=(
        "An optimiser takes a list of dicts. Parameters may share a dict if they have the same rate and the same "
        "weight decay. How many dicts does one stage need?",
        "model[-1] is the head and has depth 0. How far from the head is model[i], and what is its rate then?",
        "Within a stage, split the trainable parameters by parameter.ndim: a bias and the scale and shift of a "
        "BatchNorm have one dimension, the weights of convolutions and linear layers have two or more.",
    ),
    idea="for depth, stage in enumerate(reversed(model)): collect the parameters with requires_grad in two lists, "
    'ndim > 1 and ndim <= 1; append {"params": ..., "lr": lr * decay**depth, "weight_decay": weight_decay or 0.0} for '
    "each list that is not empty.",
)


@exercise.case
def four_stages(rng: torch.Generator) -> dict[str, Any]:
    return rates_case("chain", rng, frozen=1)


def rates_case(architecture: str, rng: torch.Generator, frozen: int = 0) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": small_models.drawn_state(architecture, rng),
        "lr": 0.1 + 0.4 * float(torch.rand((), generator=rng)),
        "decay": 0.3 + 0.5 * float(torch.rand((), generator=rng)),
        "weight_decay": 0.02 + 0.08 * float(torch.rand((), generator=rng)),
        "frozen": frozen,  # so many stages from the input on are frozen
        "x": small_models.pictures(rng, 8),
        "y": small_models.labels(rng, 8),
    }


@exercise.probe
def probe_param_groups(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = _partly_frozen(case)
    returned = answer(model, case["lr"], case["decay"], case["weight_decay"])
    groups = [_listed(group, case["lr"]) for group in need(returned, Iterable, "a list of dicts, one per group")]
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    named = [
        {
            "lr": group["lr"],
            "weight_decay": group["weight_decay"],
            "names": [names.get(id(item), "") for item in group["params"]],
        }
        for group in groups
    ]
    try:
        optimizer = torch.optim.SGD(groups, lr=case["lr"])
    except ValueError:  # overlapping groups, or tensors that are no parameters: the groups show it
        return {"groups": named, "after": {}}
    nn.functional.cross_entropy(model(case["x"]), case["y"]).backward()
    optimizer.step()
    return {"groups": named, "after": dict(model.state_dict())}


def _partly_frozen(case: dict[str, Any]) -> Any:
    """A model in eval mode, so that one step changes nothing but parameters."""
    model: Any = small_models.restore(case["architecture"], case["state"]).eval()
    model[: case["frozen"]].requires_grad_(False)
    return model


def _listed(group: Any, lr: float) -> dict[str, Any]:
    """A group with its parameters in a list, and its rate and weight decay as numbers."""
    if not isinstance(group, dict) or "params" not in group:
        raise Unusable(
            f'your list holds a {type(group).__name__}; a group is a dict with "params", "lr" and "weight_decay", '
            "as torch.optim takes it"
        )
    params = [group["params"]] if isinstance(group["params"], torch.Tensor) else list(group["params"])
    return {"lr": float(group.get("lr", lr)), "weight_decay": float(group.get("weight_decay", 0)), "params": params}


@exercise.judge(four_stages, points=1)
def every_parameter_once(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every trainable parameter is in exactly one group, and frozen parameters are in none."""
    model = _partly_frozen(case)
    names = [name for group in result["groups"] for name in group["names"]]
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name, p in model.named_parameters() if p.requires_grad and name not in names]
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad and name in names]
    tried = f"your groups for a model of {len(model)} stages, {case['frozen']} of them frozen"
    expect(
        "" not in names,
        tried=tried,
        got="tensors that are not the model's parameters",
        expected="its own parameters",
        because="an optimiser updates the tensors that it is given, so with copies the model would never change",
    )
    expect(
        not twice,
        tried=tried,
        got=f"{len(twice)} parameters in more than one group, for example {', '.join(twice[:2])}",
        expected="each in one group",
        because="the groups overlap, and torch.optim refuses a parameter with two learning rates",
    )
    because = "a parameter in no group is never updated"
    if missing and all(name.startswith("head.") for name in missing):
        because = "the head is in no group, so the new layer keeps its random weights"
    expect(
        not missing,
        tried=tried,
        got=f"{len(missing)} trainable parameters in no group, for example {', '.join(missing[:2])}",
        expected="none left out",
        because=because,
    )
    expect(
        not frozen,
        tried=tried,
        got=f"{len(frozen)} frozen parameters in the groups, for example {', '.join(frozen[:2])}",
        expected="only parameters with requires_grad",
        because="the optimiser holds parameters that were frozen on purpose; a gradient left from before would move "
        "them",
    )
    _expect_the_step(case, result)


def _expect_the_step(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless a step of SGD moved each parameter as its group's rate and weight decay say."""
    model = _partly_frozen(case)
    group_of = {name: group for group in result["groups"] for name in group["names"]}
    nn.functional.cross_entropy(model(case["x"]), case["y"]).backward()
    trained = {name: part.grad for name, part in model.named_parameters() if part.grad is not None}
    start, after = case["state"], result["after"]
    expected = dict(start)
    for name, gradient in trained.items():
        if name in group_of:
            group = group_of[name]
            expected[name] = start[name] - group["lr"] * (gradient + group["weight_decay"] * start[name])
    tried = "one step of SGD with your groups"
    other = diverged(after, expected, start, expected) if after else list(expected)
    expect(
        not other,
        tried=tried,
        got=f"{len(other)} parameters differ from what the groups say, for example {', '.join(other[:2])}",
        expected="each parameter moved by its group's rate times (gradient + weight decay * value), and nothing else",
        because="" if after else "torch.optim could not build an optimiser from these groups",
    )
    moved = [name for name in trained if name in group_of and not torch.equal(after[name], start[name])]
    expect(
        moved and len(moved) == len(trained.keys() & group_of),
        tried=tried,
        got=f"{len(moved)} of {len(trained.keys() & group_of)} trainable parameters in your groups moved",
        expected="all of them move",
        because="the step changed nothing for some of them, as with a rate of 0",
    )


@exercise.judge(four_stages, points=2)
def rates_fall_with_depth(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The head learns at lr, and every stage before it at decay times the rate of the next."""
    children = [name for name, _ in small_models.build(case["architecture"]).named_children()]
    trainable = children[case["frozen"] :]
    rates: dict[str, set[float]] = {}
    for group in result["groups"]:
        for name in group["names"]:
            rates.setdefault(name.split(".")[0], set()).add(group["lr"])
    several = [child for child in trainable if len(rates.get(child, ())) > 1]
    expect(
        not several,
        tried="reading the rates of each stage",
        got=f"{', '.join(several)}: {', '.join(f'{rate:.3g}' for child in several[:1] for rate in rates[child])}",
        expected="one rate per stage",
        because="the parameters of one stage have different rates",
    )
    found = [child for child in trainable if child in rates]
    expect(
        len(found) > 1,
        tried="looking for the model's stages in your groups",
        got=f"{len(found)} of {len(trainable)} trainable stages",
        expected="all of them",
        because="a stage that is in no group has no rate",
    )
    lr, decay = case["lr"], case["decay"]
    depth = {child: len(children) - 1 - i for i, child in enumerate(children)}

    def of(rate: Any) -> list[float]:
        return [rate(depth[child]) for child in found]

    deepest = max(depth[child] for child in trainable)
    expect_close(
        [next(iter(rates[child])) for child in found],
        of(lambda d: lr * decay**d),
        tried=f"lr={lr:.3g}, decay={decay:.3g}: the rates of {', '.join(found)}",
        rtol=1e-6,
        atol=0.0,
        mistakes={
            "the order is reversed: here the head has the lowest rate and the stage nearest the input the highest": of(
                lambda d: lr * decay ** (len(children) - 1 - d)
            ),
            "the order is reversed among the trainable stages, so the head has the lowest rate": of(
                lambda d: lr * decay ** (deepest - d)
            ),
            "the rates grow towards the input: multiply by decay for every stage, don't divide": of(
                lambda d: lr / decay**d
            ),
            "the whole backbone has one rate, but each stage has decay times the rate of the next": of(
                lambda d: lr * (decay if d else 1)
            ),
            "every stage has the same rate": of(lambda d: lr),
            "the head's own rate is lr, without a factor": of(lambda d: lr * decay ** (d + 1)),
            "the factor is decay * depth; it should be decay ** depth": of(lambda d: lr * (decay * d if d else 1)),
        },
    )
    _expect_the_step(case, result)


@exercise.judge(four_stages, points=1)
def biases_and_norms_do_not_decay(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Weights of convolutions and linear layers have the weight decay; biases and BatchNorm parameters have none."""
    shapes = {name: parameter.ndim for name, parameter in _partly_frozen(case).named_parameters() if name}
    found = {name: group["weight_decay"] for group in result["groups"] for name in group["names"] if name in shapes}
    expect(
        any(shapes[name] > 1 for name in found) and any(shapes[name] <= 1 for name in found),
        tried="looking for weights and biases in your groups",
        got=f"{len(found)} of {len(shapes)} parameters of the model",
        expected="all trainable ones",
        because="a parameter in no group has no weight decay to look at",
    )
    weight_decay = case["weight_decay"]
    wrong = [name for name, got in found.items() if abs(got - (weight_decay if shapes[name] > 1 else 0.0)) > 1e-9]
    because = ""
    if wrong and not any(found.values()):
        because = "no group has a weight decay"
    elif wrong and all(abs(got - weight_decay) < 1e-9 for got in found.values()):
        because = "every parameter decays, including the biases and the scales and shifts of BatchNorm"
    elif wrong and all(abs(found[name] - (0.0 if shapes[name] > 1 else weight_decay)) < 1e-9 for name in found):
        because = "it is the other way round: weights decay, biases and BatchNorm parameters don't"
    expect(
        not wrong,
        tried=f"weight_decay={weight_decay:.3g}: reading the weight decay of every parameter",
        got=f"{len(wrong)} of {len(found)} differ, for example {', '.join(f'{n}: {found[n]:.3g}' for n in wrong[:2])}",
        expected=f"{weight_decay:.3g} for parameters with two dimensions or more, 0 for the others",
        because=because,
    )
    _expect_the_step(case, result)


@exercise.judge(four_stages, points=1)
def a_step_moves_all(case: dict[str, Any], result: dict[str, Any]) -> None:
    """One step of SGD with these groups moves every trainable parameter, and no frozen one."""
    model, after = _partly_frozen(case), result["after"]
    flags = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    moved = {name for name in flags if name in after and not torch.equal(after[name], case["state"][name])}
    still = [name for name, trainable in flags.items() if trainable and name not in moved]
    expect(
        not still,
        tried="one step of SGD with your groups",
        got=f"{len(still)} trainable parameters did not move, for example {', '.join(still[:2])}",
        expected="all of them move",
        because="torch.optim could not build an optimiser from these groups"
        if not after
        else "they are in no group"
        if not any(name in group["names"] for group in result["groups"] for name in still)
        else "",
    )
    _expect_the_step(case, result)
