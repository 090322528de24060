"""A module whose parameters no optimiser step moves."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.exercises import narrow
from course.exercises.nb02_freeze_the_backbone.training_cases import training_case
from course.judging import Exercise, expect

exercise = Exercise(
    "02-freeze-backbone",
    answer="freeze",
    call="freeze(module)",
    title="Freeze a module",
    withholds=("course.models.freeze",),
    hints=(
        "An optimiser moves a parameter only when it has a gradient. Which attribute of a parameter switches that off?",
        "`module.parameters()` gives every parameter, those of the layers inside too. Go through them all.",
        "`parameter.requires_grad = False`, or `parameter.requires_grad_(False)`; on the parameter, not on the module.",
    ),
    idea="for parameter in module.parameters(): parameter.requires_grad_(False), then return the module.",
)


@exercise.case
def convolutional(rng: torch.Generator) -> dict[str, Any]:
    return training_case("cnn", rng)


@exercise.probe
def probe_freeze(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"])
    module = model.get_submodule(case["frozen"])
    answer(module)
    return {
        "requires_grad": {name: parameter.requires_grad for name, parameter in model.named_parameters()},
        "state": dict(model.state_dict()),
        "typo": any("require_grad" in vars(part) for part in (*module.modules(), *module.parameters())),
        "on_module": any("requires_grad" in vars(part) for part in module.modules()),
    }


@exercise.judge(convolutional, points=2)
def no_parameter_of_the_module_moves(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An optimiser step leaves every parameter of the frozen module as it was."""
    before, after = _after_a_step(case, result["requires_grad"])
    inside = [name for name in before if name.startswith(case["frozen"] + ".")]
    moved = [name for name in inside if not torch.equal(before[name], after[name])]
    because = "some parameters were reached and others were not: go through module.parameters(), not the children"
    if len(moved) == len(inside):
        because = "nothing was frozen"
    if result["typo"]:
        because = (
            "`require_grad` is a typo that Python accepts: it makes a new attribute, and `requires_grad` stays True"
        )
    elif result["on_module"]:
        because = "`module.requires_grad = False` only sets an attribute on the module; its parameters never see it"
    expect(
        not moved,
        tried=f"one SGD step on a model whose `{case['frozen']}` you froze",
        got=f"{len(moved)} of its {len(inside)} parameters moved",
        expected="none moved",
        because=because,
    )


@exercise.judge(convolutional, points=1)
def the_rest_still_trains(case: dict[str, Any], result: dict[str, Any]) -> None:
    """What lies outside the module still trains, and no weight was changed by freezing."""
    expect(
        not all(result["requires_grad"].values()),
        tried="reading `.requires_grad` of every parameter",
        got="True everywhere",
        expected="False inside the module",
        because="nothing was frozen, so there is nothing to tell apart",
    )
    changed = [name for name, value in case["state"].items() if not torch.equal(result["state"][name], value)]
    expect(
        not changed,
        tried="comparing every weight and buffer before and after your function",
        got=f"{len(changed)} changed, {', '.join(changed[:2])} among them",
        expected="all as they were",
        because="freezing keeps the values; it only stops them from being trained",
    )
    before, after = _after_a_step(case, result["requires_grad"])
    outside = [name for name in before if not name.startswith(case["frozen"] + ".")]
    still = [name for name in outside if torch.equal(before[name], after[name])]
    expect(
        not still,
        tried="one SGD step",
        got=f"{len(still)} of the {len(outside)} parameters outside the module stayed as they were",
        expected="all of them move",
        because="only the module that was passed in should be frozen",
    )


def _after_a_step(case: dict[str, Any], flags: dict[str, bool]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(before, after) parameters of a fresh model with these requires_grad flags around one SGD step."""
    model = narrow.restore(case["architecture"], case["state"]).eval()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(bool(flags[name]))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    loss = nn.functional.cross_entropy(model(case["x"]), case["y"])
    if loss.requires_grad:
        loss.backward()
        torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9).step()
    return before, {name: parameter.detach() for name, parameter in model.named_parameters()}
