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


@exercise.case
def four_stages(rng: torch.Generator) -> dict[str, Any]:
    return rates_case("chain", rng)


def rates_case(architecture: str, rng: torch.Generator, frozen: int = 0) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": small_models.drawn_state(architecture, rng),
        "lr": 0.1 + 0.4 * float(torch.rand((), generator=rng)),
        "decay": 0.3 + 0.5 * float(torch.rand((), generator=rng)),
        "frozen": frozen,  # so many stages from the input on are frozen
        "x": small_models.pictures(rng, 8),
        "y": small_models.labels(rng, 8),
    }


@exercise.probe
def probe_param_groups(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = _partly_frozen(case)
    returned = need(answer(model, case["lr"], case["decay"]), Iterable, "a list of dicts, one a group")
    groups = [_listed(group, case["lr"]) for group in returned]
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    named = [{"lr": group["lr"], "names": [names.get(id(item), "") for item in group["params"]]} for group in groups]
    try:
        optimizer = torch.optim.SGD(groups, lr=case["lr"])
    except ValueError:  # overlapping groups, or tensors that are no parameters: the groups tell
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
    """A group with its parameters in a list and its rate a number."""
    if not isinstance(group, dict) or "params" not in group:
        raise Unusable(
            f'your list holds a {type(group).__name__}; a group is a dict with "params" and "lr", '
            "as torch.optim takes it"
        )
    params = [group["params"]] if isinstance(group["params"], torch.Tensor) else list(group["params"])
    return {"lr": float(group.get("lr", lr)), "params": params}


@exercise.judge(four_stages, points=1)
def every_parameter_once(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every trainable parameter is in exactly one group."""
    model = _partly_frozen(case)
    names = [name for group in result["groups"] for name in group["names"]]
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name, p in model.named_parameters() if p.requires_grad and name not in names]
    tried = f"your groups for a model of {len(model)} stages"
    expect(
        "" not in names,
        tried=tried,
        got="tensors that are not the model's parameters",
        expected="its own parameters",
        because="an optimizer moves the very tensors that it is given: with copies the model stays as it is",
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
    _expect_the_step(case, result)


def _expect_the_step(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless a step of SGD with the groups moved each parameter by its group's rate times its gradient."""
    model = _partly_frozen(case)
    rates = {name: group["lr"] for group in result["groups"] for name in group["names"]}
    nn.functional.cross_entropy(model(case["x"]), case["y"]).backward()
    trained = {name: part.grad for name, part in model.named_parameters() if part.grad is not None}
    start, after = case["state"], result["after"]
    expected = {**start, **{name: start[name] - rates.get(name, 0.0) * slope for name, slope in trained.items()}}
    tried = "one step of SGD with your groups"
    other = diverged(after, expected, start, expected) if after else list(expected)
    expect(
        not other,
        tried=tried,
        got=f"{len(other)} parameters elsewhere, {', '.join(other[:2])} among them",
        expected="each moved by its group's rate times its gradient, and nothing else",
        because="" if after else "one optimizer cannot be made of these groups",
    )
    moved = [name for name in trained if name in rates and not torch.equal(after[name], start[name])]
    expect(
        moved and len(moved) == len(trained.keys() & rates),
        tried=tried,
        got=f"{len(moved)} of {len(trained.keys() & rates)} trainable parameters in your groups moved",
        expected="all of them move",
        because="a rate of 0 doesn't freeze anything: what is in a group learns",
    )


@exercise.judge(four_stages, points=2)
def rates_fall_with_depth(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The head learns at lr, and every stage before it at decay times the rate of the one after."""
    children = [name for name, _ in small_models.build(case["architecture"]).named_children()]
    got = {name.split(".")[0]: group["lr"] for group in result["groups"] for name in group["names"]}
    lr, decay, depth = case["lr"], case["decay"], range(len(children) - 1, -1, -1)
    tuned = [child in got for child in children]
    expect(
        sum(tuned) > 1,
        tried="looking for the model's stages in your groups",
        got=f"{sum(tuned)} of {len(children)} stages",
        expected="all that train",
        because="what is in no group has no rate",
    )

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
    _expect_the_step(case, result)


@exercise.judge(four_stages, points=1)
def a_step_moves_all(case: dict[str, Any], result: dict[str, Any]) -> None:
    """One step of SGD with these groups moves every trainable parameter by its own rate times its gradient."""
    tuned = [name for name, parameter in _partly_frozen(case).named_parameters() if parameter.requires_grad]
    after = result["after"]
    still = [name for name in tuned if name in after and torch.equal(after[name], case["state"][name])]
    expect(
        not still,
        tried="one step of SGD",
        got=f"{len(still)} parameters stayed, {', '.join(still[:2])} among them",
        expected="all move",
        because="a rate of 0, or a parameter in no group",
    )
    _expect_the_step(case, result)
