"""A stage that joins a training under way, in the same optimiser."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.exercises import small_models
from course.exercises.tensor_comparison import diverged
from course.judging import Exercise, expect, expect_close

exercise = Exercise(
    "04-unfreeze-a-stage",
    answer="unfreeze_stage",
    call="unfreeze_stage(model, optimizer, k)",
    title="Unfreeze one more stage",
    time_limit_s=30.0,
    hints=(
        "Two facts keep a frozen stage still. One is requires_grad=False. What does the optimiser know about it?",
        "An optimiser updates the parameters in its param_groups, and it has a method that adds a group.",
        'optimizer.add_param_group({"params": [...]}) raises an error for a parameter that is already in a group, so '
        "add only those that are in none.",
    ),
    idea="model[k].requires_grad_(True); collect the ids of all parameters in optimizer.param_groups; call "
    "add_param_group with those parameters of model[k] whose id is not among them, if there are any.",
)


@exercise.case
def second_from_the_head(rng: torch.Generator) -> dict[str, Any]:
    return unfreeze_case("chain", rng, calls=[2])


def unfreeze_case(architecture: str, rng: torch.Generator, *, calls: list[int]) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": small_models.drawn_state(architecture, rng),
        "calls": calls,
        "x": small_models.pictures(rng, 8),
        "y": small_models.labels(rng, 8),
    }


@exercise.case
def the_same_stage_twice(rng: torch.Generator) -> dict[str, Any]:
    return unfreeze_case("chain", rng, calls=[2, 2])


@exercise.probe
def probe_unfreeze_stage(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model, optimizer = _half_trained(case)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for k in case["calls"]:
        answer(model, optimizer, k)
    groups = [
        {"lr": float(group["lr"]), "names": [names.get(id(parameter), "") for parameter in group["params"]]}
        for group in optimizer.param_groups
    ]
    momentum = {
        names[id(parameter)]: state["momentum_buffer"]
        for parameter, state in optimizer.state.items()
        if id(parameter) in names and state.get("momentum_buffer") is not None
    }
    requires_grad = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    momentum = {name: value.clone() for name, value in momentum.items()}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    _step(model, optimizer, case)
    after = {name: value.clone() for name, value in model.state_dict().items()}
    _step(model, torch.optim.SGD(model.parameters(), lr=0.1), case)
    return {
        "requires_grad": requires_grad,
        "groups": groups,
        "momentum": momentum,
        "before": before,
        "after": after,
        "after_another": dict(model.state_dict()),
    }


def _half_trained(case: dict[str, Any]) -> tuple[Any, torch.optim.Optimizer]:
    """A model whose head alone has been trained for a step, and the optimizer that holds the head."""
    model: Any = small_models.restore(case["architecture"], case["state"]).eval()
    model[:-1].requires_grad_(False)
    optimizer = torch.optim.SGD(model[-1].parameters(), lr=0.1, momentum=0.9)
    _step(model, optimizer, case)
    return model, optimizer


def _step(model: nn.Module, optimizer: torch.optim.Optimizer, case: dict[str, Any]) -> None:
    nn.functional.cross_entropy(model(case["x"]), case["y"]).backward()
    optimizer.step()
    optimizer.zero_grad()


def _stages(case: dict[str, Any]) -> list[str]:
    return [name for name, _ in small_models.build(case["architecture"]).named_children()]


def _of(stage: str, case: dict[str, Any]) -> list[str]:
    """The names of a stage's parameters."""
    return [
        name for name, _ in small_models.build(case["architecture"]).named_parameters() if name.startswith(stage + ".")
    ]


@exercise.judge(second_from_the_head, points=1)
def the_stage_moves(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every parameter of the stage moves in the next steps."""
    before, after = result["before"], result["after"]
    for k in dict.fromkeys(case["calls"]):
        inside = _of(_stages(case)[k], case)
        still = [name for name in inside if torch.equal(before[name], after[name])]
        asks = [name for name in inside if result["requires_grad"][name]]
        held = {name for group in result["groups"] for name in group["names"]}
        because = ""
        if not asks:
            because = "the stage is still frozen: requires_grad is False"
        elif len(asks) < len(inside):
            because = "requires_grad is still False for some of the stage's parameters, so they were left out"
        elif not held & set(inside):
            because = (
                "the stage gets gradients, but it is not in the optimizer that was passed in. (One created inside "
                "your function is not the one that the training loop steps.)"
            )
        elif set(inside) - held:
            because = "some of the stage's parameters were left out of the optimizer"
        elif any(group["lr"] == 0 for group in result["groups"] if set(group["names"]) & set(inside)):
            because = "the optimizer holds the stage with a rate of 0"
        expect(
            not still,
            tried=f"a step after unfreeze_stage(model, optimizer, {k})",
            got=f"{len(still)} of the {len(inside)} parameters of model[{k}] did not move",
            expected="all of them move",
            because=because,
        )
    _expect_the_gradient(case, result)


def _expect_the_gradient(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the step moved the unfrozen stages down their gradient on these pictures, at any rate."""
    model, _ = _half_trained(case)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    model.requires_grad_(True)
    nn.functional.cross_entropy(model(case["x"]), case["y"]).backward()
    other = []
    for name in [name for k in case["calls"] for name in _of(_stages(case)[k], case)]:
        gradient, moved = model.get_parameter(name).grad, result["after"][name] - start[name]
        assert gradient is not None  # backward has just been called
        if not -(moved * gradient).sum() > 0.95 * moved.norm() * gradient.norm():
            other.append(name)
    expect(
        not other,
        tried="a step after your function",
        got=f"{len(other)} parameters of the stage did not follow it, for example {', '.join(other[:2])}",
        expected="a step along the negative gradient",
        because="these parameters did not move at all"
        if all(torch.equal(result["after"][name], start[name]) for name in other)
        else "",
    )


@exercise.judge(second_from_the_head, points=1)
def the_others_stay(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The other stages stay frozen, the head keeps training, and your function itself changes no weight."""
    stages, (model, _) = _stages(case), _half_trained(case)
    moved = {name for name, value in result["before"].items() if not torch.equal(value, result["after"][name])}
    meant = {stages[k] for k in case["calls"]} | {stages[-1]}
    extra = sorted({name.split(".")[0] for name in moved} - meant)
    expect(
        not extra,
        tried=f"a step after unfreezing {', '.join(f'model[{k}]' for k in dict.fromkeys(case['calls']))}",
        got=f"{', '.join(extra)} moved as well",
        expected="only the unfrozen stages and the head move",
        because="unfreeze one stage at a time: only model[k] joins the head",
    )
    after, another = result["after"], result["after_another"]
    awake = {name.split(".")[0] for name, value in after.items() if not torch.equal(value, another[name])} - meant
    expect(
        not awake,
        tried="a step of another optimizer, over model.parameters()",
        got=f"{', '.join(sorted(awake))} moved as well",
        expected="only the unfrozen stages and the head move",
        because="their parameters require a gradient: the other stages stay frozen, so unfreeze model[k] alone",
    )
    still = [name for name in _of(stages[-1], case) if name not in moved]
    expect(not still, tried="a step after your call", got="the head did not move", expected="the head keeps training")
    changed = [name for name, value in model.state_dict().items() if not torch.allclose(value, result["before"][name])]
    expect(
        not changed,
        tried="comparing the weights before and after your call",
        got=f"{len(changed)} changed",
        expected="none: training changes them, unfreezing does not",
    )
    _expect_the_gradient(case, result)


@exercise.judge(second_from_the_head, points=1)
def the_head_keeps_its_momentum(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The optimizer still has the momentum of the head, and continues with it."""
    model, optimizer = _half_trained(case)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    names = _of(_stages(case)[-1], case)
    buffers = [state["momentum_buffer"].clone() for state in optimizer.state.values()]
    for name, buffer in zip(names, buffers, strict=True):
        expect_close(
            result["momentum"].get(name, torch.tensor(0.0)),
            buffer,
            tried=f"the momentum of {name} after your call",
            mistakes={
                "the optimizer has lost the momentum of the head: add to it, don't create it anew": torch.tensor(0.0)
            },
        )
    _step(model, optimizer, case)
    other = diverged(result["after"], model.state_dict(), start, names)
    expect(
        not other,
        tried="a step after your call",
        got=f"{', '.join(other)} took another step",
        expected="the step that its old momentum and its old rate give",
        because="the group of the head must stay as it is",
    )
    _expect_the_gradient(case, result)


@exercise.judge(the_same_stage_twice, points=1)
def a_second_call_does_nothing(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Called again for the same stage, it changes nothing: the optimizer holds every parameter once."""
    k = case["calls"][-1]
    held = [name for group in result["groups"] for name in group["names"]]
    twice = sorted({name for name in held if held.count(name) > 1})
    expect(
        not twice,
        tried=f"reading the optimizer's groups after unfreeze_stage(model, optimizer, {k}) twice",
        got=f"{len(twice)} parameters more than once, for example {', '.join(twice[:2])}",
        expected="each once",
        because="a parameter that the optimizer holds already must not be added again",
    )
    missing = [name for name in _of(_stages(case)[k], case) if name not in held]
    expect(
        not missing,
        tried=f"reading the optimizer's groups after unfreeze_stage(model, optimizer, {k}) twice",
        got=f"{len(missing)} parameters of model[{k}] in none, for example {', '.join(missing[:2])}",
        expected="all of them in a group",
        because="a parameter in no group is never updated",
    )
    _expect_the_gradient(case, result)
