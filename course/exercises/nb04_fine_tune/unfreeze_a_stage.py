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
    title="Unfreeze one stage more",
    hints=(
        "Two things keep a frozen stage still. One is requires_grad; what does the optimizer know of the stage?",
        "An optimizer moves what is in its param_groups. It has a method that takes one group more.",
        'optimizer.add_param_group({"params": [...]}) refuses parameters it has already: leave those out.',
    ),
    idea="for parameter in model[k].parameters(): requires_grad_(True); then add_param_group with those of them that "
    "are in none of optimizer.param_groups yet.",
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
    return {
        "requires_grad": requires_grad,
        "groups": groups,
        "momentum": momentum,
        "before": before,
        "after": dict(model.state_dict()),
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


@exercise.judge(second_from_the_head, points=2)
def the_stage_moves(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every parameter of the stage moves in the next steps."""
    before, after = result["before"], result["after"]
    for k in dict.fromkeys(case["calls"]):
        inside = _of(_stages(case)[k], case)
        still = [name for name in inside if torch.equal(before[name], after[name])]
        asks = [name for name in inside if result["requires_grad"][name]]
        held = {name for group in result["groups"] for name in group["names"]}
        because = "some of the stage's parameters were left out"
        if len(asks) == len(inside) and not held & set(inside):
            because = (
                "the stage asks for gradients and gets them, but it is not in the optimizer, which was made before "
                "and holds the head alone. A new optimizer inside your function is not the one that is stepped either"
            )
        elif not asks:
            because = "the stage is still frozen: requires_grad is False"
        expect(
            not still,
            tried=f"a step after unfreeze_stage(model, optimizer, {k})",
            got=f"{len(still)} of the {len(inside)} parameters of model[{k}] stayed as they were",
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
        got=f"{len(other)} parameters of the stage went elsewhere, {', '.join(other[:2])} among them",
        expected="a step down the gradient",
        because="the stage joins the training that is under way, by the same loss",
    )


@exercise.judge(second_from_the_head, points=1)
def the_others_stay(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The stages before it stay frozen, the head still trains, and nothing is changed by unfreezing itself."""
    stages, (model, _) = _stages(case), _half_trained(case)
    moved = {name for name, value in result["before"].items() if not torch.equal(value, result["after"][name])}
    meant = {stages[k] for k in case["calls"]} | {stages[-1]}
    extra = sorted({name.split(".")[0] for name in moved} - meant)
    expect(
        not extra,
        tried=f"a step after unfreezing {', '.join(f'model[{k}]' for k in dict.fromkeys(case['calls']))}",
        got=f"{', '.join(extra)} moved as well",
        expected="only the unfrozen stages and the head move",
        because="gradual means one stage at a time: the stages nearer the input wait for their turn",
    )
    still = [name for name in _of(stages[-1], case) if name not in moved]
    expect(not still, tried="a step", got="the head stayed as it was", expected="the head still trains")
    changed = [name for name, value in model.state_dict().items() if not torch.allclose(value, result["before"][name])]
    expect(not changed, tried="comparing weights around your call", got=f"{len(changed)} changed", expected="none")
    _expect_the_gradient(case, result)


@exercise.judge(second_from_the_head, points=1)
def the_head_keeps_its_momentum(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The optimizer still remembers the momentum of the head, and holds every parameter once."""
    model, optimizer = _half_trained(case)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    names = _of(_stages(case)[-1], case)
    buffers = [state["momentum_buffer"].clone() for state in optimizer.state.values()]
    for name, buffer in zip(names, buffers, strict=True):
        expect_close(
            result["momentum"].get(name, torch.tensor(0.0)),
            buffer,
            tried=f"the momentum of {name} after your call",
            mistakes={"the optimizer was made anew, and what it remembered is gone: add to it": torch.tensor(0.0)},
        )
    held = [name for group in result["groups"] for name in group["names"]]
    expect(
        len(held) == len(set(held)),
        tried="reading the optimizer's groups",
        got="a parameter twice",
        expected="each once",
        because="what the optimizer holds already must not be added again",
    )
    _step(model, optimizer, case)
    other = diverged(result["after"], model.state_dict(), start, names)
    expect(
        not other,
        tried="a step after your call",
        got=f"{', '.join(other)} went elsewhere",
        expected="the step that its momentum and its rate of before give",
        because="the head's own group goes on as it was",
    )
    _expect_the_gradient(case, result)
