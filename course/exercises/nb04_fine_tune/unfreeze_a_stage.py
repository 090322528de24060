"""A stage that joins a training under way, in the same optimiser."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.exercises import narrow
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
        "state": narrow.drawn_state(architecture, rng),
        "calls": calls,
        "x": narrow.pictures(rng, 8),
        "y": narrow.labels(rng, 8),
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
    return {
        "requires_grad": {name: parameter.requires_grad for name, parameter in model.named_parameters()},
        "groups": groups,
        "momentum": momentum,
        "state": dict(model.state_dict()),
    }


def _half_trained(case: dict[str, Any]) -> tuple[Any, torch.optim.Optimizer]:
    """A model whose head alone has been trained for a step, and the optimizer that holds the head."""
    model: Any = narrow.restore(case["architecture"], case["state"]).eval()
    model[:-1].requires_grad_(False)
    optimizer = torch.optim.SGD(model[-1].parameters(), lr=0.1, momentum=0.9)
    nn.functional.cross_entropy(model(case["x"]), case["y"]).backward()
    optimizer.step()
    optimizer.zero_grad()
    return model, optimizer


def _moved_by_two_steps(case: dict[str, Any], result: dict[str, Any]) -> set[str]:
    """The names of the parameters that two steps with these flags and groups move."""
    model, _ = _half_trained(case)
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        parameter.requires_grad_(bool(result["requires_grad"][name]))
    groups = [
        {"params": [parameters[name] for name in dict.fromkeys(group["names"]) if name], "lr": group["lr"]}
        for group in result["groups"]
    ]
    optimizer = torch.optim.SGD([group for group in groups if group["params"]], lr=0.1)
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    for _ in range(2):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(case["x"]), case["y"]).backward()
        optimizer.step()
    return {name for name, parameter in parameters.items() if not torch.equal(parameter, before[name])}


@exercise.judge(second_from_the_head, points=2)
def the_stage_moves(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every parameter of the stage moves in the next steps."""
    children = [name for name, _ in narrow.build(case["architecture"]).named_children()]
    moved = _moved_by_two_steps(case, result)
    for k in dict.fromkeys(case["calls"]):
        inside = [name for name in result["requires_grad"] if name.startswith(children[k] + ".")]
        still = [name for name in inside if name not in moved]
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
            tried=f"two steps after unfreeze_stage(model, optimizer, {k})",
            got=f"{len(still)} of the {len(inside)} parameters of model[{k}] stayed as they were",
            expected="all of them move",
            because=because,
        )


@exercise.judge(second_from_the_head, points=1)
def the_others_stay(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The stages before it stay frozen, the head still trains, and nothing is changed by unfreezing itself."""
    children = [name for name, _ in narrow.build(case["architecture"]).named_children()]
    moved = _moved_by_two_steps(case, result)
    meant = {children[k] for k in case["calls"]} | {children[-1]}
    extra = sorted({name.split(".")[0] for name in moved} - meant)
    expect(
        not extra,
        tried=f"two steps after unfreezing {', '.join(f'model[{k}]' for k in dict.fromkeys(case['calls']))}",
        got=f"{', '.join(extra)} moved as well",
        expected="only the unfrozen stages and the head move",
        because="gradual means one stage at a time: the stages nearer the input wait for their turn",
    )
    still = [name for name in result["requires_grad"] if name.startswith(children[-1] + ".") and name not in moved]
    expect(not still, tried="two steps", got="the head stayed as it was", expected="the head still trains")
    before, _ = _half_trained(case)
    changed = [name for name, value in before.state_dict().items() if not torch.allclose(value, result["state"][name])]
    expect(not changed, tried="comparing weights around your call", got=f"{len(changed)} changed", expected="none")


@exercise.judge(second_from_the_head, points=1)
def the_head_keeps_its_momentum(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The optimizer still remembers the momentum of the head, and holds every parameter once."""
    _, optimizer = _half_trained(case)
    model = narrow.build(case["architecture"])
    names = [name for name, _ in model.named_parameters()][-2:]  # the head's weight and bias
    buffers = [state["momentum_buffer"] for state in optimizer.state.values()]
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
