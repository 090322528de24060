"""A module frozen in the middle of training, which momentum and weight decay must no longer move."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.exercises import small_models
from course.exercises.tensor_comparison import diverged
from course.judging import Exercise, expect

exercise = Exercise(
    "04-freeze-again",
    answer="refreeze",
    call="refreeze(module, optimizer)",
    title="Freeze a layer again",
    time_limit_s=30.0,
    withholds=("course.models.freeze",),
    hints=(
        "The optimizer updates a parameter whenever its .grad is a tensor, even a tensor of zeros. When does it skip "
        "one?",
        "requires_grad_(False) stops new gradients, but the .grad of the last step is still there, and "
        "zero_grad(set_to_none=False) only fills it with zeros. What else has to happen to it?",
        "Set .grad to None for every parameter of the module. Taking the parameters out of the groups is safe as well, "
        "but leave the optimizer's other groups, settings and state as they are.",
    ),
    idea="For every parameter of the module: requires_grad_(False) and .grad = None. To be safe, remove it from the "
    'groups as well: group["params"] = [p for p in group["params"] if p.requires_grad].',
)


@exercise.case
def momentum_and_decay(rng: torch.Generator) -> dict[str, Any]:
    return refreeze_case("chain", rng)


@exercise.case
def gradients_kept_as_zeros(rng: torch.Generator) -> dict[str, Any]:
    return refreeze_case("chain", rng, set_to_none=False)


def refreeze_case(
    architecture: str, rng: torch.Generator, *, optimizer: str = "sgd", set_to_none: bool = True, k: int = 2
) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": small_models.drawn_state(architecture, rng),
        "optimizer": optimizer,
        "set_to_none": set_to_none,
        "k": k,
        "x": small_models.pictures(rng, 8),
        "y": small_models.labels(rng, 8),
    }


STEPS_BEFORE, STEPS_AFTER = 3, 5


@exercise.probe
def probe_refreeze(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model, optimizer = _in_training(case)
    module = model[case["k"]]
    answer(module, optimizer)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    _train_steps(model, optimizer, case, STEPS_AFTER)
    gradients = [parameter.grad for parameter in module.parameters()]
    requires_grad = [parameter.requires_grad for parameter in module.parameters()]
    # The last is left out while gradients are still computed: a flag alone could be set to please this probe.
    return {
        "before": before,
        "after": dict(model.state_dict()),
        "zeroed": bool(gradients) and all(g is not None and not g.any() for g in gradients),
        "requires_grad": requires_grad,
        "without_gradient": None if any(requires_grad) else dict(module.state_dict()),
        "has_gradient": any(g is not None for g in gradients),
    }


def _in_training(case: dict[str, Any]) -> tuple[Any, torch.optim.Optimizer]:
    """A model and its optimizer in the middle of training: gradients from the last step are still there."""
    model: Any = small_models.restore(case["architecture"], case["state"]).eval()
    if case["optimizer"] == "sgd":
        optimizer: Any = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    _train_steps(model, optimizer, case, STEPS_BEFORE)
    return model, optimizer


def _train_steps(model: nn.Module, optimizer: torch.optim.Optimizer, case: dict[str, Any], steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=case["set_to_none"])
        nn.functional.cross_entropy(model(case["x"]), case["y"]).backward()
        optimizer.step()


def _trained(case: dict[str, Any], *, keep: bool = True) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """(before, after) the steps in which the module stands still; with `keep` False the optimizer forgot its state."""
    model, optimizer = _in_training(case)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for parameter in model[case["k"]].parameters():
        parameter.requires_grad_(False)
        parameter.grad = None
    if not keep:
        optimizer.state.clear()
    _train_steps(model, optimizer, case, STEPS_AFTER)
    return before, model.state_dict()


def _inside(case: dict[str, Any]) -> list[str]:
    """The names of the module's parameters."""
    model = small_models.build(case["architecture"])
    stage = [name for name, _ in model.named_children()][case["k"]]
    return [name for name, _ in model.named_parameters() if name.startswith(stage + ".")]


def _outside(case: dict[str, Any]) -> list[str]:
    inside = _inside(case)
    return [name for name, _ in small_models.build(case["architecture"]).named_parameters() if name not in inside]


def _still(case: dict[str, Any], result: dict[str, Any]) -> None:
    before, after = _trained(case)
    names = _inside(case)
    changed = [name for name in names if not torch.allclose(result["before"][name], before[name], atol=1e-5)]
    expect(
        not changed,
        tried="comparing the module's weights before and after your call",
        got=f"{len(changed)} of {len(names)} changed",
        expected="all as training left them",
        because="freezing must keep the values that training has reached",
    )
    moved = [name for name in names if not torch.equal(result["before"][name], result["after"][name])]
    rule = "momentum and weight decay" if case["optimizer"] == "sgd" else "AdamW"
    zeros = "" if case["set_to_none"] else ", the loop clearing with zero_grad(set_to_none=False)"
    expect(
        not moved,
        tried=f"{STEPS_AFTER} more steps with {rule}{zeros}",
        got=f"{len(moved)} of the {len(names)} parameters moved",
        expected="none: bit-identical values",
        because=_why_it_moved(result),
    )
    # Whether the others forgot their momentum is for another judge; that they train at all is what keeps it from moot.
    _, forgetful = _trained(case, keep=False)
    paths = [diverged(result["after"], path, before, _outside(case), rtol=0.05) for path in (after, forgetful)]
    expect(
        not all(paths),
        tried=f"following the others in these {STEPS_AFTER} steps",
        got=f"{len(paths[0])} of {len(_outside(case))} parameters outside the module took another path",
        expected="the others keep training as before",
        because="everything else was stopped as well; only the module should be"
        if all(torch.equal(result["after"][name], result["before"][name]) for name in _outside(case))
        else "",
    )


def _why_it_moved(result: dict[str, Any]) -> str:
    if any(result["requires_grad"]):
        if result["zeroed"]:
            return (
                "its gradients are zero, and it moves nevertheless: momentum and weight decay update every parameter "
                "whose .grad is a tensor. Only .grad = None, or leaving the groups, keeps a parameter still"
            )
        asking, count = sum(result["requires_grad"]), len(result["requires_grad"])
        if asking < count:
            return f"{asking} of its {count} parameters still get gradients: freeze all of module.parameters()"
        return "it still gets gradients: nothing was frozen"
    if result["has_gradient"]:
        return (
            "no new gradient is computed, but the old .grad tensor is still there: momentum and weight decay update "
            "every parameter whose .grad is a tensor, even one of zeros. Set .grad to None"
        )
    return ""


@exercise.judge(momentum_and_decay, points=2)
def still_under_momentum(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Five more steps with momentum and weight decay leave the module's parameters bit-identical."""
    _still(case, result)


@exercise.judge(gradients_kept_as_zeros, points=1)
def still_with_zeroed_gradients(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The same holds if the loop clears gradients with zero_grad(set_to_none=False), which fills them with zeros."""
    _still(case, result)


@exercise.judge(momentum_and_decay, points=1)
def no_gradient_is_computed(case: dict[str, Any], result: dict[str, Any]) -> None:
    """No gradient is computed for the module any more, which makes the backward pass cheaper."""
    asking = sum(map(bool, result["requires_grad"]))
    expect(
        not asking and isinstance(result["without_gradient"], dict),
        tried="reading requires_grad of the module's parameters",
        got=f"True for {asking} of {len(result['requires_grad'])}",
        expected="False for all",
        because="the backward pass still computes its gradients",
    )
    quiet = {name: result["without_gradient"][name.partition(".")[2]] for name in _inside(case)}
    _still(case, {**result, "after": {**result["after"], **quiet}})


@exercise.judge(momentum_and_decay, points=1)
def the_rest_goes_on(case: dict[str, Any], result: dict[str, Any]) -> None:
    """All other parameters keep training as before, with their momentum."""
    before, after = _trained(case)
    _, forgetful = _trained(case, keep=False)
    outside = _outside(case)
    other = diverged(result["after"], after, before, outside)
    because = ""
    if any(not torch.equal(result["after"][name], before[name]) for name in _inside(case)):
        because = (
            "the module itself has changed, and with it the gradients of everything else, so nothing can be said "
            "about the others"
        )
    elif all(torch.equal(result["after"][name], result["before"][name]) for name in outside):
        because = "the others were stopped too; only the module should be"
    elif not diverged(result["after"], forgetful, before, outside):
        because = "the optimizer has lost its state: keep the optimizer's settings and its state for the others"
    expect(
        not other,
        tried=f"following the {len(outside)} parameters outside the module for {STEPS_AFTER} steps",
        got=f"{len(other)} took another path, for example {', '.join(other[:2])}",
        expected="the path that they take if only the module is frozen",
        because=because,
    )
