"""What still moves in a model that is meant to be frozen, and what will never train: the three meanings, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from course.exercises import small_models
from course.judging import Exercise, Unusable, Wrong, need

exercise = Exercise(
    "02-audit-freeze",
    answer="audit_freeze",
    call="audit_freeze(model, optimizer)",
    title="Audit a freeze",
    withholds=("course.models.is_frozen",),
    hints=(
        "Start with what the optimiser holds: every group in `optimizer.param_groups` has a list under "
        '`"params"`. `optimizer.state` is empty until the first step, so it can\'t tell you.',
        "Compare parameters by identity, `id(parameter)`: `==` and `in` compare values. `model.named_parameters()` "
        "gives the names.",
        "For `drifting`, go through `model.named_modules()`. A module's own parameters and buffers are "
        "`module.parameters(recurse=False)` and `module.named_buffers(recurse=False)`; its mode is `module.training`.",
    ),
    idea="held = {id(p) for group in optimizer.param_groups for p in group['params']}; two list comprehensions over "
    "model.named_parameters(); one loop over model.named_modules() for the buffers of frozen modules in train mode.",
)

INSIDE = "gate"  # the name of a module within a norm
_WHERE = {
    "drifting": "the mode of every module, `module.training`, and the flags of its own parameters",
    "held": "the parameters in `optimizer.param_groups`; `optimizer.state` is empty before the first step",
    "missing": "`requires_grad` of every parameter, and the parameters in `optimizer.param_groups`",
}
KEYS = ("drifting", "held", "missing")
MEANS = {
    "drifting": "buffers of frozen modules in train mode",
    "held": "frozen parameters that the optimiser holds",
    "missing": "trainable parameters that no group holds",
}


@exercise.case
def mixed_up(rng: torch.Generator) -> dict[str, Any]:
    return audit_case("resnet", rng)


def audit_case(architecture: str, rng: torch.Generator, *, nested: bool = False) -> dict[str, Any]:
    """Flags, modes and groups are drawn, so that each of the three lists has some of the names and not all of them.

    `groups` maps the name of each parameter to its group, -1 for none; `training` maps modules to their modes. With
    `nested`, a frozen BatchNorm in train mode has a trainable one in eval mode inside.
    """
    model = small_models.build(architecture)
    names = [name for name, _ in model.named_parameters()]
    flags = dict(zip(names, (torch.rand(len(names), generator=rng) < 0.5).tolist(), strict=True))
    groups = dict(zip(names, torch.randint(-1, 2, (len(names),), generator=rng).tolist(), strict=True))
    training = {name: bool(torch.rand((), generator=rng) < 0.5) for name, _ in model.named_modules()}
    norms = [name for name, module in model.named_modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    # Each norm's weight and bias: both frozen in train mode, both in eval mode, one or both trainable in train mode.
    situations = [(False, False, True), (False, False, False), (True, False, True), (True, True, True)]
    start = int(torch.randint(len(norms), (), generator=rng))
    for i in range(len(norms)):
        name = norms[(start + i) % len(norms)]
        flags[f"{name}.weight"], flags[f"{name}.bias"], training[name] = situations[i % len(situations)]
    weights = [name for name in names if name.rpartition(".")[0] not in norms]
    order = torch.randperm(len(weights), generator=rng).tolist()
    fixed = [(False, 0), (False, 1), (False, -1), (True, 0), (True, 1), (True, -1)]  # in each group and in none
    for i, (flag, group) in zip(order, fixed, strict=False):
        flags[weights[i]], groups[weights[i]] = flag, group
    if nested:
        inside = f"{norms[start]}.{INSIDE}"
        training[inside] = False
        for name in (f"{inside}.weight", f"{inside}.bias"):
            flags[name], groups[name] = True, 0
    return {
        "architecture": architecture,
        "state": small_models.drawn_state(architecture, rng),
        "nested": [norms[start]] if nested else [],
        "requires_grad": flags,
        "training": training,
        "groups": groups,
        "optimizer": "SGD",
        "tie": [],
    }


def prepared(case: dict[str, Any]) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The model and the optimizer of a case."""
    model = small_models.restore(case["architecture"], case["state"])
    if case["tie"]:
        model.get_submodule(case["tie"][0]).weight = model.get_submodule(case["tie"][1]).weight
    for name in case["nested"]:
        model.get_submodule(name).add_module(INSIDE, nn.BatchNorm1d(2))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(case["requires_grad"][name])
    for name, module in model.named_modules():
        module.training = case["training"][name]
    groups = [[p for name, p in model.named_parameters() if case["groups"][name] == number] for number in (0, 1)]
    kind = getattr(torch.optim, case["optimizer"])
    return model, kind([{"params": parameters, "lr": 0.1} for parameters in groups])


@exercise.probe
def probe_audit_freeze(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model, optimizer = prepared(case)
    report = need(answer(model, optimizer), Mapping, f"a dict with the keys {', '.join(KEYS)}")
    missing = [key for key in KEYS if key not in report]
    if missing:
        raise Unusable(f"your dict has no {' and no '.join(map(repr, missing))}; its keys are {', '.join(KEYS)}")
    names = {}
    for key in KEYS:
        if isinstance(report[key], str) or not isinstance(report[key], Iterable):
            raise Unusable(f"your dict's {key!r} is a {type(report[key]).__name__}; it should be a list of names")
        names[key] = list(report[key])
        if not all(isinstance(name, str) for name in names[key]):
            raise Unusable(f"your dict's {key!r} holds something other than names; list the names as strings")
    changed = [name for name, p in model.named_parameters() if p.requires_grad != case["requires_grad"][name]]
    changed += [name for name, module in model.named_modules() if module.training != case["training"][name]]
    return {"names": names, "changed": changed}


@exercise.judge(mixed_up, points=2)
def names_what_drifts(case: dict[str, Any], result: dict[str, Any]) -> None:
    """`drifting` names the buffers that the next forward pass changes although their module is frozen."""
    judge_names("drifting", case, result)


@exercise.judge(mixed_up, points=1)
def names_what_is_held(case: dict[str, Any], result: dict[str, Any]) -> None:
    """`held` names the frozen parameters that the optimiser can still move."""
    judge_names("held", case, result)


@exercise.judge(mixed_up, points=1)
def names_what_is_missing(case: dict[str, Any], result: dict[str, Any]) -> None:
    """`missing` names the trainable parameters that the optimiser will never update."""
    judge_names("missing", case, result)


def judge_names(key: str, case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the names under `key` are the expected ones, in any order, and the model was left alone."""
    if result["changed"]:
        raise Wrong(
            tried="comparing `requires_grad` and `training` before and after your function",
            got=f"{len(result['changed'])} changed, `{result['changed'][0]}` among them",
            expected="all as they were",
            because="an audit reports and repairs nothing",
        )
    got = {name for name in result["names"][key] if not name.endswith("num_batches_tracked")}  # may be listed or not
    expected = set(audit(case)[key])
    if got == expected:
        return
    extra, lacking = sorted(got - expected), sorted(expected - got)
    said = [f"{len(got)} names"]
    said += [f"{len(extra)} too many, `{extra[0]}` for example"] if extra else []
    said += [f"{len(lacking)} not in it, `{lacking[0]}` for example"] if lacking else []
    raise Wrong(
        tried=f"reading {key!r} for a model with mixed flags and modes, and an optimiser with two groups",
        got=", ".join(said),
        expected=f"the {len(expected)} {MEANS[key]}",
        because=_why(key, case, got),
    )


def audit(case: dict[str, Any]) -> dict[str, list[str]]:
    """The three lists of a case; of the buffers, those that hold statistics."""
    model, _ = prepared(case)
    held = {name for name, _ in model.named_parameters() if case["groups"][name] >= 0}
    flags = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    drifting = [
        f"{name}.{buffer}"
        for name, module in model.named_modules()
        if module.training and _own_flags(module) and not any(_own_flags(module))
        for buffer, _ in module.named_buffers(recurse=False)
        if buffer != "num_batches_tracked"
    ]
    return {
        "drifting": drifting,
        "held": [name for name, flag in flags.items() if not flag and name in held],
        "missing": [name for name, flag in flags.items() if flag and name not in held],
    }


def _own_flags(module: nn.Module) -> list[bool]:
    return [parameter.requires_grad for parameter in module.parameters(recurse=False)]


def _why(key: str, case: dict[str, Any], got: set[str]) -> str:
    """The mistake that gives exactly these names, if one of those that are known does."""
    model, _ = prepared(case)
    if not got <= {name for name, _ in [*model.named_parameters(), *model.named_buffers(), *model.named_modules()]}:
        return "some of these names are not among those of named_parameters() and named_buffers()"
    if not got:
        return f"the list is empty. Read {_WHERE[key]}"
    for mistake in _MISTAKES[key]:
        if got == mistake(model, case):
            return mistake.__doc__ or ""
    return f"{key!r} lists the {MEANS[key]}, each by its full name, and nothing else"


def _buffers(model: nn.Module, chosen: Any) -> set[str]:
    return {
        f"{name}.{buffer}"
        for name, module in model.named_modules()
        if chosen(module)
        for buffer, _ in module.named_buffers(recurse=False)
        if buffer != "num_batches_tracked"
    }


def _frozen(module: nn.Module) -> bool:
    return not any(_own_flags(module))


def _names_of_layers(model: nn.Module, case: dict[str, Any]) -> set[str]:
    """these are names of layers; list their buffers, such as `stage1.1.running_mean`"""
    return {name.rpartition(".")[0] for name in audit(case)["drifting"]}


def _every_mode(model: nn.Module, case: dict[str, Any]) -> set[str]:
    """frozen modules in eval mode are listed as well: in eval mode a forward pass changes no buffer"""
    return _buffers(model, _frozen)


def _every_flag(model: nn.Module, case: dict[str, Any]) -> set[str]:
    """modules that still train are listed as well: their statistics are meant to move, so ask for `requires_grad`"""
    return _buffers(model, lambda module: module.training)


def _partly_frozen(model: nn.Module, case: dict[str, Any]) -> set[str]:
    """a module with a trainable parameter is listed; it is frozen only if none of its parameters requires a gradient"""
    return _buffers(model, lambda module: module.training and not all(_own_flags(module)))


def _mode_of_the_model(model: nn.Module, case: dict[str, Any]) -> set[str]:
    """the mode was read from the model as a whole; every module has a mode of its own, `module.training`"""
    return _buffers(model, _frozen) if model.training else set()


def _held_by(case: dict[str, Any], groups: tuple[int, ...]) -> set[str]:
    return {name for name, group in case["groups"].items() if group in groups and name in case["requires_grad"]}


def _flagged(case: dict[str, Any], flag: bool) -> set[str]:
    return {name for name, value in case["requires_grad"].items() if value is flag}


def _all_that_is_held(model: nn.Module, case: dict[str, Any]) -> set[str]:
    """every parameter in the optimiser is listed: those that require a gradient belong there"""
    return _held_by(case, (0, 1))


def _all_that_is_frozen(model: nn.Module, case: dict[str, Any]) -> set[str]:
    """every frozen parameter is listed, whether the optimiser holds it or not"""
    return _flagged(case, False)


def _held_by_the_first_group(model: nn.Module, case: dict[str, Any]) -> set[str]:
    """only the first of the optimiser's groups was read; go through all of `optimizer.param_groups`"""
    return _held_by(case, (0,)) & _flagged(case, False)


def _all_that_trains(model: nn.Module, case: dict[str, Any]) -> set[str]:
    """parameters that the optimiser holds are listed: read `param_groups`, since `optimizer.state` starts empty"""
    return _flagged(case, True)


def _missing_from_the_first_group(model: nn.Module, case: dict[str, Any]) -> set[str]:
    """only the first of the optimiser's groups was read; go through all of `optimizer.param_groups`"""
    return _flagged(case, True) - _held_by(case, (0,))


def _all_that_is_not_held(model: nn.Module, case: dict[str, Any]) -> set[str]:
    """frozen parameters are listed as well: nothing is wrong when no group holds them"""
    return _held_by(case, (-1,))


_MISTAKES: dict[str, tuple[Any, ...]] = {
    "drifting": (_names_of_layers, _every_mode, _every_flag, _partly_frozen, _mode_of_the_model),
    "held": (_all_that_is_held, _all_that_is_frozen, _held_by_the_first_group),
    "missing": (_all_that_trains, _missing_from_the_first_group, _all_that_is_not_held),
}
