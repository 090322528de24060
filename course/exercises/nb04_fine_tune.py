"""Chapter 04: fine-tuning: rates by depth, unfreezing and freezing again, head first and then everything, LoRA."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from course.exercises import narrow
from course.judging import Exercise, Unusable, Wrong, expect, expect_close, need

group_by_depth = Exercise(
    "04-group-by-depth",
    answer="param_groups",
    call="param_groups(model, lr, decay)",
    title="A learning rate for every depth",
    withholds=("course.models.param_groups",),
    hints=(
        'An optimizer takes a list of dicts, one a group: {"params": [...], "lr": ...}. How many groups do you need?',
        "The stages are model[0] to model[-1], and the last is the head. How far from the head is model[i]?",
        "len(model) - 1 - i stages from the head, so its rate is lr * decay ** (len(model) - 1 - i).",
    ),
    idea='[{"params": list(stage.parameters()), "lr": lr * decay**depth} for depth, stage in '
    "enumerate(reversed(model))], where reversed(model) walks from the head to the input.",
)


@group_by_depth.case
def four_stages(rng: torch.Generator) -> dict[str, Any]:
    return _rates_case("chain", rng)


def _rates_case(architecture: str, rng: torch.Generator, frozen: int = 0) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": narrow.drawn_state(architecture, rng),
        "lr": 0.1 + 0.4 * float(torch.rand((), generator=rng)),
        "decay": 0.3 + 0.5 * float(torch.rand((), generator=rng)),
        "frozen": frozen,  # so many stages from the input on are frozen
        "x": narrow.pictures(rng, 8),
        "y": narrow.labels(rng, 8),
    }


@group_by_depth.probe
def probe_param_groups(answer: Any, case: dict[str, Any]) -> list[dict[str, Any]]:
    model = narrow.restore(case["architecture"], case["state"])
    model[: case["frozen"]].requires_grad_(False)  # type: ignore[index]
    groups = need(answer(model, case["lr"], case["decay"]), Iterable, "a list of dicts, one a group")
    return [_named_group(group, model, case["lr"]) for group in groups]


def _named_group(group: Any, model: nn.Module, lr: float) -> dict[str, Any]:
    """A group's rate and the names of its parameters: "" for what is no parameter of the model."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    if not isinstance(group, dict) or "params" not in group:
        raise Unusable(
            f'your list holds a {type(group).__name__}; a group is a dict with "params" and "lr", '
            "as torch.optim takes it"
        )
    params = [group["params"]] if isinstance(group["params"], torch.Tensor) else list(group["params"])
    return {"lr": float(group.get("lr", lr)), "names": [names.get(id(item), "") for item in params]}


@group_by_depth.judge(four_stages, points=1)
def every_parameter_once(case: dict[str, Any], result: list[dict[str, Any]]) -> None:
    """Every trainable parameter is in exactly one group."""
    model = narrow.restore(case["architecture"], case["state"])
    model[: case["frozen"]].requires_grad_(False)  # type: ignore[index]
    names = [name for group in result for name in group["names"]]
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name, p in model.named_parameters() if p.requires_grad and name not in names]
    tried = f"your groups for a model of {len(model)} stages"  # type: ignore[arg-type]
    expect(
        "" not in names, tried=tried, got="tensors that are not the model's parameters", expected="its own parameters"
    )
    expect(
        not twice,
        tried=tried,
        got=f"{len(twice)} parameters in two groups, {', '.join(twice[:2])} among them",
        expected="each in one group",
        because="the groups overlap: torch.optim refuses them, as it would not know which rate to use",
    )
    because = "what is in no group never moves"
    if missing and all(name.startswith("head.") for name in missing):
        because = "the head is in no group, so the new layer keeps its random weights for ever"
    expect(
        not missing,
        tried=tried,
        got=f"{len(missing)} trainable parameters in no group, {', '.join(missing[:2])} among them",
        expected="none left out",
        because=because,
    )


@group_by_depth.judge(four_stages, points=2)
def rates_fall_with_depth(case: dict[str, Any], result: list[dict[str, Any]]) -> None:
    """The head learns at lr, and every stage before it at decay times the rate of the one after."""
    children = [name for name, _ in narrow.build(case["architecture"]).named_children()]
    got = {name.split(".")[0]: group["lr"] for group in result for name in group["names"]}
    lr, decay, depth = case["lr"], case["decay"], range(len(children) - 1, -1, -1)
    tuned = [child in got for child in children]

    def of(rates: Iterable[float]) -> list[float]:
        return [rate for rate, there in zip(rates, tuned, strict=True) if there]

    expect_close(
        [got[child] for child in children if child in got],
        of(lr * decay**d for d in depth),
        tried=f"lr={lr:.3g}, decay={decay:.3g}: the rates from the input to the head",
        rtol=1e-6,
        atol=0.0,
        mistakes={
            "upside down: the head learns slowest. Edges and colours fit any task; the head is the new part": of(
                lr * decay**d for d in reversed(depth)
            ),
            "one factor for the whole backbone: each stage learns at decay times the rate of the stage after it": of(
                lr * (decay if d else 1) for d in depth
            ),
            "every stage has the same rate": of(lr for _ in depth),
            "the head's own rate is lr, without a factor": of(lr * decay ** (d + 1) for d in depth),
            "a product, not a power: decay ** depth": of(lr * (decay * d if d else 1) for d in depth),
        },
    )


@group_by_depth.judge(four_stages, points=1)
def a_step_moves_all(case: dict[str, Any], result: list[dict[str, Any]]) -> None:
    """One step of SGD with these groups moves every trainable parameter by its own rate times its gradient."""
    model = narrow.restore(case["architecture"], case["state"]).train()
    parameters = dict(model.named_parameters())
    rates = {name: group["lr"] for group in result for name in group["names"]}
    nn.functional.cross_entropy(model(case["x"]), case["y"]).backward()
    with torch.no_grad():
        for name, rate in rates.items():
            parameters[name].sub_(rate * parameters[name].grad)  # type: ignore[operator]
    tuned = [name for name in parameters if int(_place(model, name)) >= case["frozen"]]
    still = [name for name in tuned if torch.equal(parameters[name], case["state"][name])]
    expect(
        not still,
        tried="one step of SGD",
        got=f"{len(still)} parameters stayed, {', '.join(still[:2])} among them",
        expected="all move",
        because="a rate of 0, or a parameter in no group",
    )


def _place(model: nn.Module, name: str) -> int:
    return [child for child, _ in model.named_children()].index(name.split(".")[0])


unfreeze_gradually = Exercise(
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


@unfreeze_gradually.case
def second_from_the_head(rng: torch.Generator) -> dict[str, Any]:
    return _unfreeze_case("chain", rng, calls=[2])


def _unfreeze_case(architecture: str, rng: torch.Generator, *, calls: list[int]) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": narrow.drawn_state(architecture, rng),
        "calls": calls,
        "x": narrow.pictures(rng, 8),
        "y": narrow.labels(rng, 8),
    }


@unfreeze_gradually.probe
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


@unfreeze_gradually.judge(second_from_the_head, points=2)
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


@unfreeze_gradually.judge(second_from_the_head, points=1)
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


@unfreeze_gradually.judge(second_from_the_head, points=1)
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


freeze_again = Exercise(
    "04-freeze-again",
    answer="refreeze",
    call="refreeze(module, optimizer)",
    title="Freeze what was trained before",
    withholds=("course.models.freeze",),
    hints=(
        "The optimizer moves a parameter if its .grad is a tensor, even one of zeros. What if there is no tensor?",
        "Momentum and weight decay need no gradient to push: .grad must be None (or the parameter not in any group).",
        "requires_grad_(False) stops new gradients, but an old .grad stays, and zero_grad may only fill it with zeros.",
    ),
    idea="For every parameter of the module: requires_grad_(False), and .grad = None. To be safe, take it out of the "
    'groups too: group["params"] = [p for p in group["params"] if p.requires_grad].',
)


@freeze_again.case
def momentum_and_decay(rng: torch.Generator) -> dict[str, Any]:
    return _refreeze_case("chain", rng)


@freeze_again.case
def gradients_kept_as_zeros(rng: torch.Generator) -> dict[str, Any]:
    return _refreeze_case("chain", rng, set_to_none=False)


def _refreeze_case(
    architecture: str, rng: torch.Generator, *, optimizer: str = "sgd", set_to_none: bool = True, k: int = 2
) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": narrow.drawn_state(architecture, rng),
        "optimizer": optimizer,
        "set_to_none": set_to_none,
        "k": k,
        "x": narrow.pictures(rng, 8),
        "y": narrow.labels(rng, 8),
    }


STEPS_BEFORE, STEPS_AFTER = 3, 5


@freeze_again.probe
def probe_refreeze(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model, optimizer = _in_training(case)
    module = model[case["k"]]
    answer(module, optimizer)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    _train_steps(model, optimizer, case, STEPS_AFTER)
    gradients = [parameter.grad for parameter in module.parameters()]
    return {
        "before": before,
        "after": dict(model.state_dict()),
        "zeroed": bool(gradients) and all(g is not None and not g.any() for g in gradients),
        "requires_grad": [parameter.requires_grad for parameter in module.parameters()],
    }


def _in_training(case: dict[str, Any]) -> tuple[Any, torch.optim.Optimizer]:
    """A model and its optimizer in the middle of training: gradients from the last step are still there."""
    model: Any = narrow.restore(case["architecture"], case["state"]).eval()
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


def _still(case: dict[str, Any], result: dict[str, Any]) -> None:
    model, _ = _in_training(case)
    stage = [name for name, _ in model.named_children()][case["k"]]
    names = [name for name, _ in model.named_parameters() if name.startswith(stage + ".")]
    trained = model.state_dict()
    changed = [name for name in names if not torch.allclose(result["before"][name], trained[name], atol=1e-5)]
    expect(
        not changed,
        tried="comparing the module's weights before and after your call",
        got=f"{len(changed)} of {len(names)} changed",
        expected="all as training left them",
        because="freezing keeps the values that were learned",
    )
    moved = [name for name in names if not torch.equal(result["before"][name], result["after"][name])]
    because = "it still gets gradients: nothing was frozen"
    if not any(result["requires_grad"]):
        because = (
            "no new gradient comes, but the old .grad tensor is still there, even if it holds zeros: momentum "
            "and weight decay push whatever has one. Set .grad to None"
        )
    elif result["zeroed"]:
        because = (
            "its gradients are zero, and it moves all the same: momentum and weight decay push whatever has a .grad "
            "tensor. Only .grad = None, or leaving the groups, keeps a parameter still"
        )
    rule = "momentum and weight decay" if case["optimizer"] == "sgd" else "AdamW"
    zeros = "" if case["set_to_none"] else ", the loop clearing with zero_grad(set_to_none=False)"
    expect(
        not moved,
        tried=f"{STEPS_AFTER} more steps with {rule}{zeros}",
        got=f"{len(moved)} of the {len(names)} parameters moved",
        expected="bit-identical",
        because=because,
    )


@freeze_again.judge(momentum_and_decay, points=2)
def still_under_momentum(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Five more steps with momentum and weight decay leave the module's parameters bit-identical."""
    _still(case, result)


@freeze_again.judge(gradients_kept_as_zeros, points=1)
def still_with_zeroed_gradients(case: dict[str, Any], result: dict[str, Any]) -> None:
    """They stay also where the loop fills gradients with zeros instead of dropping them."""
    _still(case, result)


@freeze_again.judge(momentum_and_decay, points=1)
def no_gradient_is_computed(case: dict[str, Any], result: dict[str, Any]) -> None:
    """No gradient is computed for the module any more, so backward is cheaper."""
    asking = sum(map(bool, result["requires_grad"]))
    expect(
        not asking,
        tried="reading requires_grad of the module's parameters",
        got=f"True for {asking} of {len(result['requires_grad'])}",
        expected="False for all",
        because="leaving the optimizer keeps it still, but its gradients are computed for nothing",
    )


@freeze_again.judge(momentum_and_decay, points=1)
def the_rest_goes_on(case: dict[str, Any], result: dict[str, Any]) -> None:
    """All other parameters train on as before, momentum included."""
    model, optimizer = _in_training(case)
    module = model[case["k"]]
    for parameter in module.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None
    start = {name: value.clone() for name, value in model.state_dict().items()}
    _train_steps(model, optimizer, case, STEPS_AFTER)
    inside = {id(parameter) for parameter in module.parameters()}
    for name, parameter in model.named_parameters():
        if id(parameter) not in inside:
            because = "the steps are other ones than without your call: keep the optimizer's settings and its state"
            if torch.equal(result["after"][name], result["before"][name]):
                because = "the others were stopped too: only the module that was passed in stays"
            path = (parameter - start[name]).norm()
            expect(
                (result["after"][name] - parameter).norm() <= 0.02 * path + 1e-6,
                tried=f"following {name}, outside the module, for {STEPS_AFTER} steps",
                got="it went somewhere else",
                expected="the same path as with the module standing still",
                because=because,
            )


head_then_all = Exercise(
    "04-head-then-everything",
    answer="lp_ft",
    call="lp_ft(model, data)",
    title="Head first, then everything",
    hints=(
        "Two loops, one after the other. What does each optimizer hold, and in which mode is the backbone in each?",
        "Between the loops: copy the state. state_dict() gives the model's own tensors, which go on changing.",
        "First: model.eval(), SGD(model[-1].parameters(), lr=0.1). Then clone every tensor of state_dict(). Then "
        "model.train(), requires_grad_(True) everywhere, SGD(model.parameters(), lr=0.01).",
    ),
    idea="Ten passes with SGD over model[-1].parameters() in eval mode; handover = {name: value.clone() for each item "
    "of model.state_dict()}; two passes with SGD over model.parameters() in train mode; return handover.",
)

PROBE_PASSES, PROBE_LR = 10, 0.1
TUNE_PASSES, TUNE_LR = 2, 0.01


@head_then_all.case
def three_batches(rng: torch.Generator) -> dict[str, Any]:
    return _two_steps_case("chain", rng)


def _two_steps_case(architecture: str, rng: torch.Generator, batches: int = 3) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": narrow.drawn_state(architecture, rng),
        "x": [narrow.pictures(rng, 8) + 1.0 for _ in range(batches)],  # brighter than the BatchNorm statistics expect
        "y": [narrow.labels(rng, 8) for _ in range(batches)],
    }


@head_then_all.probe
def probe_lp_ft(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"])
    handover = answer(model, list(zip(case["x"], case["y"], strict=True)))
    handover = need(handover, dict, "the state at the hand-over: a dict like model.state_dict()")
    return {"handover": dict(handover), "final": dict(model.state_dict())}


def _passes(model: Any, case: dict[str, Any], params: Any, lr: float, passes: int) -> None:
    optimizer = torch.optim.SGD(params, lr=lr)
    for _ in range(passes):
        for x, y in zip(case["x"], case["y"], strict=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()


def _probed(case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The reference state at the hand-over."""
    model: Any = narrow.restore(case["architecture"], case["state"]).eval()
    _passes(model, case, model[-1].parameters(), PROBE_LR, PROBE_PASSES)
    return model.state_dict()


def _tuned(case: dict[str, Any], handover: dict[str, torch.Tensor], *, train: bool = True, lr: float = TUNE_LR) -> Any:
    """The reference state after the second step from this hand-over."""
    model = narrow.restore(case["architecture"], handover).train(train)
    _passes(model, case, model.parameters(), lr, TUNE_PASSES)
    return model.state_dict()


def _known_handover(case: dict[str, Any], result: dict[str, Any]) -> dict[str, torch.Tensor]:
    handover = result["handover"]
    expect(
        handover.keys() == case["state"].keys()
        and all(isinstance(v, torch.Tensor) and v.shape == case["state"][n].shape for n, v in handover.items()),
        tried="reading what your function returned",
        got=f"a dict with {', '.join(list(handover)[:3]) or 'nothing in it'}",
        expected="every weight and buffer of the model, by name",
        because="return a copy of model.state_dict() from between the two steps",
    )
    return handover


@head_then_all.judge(three_batches, points=2)
def backbone_identical_at_handover(case: dict[str, Any], result: dict[str, Any]) -> None:
    """At the hand-over the backbone, its BatchNorm statistics too, is still bit-identical to the pretrained one."""
    handover = _known_handover(case, result)
    backbone = [name for name in handover if not name.startswith("head.")]
    moved = [name for name in backbone if not torch.equal(handover[name], case["state"][name])]
    because = "the backbone was trained in the first step: give its optimizer the head alone"
    if moved and all(torch.equal(handover[name], result["final"][name]) for name in backbone):
        because = "this is the state at the end: state_dict() holds the model's own tensors, so clone each of them"
    elif moved and all("running" in name or "num_batches" in name for name in moved):
        because = "only BatchNorm's statistics moved: in the first step the frozen backbone belongs in eval mode"
    expect(
        not moved,
        tried="comparing the state you returned with the pretrained one",
        got=f"{len(moved)} of {len(backbone)} weights and buffers of the backbone moved",
        expected="0 moved",
        because=because,
    )


@head_then_all.judge(three_batches, points=1)
def the_head_is_trained_first(case: dict[str, Any], result: dict[str, Any]) -> None:
    """At the hand-over the head is the one that ten passes with rate 0.1 give on the frozen backbone."""
    handover, expected = _known_handover(case, result), _probed(case)
    for name in ("head.weight", "head.bias"):
        path = (expected[name] - case["state"][name]).norm()
        untouched = torch.equal(handover[name], case["state"][name])
        expect(
            (handover[name] - expected[name]).norm() <= 0.03 * path,
            tried=f"{name} at the hand-over, after {PROBE_PASSES} passes of SGD with rate {PROBE_LR}",
            got="the head it started with" if untouched else "another one",
            expected=f"the reference, {float(path):.2f} away from its start",
            because="the head was not trained before the backbone was let go" if untouched else "",
        )


@head_then_all.judge(three_batches, points=2)
def then_everything_moves_on_from_there(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The second step starts from the trained head and moves everything: two passes with rate 0.01 in train mode."""
    handover = _known_handover(case, result)
    if all(torch.equal(result["final"][name], handover[name]) for name in handover):
        clone = not torch.equal(handover["stem.0.weight"], case["state"]["stem.0.weight"])
        raise Wrong(
            tried="comparing the model at the end with the hand-over",
            got="the same",
            expected="every weight of the backbone has moved on",
            because="clone the tensors of state_dict()" if clone else "the backbone was never let go: unfreeze it",
        )
    expected = _tuned(case, handover)
    parameters = [name for name, _ in narrow.build(case["architecture"]).named_parameters()]
    wrong = [name for name in parameters if not _near(result["final"], expected, handover, name)]
    expect(
        not wrong,
        tried=f"{TUNE_PASSES} passes of SGD with rate {TUNE_LR} over everything, from your hand-over",
        got=f"{len(wrong)} of {len(parameters)} parameters end elsewhere, {', '.join(wrong[:2])} among them",
        expected="the reference",
        because=_why_elsewhere(case, result["final"], handover, expected, parameters),
    )


def _near(got: dict[str, Any], expected: dict[str, Any], start: dict[str, Any], name: str) -> bool:
    return bool((got[name] - expected[name]).norm() <= 0.1 * (expected[name] - start[name]).norm() + 1e-5)


def _why_elsewhere(
    case: dict[str, Any], got: Any, handover: dict[str, torch.Tensor], expected: Any, parameters: list[str]
) -> str:
    backbone = [name for name in parameters if not name.startswith("head.")]
    head = "head.weight"
    if all(torch.equal(got[name], handover[name]) for name in backbone):
        return "the backbone did not move: unfrozen, and in the second optimizer?"
    for because, other in {
        "in the second step the model was in eval mode: there BatchNorm learns along": _tuned(
            case, handover, train=False
        ),
        "the second step went on with the rate of the first, ten times too high": _tuned(case, handover, lr=PROBE_LR),
    }.items():
        if all(_near(got, other, handover, name) for name in parameters):
            return because
    if (got[head] - handover[head]).norm() > 5 * (expected[head] - handover[head]).norm():
        return "the head was reset between the two steps: what it learned is what the second step should start from"
    return ""


adapt_low_rank = Exercise(
    "04-adapt-low-rank",
    answer="LoRALinear",
    call="LoRALinear(base, r, alpha)",
    title="A layer that learns in two small factors",
    withholds=("course.lora.LoRALinear",),
    hints=(
        "It computes base(x) + alpha / r * B(A(x)), A from inputs to r numbers, B from those to outputs.",
        "At the start the second part must be zero and still learn. What is A's gradient where B is zero, and B's?",
        "A random, B zero. The update of the weight is alpha / r * B @ A, of shape (out, in), as nn.Linear keeps it.",
    ),
    idea="base frozen; self.A = nn.Parameter(torch.randn(r, in) / 9); self.B = nn.Parameter(torch.zeros(out, r)); "
    "forward: base(x) + alpha / r * x @ A.T @ B.T; merged: a Linear with weight base.weight + alpha / r * B @ A.",
)

LORA_STEPS = 4


@adapt_low_rank.case
def with_bias(rng: torch.Generator) -> dict[str, Any]:
    return _lora_case(rng)


def _lora_case(
    rng: torch.Generator,
    *,
    inputs: int = 12,
    outputs: int = 7,
    r: int = 3,
    bias: bool = True,
    extra: tuple[int, ...] = (),
) -> dict[str, Any]:
    return {
        "weight": torch.randn(outputs, inputs, generator=rng) / 3,
        "bias": torch.randn(outputs, generator=rng) if bias else None,
        "r": r,
        "alpha": float(torch.randint(5, 10, (), generator=rng)),  # never r, so that alpha / r is not 1
        "x": torch.randn(16, *extra, inputs, generator=rng),
        "target": torch.randn(16, *extra, outputs, generator=rng),
    }


def _base(case: dict[str, Any]) -> nn.Linear:
    outputs, inputs = case["weight"].shape
    base = nn.Linear(inputs, outputs, bias=case["bias"] is not None)
    with torch.no_grad():
        base.weight.copy_(case["weight"])
        if case["bias"] is not None:
            base.bias.copy_(case["bias"])
    return base


@adapt_low_rank.probe
def probe_lora(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    base = _base(case)
    layer = need(answer(base, case["r"], case["alpha"]), nn.Module, "an nn.Module: LoRALinear is a class")
    start = need(layer(case["x"]), torch.Tensor, "a tensor from forward").detach().clone()
    factors = [parameter for parameter in layer.parameters() if parameter.requires_grad]
    before = [parameter.detach().clone() for parameter in factors]
    optimizer = torch.optim.SGD(factors or [nn.Parameter(torch.zeros(1))], lr=0.1)
    for _ in range(LORA_STEPS if factors else 0):
        optimizer.zero_grad()
        (layer(case["x"]) - case["target"]).square().mean().backward()
        optimizer.step()
    after = [parameter.detach().clone() for parameter in factors]
    weight = base.weight.detach().clone()
    end = layer(case["x"]).detach().clone()
    merged = need(layer.merged(), nn.Linear, "one nn.Linear from merged()")
    return {
        "start": start,
        "end": end,
        "before": before,
        "after": after,
        "base": weight,
        "merged": {"weight": merged.weight, "bias": merged.bias},
    }


def _oriented(case: dict[str, Any], tensors: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """(A, B) of shapes (r, in) and (out, r) among the trainable tensors. Raises Wrong if they are others."""
    outputs, inputs = case["weight"].shape
    r = case["r"]
    down = [t if t.shape == (r, inputs) else t.T for t in tensors if t.shape in ((r, inputs), (inputs, r))]
    up = [t if t.shape == (outputs, r) else t.T for t in tensors if t.shape in ((outputs, r), (r, outputs))]
    if len(down) != 1 or len(up) != 1 or len(tensors) != 2:
        trainable = sum(t.numel() for t in tensors)
        raise Wrong(
            tried=f"a Linear({inputs}, {outputs}) with r={r}: reading what is trainable",
            got=f"{trainable} numbers in {len(tensors)} tensors: {', '.join(str(list(t.shape)) for t in tensors)}",
            expected=f"two factors, {r * (inputs + outputs)} numbers",
            because="the base is trainable too: freeze it"
            if any(t.shape == (outputs, inputs) for t in tensors)
            else "",
        )
    return down[0], up[0]


def _output(case: dict[str, Any], down: torch.Tensor, up: torch.Tensor, scale: float) -> torch.Tensor:
    return nn.functional.linear(case["x"], case["weight"] + scale * up @ down, case["bias"])


@adapt_low_rank.judge(with_bias, points=1)
def the_start_changes_nothing(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Before the first step the layer computes what its base computes."""
    expected = nn.functional.linear(case["x"], case["weight"], case["bias"])
    factors = [part for part in result["before"] if part.ndim == 2 and case["r"] in part.shape]
    because = ""
    if len(factors) == 2 and all(part.any() for part in factors):
        because = "neither factor starts at zero, so the pretrained layer is disturbed before anything is learned"
    expect(
        result["start"].shape == expected.shape and torch.allclose(result["start"], expected, rtol=1e-4, atol=1e-5),
        tried="a new LoRALinear on a batch",
        got="another output than the base's",
        expected="what base(x) gives",
        because=because,
    )


@adapt_low_rank.judge(with_bias, points=2)
def both_factors_learn(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Both factors have moved after four steps, and the base has not."""
    before, after = _oriented(case, result["before"]), _oriented(case, result["after"])
    moved = [not torch.equal(b, a) for b, a in zip(before, after, strict=True)]
    zero = not any(part.any() for part in before)
    expect(
        all(moved),
        tried=f"{LORA_STEPS} steps of SGD",
        got=f"{sum(moved)} of the 2 factors moved",
        expected="both",
        because="both factors start at zero, and the gradient of each is a product with the other: zero for ever"
        if zero
        else "",
    )
    expect(
        torch.equal(result["base"], case["weight"]),
        tried="comparing the base's weight around the steps",
        got="it moved",
        expected="as it was",
        because="the base stays frozen; that is what makes the update small",
    )


@adapt_low_rank.judge(with_bias, points=2)
def the_update_is_scaled(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The trained layer computes base(x) + alpha / r * B A x."""
    down, up = _oriented(case, result["after"])
    alpha, r = case["alpha"], case["r"]
    expect_close(
        result["end"],
        _output(case, down, up, alpha / r),
        tried=f"the layer after training, r={r}, alpha={alpha:g}",
        rtol=1e-3,
        atol=1e-4,
        mistakes={
            "alpha / r is missing: without it every other r needs another learning rate": _output(case, down, up, 1.0),
            "scaled by alpha, not by alpha / r": _output(case, down, up, alpha),
            "scaled by r / alpha, upside down": _output(case, down, up, r / alpha),
            "the update alone: it is not added to what the base computes": case["x"] @ (alpha / r * up @ down).T,
            "the base alone: the update is not added to what the base computes": _output(case, down, up, 0.0),
        },
    )


@adapt_low_rank.judge(with_bias, points=1)
def merging_is_exact(case: dict[str, Any], result: dict[str, Any]) -> None:
    """merged() is one Linear that computes what the trained layer computes."""
    down, up = _oriented(case, result["after"])
    weight, bias = result["merged"]["weight"], result["merged"]["bias"]
    update = up @ down
    expect_close(
        weight,
        case["weight"] + case["alpha"] / case["r"] * update,
        tried="the weight of merged()",
        rtol=1e-4,
        atol=1e-5,
        mistakes={
            "merged without alpha / r": case["weight"] + update,
            "the base's weight alone: the update was not merged": case["weight"],
            "the update alone: the base's weight was lost": case["alpha"] / case["r"] * update,
        },
    )
    if case["bias"] is None:
        expect(bias is None or not bias.any(), tried="the bias of merged()", got=bias, expected="none, as the base")
    else:
        expect_close(bias, case["bias"], tried="the bias of merged()", mistakes={"the bias was lost": None})
