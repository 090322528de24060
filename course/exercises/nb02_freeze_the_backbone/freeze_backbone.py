"""A module whose parameters an optimiser step leaves as they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.exercises import small_models
from course.exercises.nb02_freeze_the_backbone.training_cases import training_case
from course.exercises.tensor_comparison import diverged
from course.judging import Exercise, expect

exercise = Exercise(
    "02-freeze-backbone",
    answer="freeze",
    call="freeze(module)",
    title="Freeze a module",
    withholds=("course.models.freeze",),
    hints=(
        "`loss.backward()` computes a gradient only for parameters that ask for one. By which attribute?",
        "`module.parameters()` yields every parameter, including those of the layers inside. Go through them all.",
        "`parameter.requires_grad = False` or `parameter.requires_grad_(False)`, set on the parameter itself.",
    ),
    idea="for parameter in module.parameters(): parameter.requires_grad_(False); the module is changed in place.",
)


STEPS = 2  # what is outside depends, in the second, on whether the frozen module moved in the first


@exercise.case
def convolutional(rng: torch.Generator) -> dict[str, Any]:
    return training_case("cnn", rng)


@exercise.case
def a_part_of_it(rng: torch.Generator) -> dict[str, Any]:
    parts = ["backbone.stage1", "backbone.stage2", "head"]
    return training_case("cnn", rng, parts[int(torch.randint(len(parts), (), generator=rng))])


@exercise.probe
def probe_freeze(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = small_models.restore(case["architecture"], case["state"])
    module = model.get_submodule(case["frozen"])
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(
            parameter
        )  # as after a step, to recognise an answer that only clears gradients
    returned = answer(module)
    other = isinstance(returned, nn.Module) and returned is not module
    before = {name: value.clone() for name, value in model.state_dict().items()}
    typo = any("require_grad" in vars(part) for part in (*module.modules(), *module.parameters()))
    on_module = any("requires_grad" in vars(part) for part in module.modules())
    eval_mode = not any(part.training for part in module.modules())
    cleared = all(parameter.grad is None or not parameter.grad.any() for parameter in module.parameters())
    done = {"other": other, "typo": typo, "on_module": on_module, "eval_mode": eval_mode, "cleared": cleared}
    _train(model, case)
    return {"before": before, "after": dict(model.state_dict()), **done}


def _train(model: nn.Module, case: dict[str, Any]) -> None:
    """A few steps of SGD over all parameters in eval mode."""
    model.eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(case["x"]), case["y"])
        if loss.requires_grad:
            loss.backward()
        optimizer.step()


@exercise.judge(convolutional, points=2)
def no_parameter_of_the_module_moves(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An optimiser step leaves every parameter of the frozen module as it was."""
    before, after = result["before"], result["after"]
    inside = [name for name in _parameters(case) if name.startswith(case["frozen"] + ".")]
    moved = [name for name in inside if not torch.equal(before[name], after[name])]
    expect(
        not moved,
        tried=f"{STEPS} SGD steps on a model whose `{case['frozen']}` you froze",
        got=f"{len(moved)} of its {len(inside)} parameters moved",
        expected="none moved",
        because=_why_they_moved(result, everything=len(moved) == len(inside)),
    )
    _expect_the_values_kept(case, result)
    _expect_the_rest_to_train(case, result)


@exercise.judge(a_part_of_it, points=1)
def the_rest_still_trains(case: dict[str, Any], result: dict[str, Any]) -> None:
    """What lies outside the module still trains, and no weight was changed by freezing."""
    moved = [name for name in case["state"] if not torch.equal(result["before"][name], result["after"][name])]
    expect(
        not all(name in moved for name in _parameters(case)),
        tried=f"{STEPS} SGD steps on a model whose `{case['frozen']}` you froze",
        got="every parameter moved",
        expected="those outside the module move, and no others",
        because="nothing was frozen, so this can't be judged yet",
    )
    _expect_the_values_kept(case, result)
    _expect_the_rest_to_train(case, result)


def _why_they_moved(result: dict[str, Any], *, everything: bool) -> str:
    """What the answer did instead of freezing; `everything` where every parameter of the module moved."""
    if everything and result["other"]:
        return (
            "another module came back, a copy perhaps, and the one that was passed in is not frozen: change it in place"
        )
    if result["typo"]:
        return "`require_grad` is a typo that Python accepts: it makes a new attribute, and `requires_grad` stays True"
    if result["on_module"]:
        return "`module.requires_grad = False` only sets an attribute on the module; its parameters never see it"
    if not everything:
        return "some parameters were reached and others were not: freeze every one that module.parameters() gives"
    if result["eval_mode"]:
        return (
            "nothing was frozen: `.eval()` changes what dropout and BatchNorm do in a forward pass; "
            "the parameters get gradients all the same"
        )
    if result["cleared"]:
        return (
            "nothing was frozen: clearing `.grad` forgets the gradients of the last step, and the next backward() "
            "computes new ones"
        )
    return (
        "nothing was frozen: every parameter still has `requires_grad = True`. Go through them all, those of the "
        "layers inside too. A `torch.no_grad()` block changes no parameter; it holds for what is computed inside it"
    )


def _parameters(case: dict[str, Any]) -> list[str]:
    return [name for name, _ in small_models.build(case["architecture"]).named_parameters()]


def _expect_the_values_kept(case: dict[str, Any], result: dict[str, Any]) -> None:
    changed = [name for name, value in case["state"].items() if not torch.equal(result["before"][name], value)]
    expect(
        not changed,
        tried="comparing every weight and buffer before and after your function",
        got=f"{len(changed)} changed, {', '.join(changed[:2])} among them",
        expected="all as they were",
        because="freezing keeps the values; it only stops them from being trained",
    )


def _expect_the_rest_to_train(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every parameter is where training leads with this module, and no other, standing still."""
    model = small_models.restore(case["architecture"], case["state"])
    model.get_submodule(case["frozen"]).requires_grad_(False)
    _train(model, case)
    outside = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    still = [name for name in outside if torch.equal(result["after"][name], case["state"][name])]
    tried = f"{STEPS} SGD steps on a model whose `{case['frozen']}` you froze"
    expect(
        not still,
        tried=tried,
        got=f"{len(still)} of the {len(outside)} parameters outside the module stayed as they were",
        expected="all of them move",
        because="only the module that was passed in should be frozen",
    )
    other = diverged(result["after"], model.state_dict(), case["state"], case["state"])
    expect(
        not other,
        tried=tried,
        got=f"{len(other)} weights and buffers of the model differ, {', '.join(other[:2])} among them",
        expected="those of a model in which this module, and nothing else, is frozen",
        because="part of the module is not frozen"
        if any(name.startswith(case["frozen"] + ".") for name in other)
        else "the module is frozen, and what is outside took another path than it does beside a frozen module",
    )
