"""A model with a new head, and an optimiser that moves that head and nothing else."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from course.exercises import small_models
from course.exercises.nb03_replace_the_head.old_head import (
    has_tensor,
    head_case,
    head_inputs,
    head_name,
    lost_and_new,
    slope,
)
from course.exercises.tensor_comparison import follows
from course.judging import Exercise, Unusable, Wrong, expect, expect_equal, need

exercise = Exercise(
    "03-build-optimizer",
    answer="build",
    call="build(model, num_classes, lr, weight_decay)",
    title="Build the model first, then its optimiser",
    hints=(
        "An optimiser holds parameters, not the names under which the model keeps them. Which parameters exist at "
        "which moment?",
        "Freeze what is there, then put in the new head: `models.freeze` and `models.replace_head` do that. Only now "
        "look up the head, with `models.find_head(model).module`.",
        "An optimiser also takes a list of dicts, one per group: `[{'params': [...], 'weight_decay': 0.1}, ...]`. You "
        "need two groups.",
    ),
    idea="freeze the model, replace its head, and only then make the optimiser, with two groups: the head's weight "
    "with the weight decay, its bias with a weight decay of zero; return model and optimiser.",
)


@exercise.case
def a_resnet(rng: torch.Generator) -> dict[str, Any]:
    return optimizer_case("resnet", rng)


def optimizer_case(architecture: str, rng: torch.Generator) -> dict[str, Any]:
    drawn = torch.rand(2, generator=rng)
    return {
        **head_case(architecture, rng),
        "lr": round(0.05 + 0.1 * float(drawn[0]), 3),
        "weight_decay": round(0.02 + 0.1 * float(drawn[1]), 3),
    }


@exercise.probe
def probe_build(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = small_models.restore(case["architecture"], case["state"])
    built = answer(model, case["num_classes"], case["lr"], case["weight_decay"])
    returned = need(built, (tuple, list), "the model and the optimiser, in this order")
    if len(returned) != 2 or not isinstance(returned[0], nn.Module) or not hasattr(returned[1], "param_groups"):
        raise Unusable(
            "your answer returned something other than a model and a torch optimiser; return both, in this order"
        )
    model, optimizer = returned
    before = {name: value.detach().clone() for name, value in model.state_dict().items()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = [
        {
            "names": [names.get(id(parameter), "") for parameter in group["params"]],
            "lr": float(group["lr"]),
            "weight_decay": float(group.get("weight_decay", 0.0)),
        }
        for group in optimizer.param_groups
    ]
    outputs = model.eval()(case["x"])
    gradients = {}
    if outputs.shape[-1] == case["num_classes"] and outputs.requires_grad:
        optimizer.zero_grad()
        functional.cross_entropy(outputs, case["y"]).backward()
        gradients = {name: part.grad.clone() for name, part in model.named_parameters() if part.grad is not None}
        optimizer.step()
    after = {name: value.detach().clone() for name, value in model.state_dict().items()}
    return {
        "outputs": outputs,
        "graph": outputs.requires_grad,
        "gradients": gradients,
        "groups": groups,
        "before": before,
        "after": after,
        "after_another": _step_over_everything(model, case),
    }


def _step_over_everything(model: nn.Module, case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The state after a step of a second optimiser, over all parameters of the model that require a gradient."""
    outputs = model(case["x"])
    if outputs.shape[-1] == case["num_classes"] and outputs.requires_grad:
        another = torch.optim.SGD(model.parameters(), lr=0.1)
        another.zero_grad()
        functional.cross_entropy(outputs, case["y"]).backward()
        another.step()
    return dict(model.state_dict())


@exercise.judge(a_resnet, points=2)
def the_head_learns(case: dict[str, Any], result: dict[str, Any]) -> None:
    """One step of your optimiser moves the new head downhill."""
    size = [len(case["x"]), case["num_classes"]]
    because = "the last layer needs one output per class of the new task: replace the head"
    expect_equal(list(result["outputs"].shape), size, tried="the shape of your model's outputs", because=because)
    expect(
        result["graph"],
        tried="one backward pass",
        got="no parameter of your model requires a gradient",
        expected="those of the new head do",
        because="the head was frozen with the rest: freeze first, then replace the head; a new layer is trainable",
    )
    _expect_a_step(case, result)


def _expect_a_step(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the new head moved down its gradient on these pictures."""
    name = _head_weight(case, result)
    weight, moved = result["before"][name], result["after"][name] - result["before"][name]
    features = head_inputs(case)
    gradient = slope(case, result["outputs"]).T @ features
    tried = "one step of your optimiser"
    held = any(name in group["names"] for group in result["groups"])
    expect(
        moved.any(),
        tried=tried,
        got="the new head's weight did not move",
        expected="it moves",
        because="your optimiser holds the new head, but with a learning rate of zero"
        if held
        else "your optimiser doesn't hold the new head's weight; one that is built before the swap keeps the old "
        "head's, which is no longer part of the model, and nothing reports that",
    )
    expect(
        (moved * gradient).sum() < 0,
        tried=tried,
        got="the head moved uphill",
        expected="a step against the gradient",
        because="an optimiser minimises the loss; leave out maximize, and keep the learning rate positive",
    )
    rest = result["outputs"] - features @ weight.T  # the bias, in each row
    nowhere = torch.zeros_like(gradient)
    expect(
        follows(rest, rest[:1].expand_as(rest), result["outputs"], rtol=1e-3)
        and follows(result["gradients"][name], gradient, nowhere),
        tried="comparing your model's outputs and the gradient of the new head with the backbone's features",
        got="outputs or gradients that these features don't give",
        expected="features times the new weight, plus a bias, and the gradient of that",
        because="the new head is one Linear on the old head's input, with nothing after it",
    )


def _head_weight(case: dict[str, Any], result: dict[str, Any]) -> str:
    """The name of the new head's weight, (classes, D)."""
    shape = (case["num_classes"], case["state"][head_name(case["architecture"]) + ".weight"].shape[1])
    before = result["before"]
    names = [name for name, value in before.items() if value.shape == shape and not has_tensor(case["state"], value)]
    if not names:
        raise Wrong(
            tried="looking for the new head in your model",
            got=f"no new weight of shape {list(shape)}",
            expected="one Linear in the place of the last layer",
            because="replace the last layer alone, with its own in_features",
        )
    return names[-1]


@exercise.judge(a_resnet, points=1)
def the_backbone_stays(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The backbone is frozen, and the same step leaves it unchanged."""
    lost, _ = lost_and_new(case, result["after"])
    early, _ = lost_and_new(case, result["before"])
    because = "the optimiser moves the backbone too: freeze it before you make the optimiser"
    if early:
        because = "your function itself changed pretrained weights"
    expect(
        not lost,
        tried="comparing the backbone before and after one step of your optimiser",
        got=f"{len(lost)} pretrained tensors moved",
        expected="none moved",
        because=because,
    )
    moved, _ = lost_and_new(case, result["after_another"])
    expect(
        not moved,
        tried="one step of another optimiser, over model.parameters()",
        got=f"{len(moved)} pretrained tensors moved",
        expected="none moved",
        because="your optimiser leaves the backbone alone, but the backbone isn't frozen: backward computes a "
        "gradient for every layer, which costs time and memory, and any optimiser over model.parameters() moves it",
    )
    _expect_a_step(case, result)


@exercise.judge(a_resnet, points=1)
def decay_for_the_weight_alone(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The learning rate is the one that was given, and weight decay acts on the weight, not on the bias."""
    _expect_a_step(case, result)
    weight = _head_weight(case, result)
    settings = {name: group for group in result["groups"] for name in group["names"]}
    bias = weight.removesuffix("weight") + "bias"
    tried = "reading the groups of your optimiser"
    expect(
        bias not in result["before"] or bias in settings,
        tried=tried,
        got="no group with the new head's bias",
        expected="weight and bias of the new head",
        because="a bias that no group holds stays at its random start",
    )
    rates = sorted({settings[name]["lr"] for name in (weight, bias) if name in settings})
    expect_equal(
        rates,
        [case["lr"]],
        tried=f"{tried}: the learning rate",
        because="lr is the rate of weight and bias: pass it on",
    )
    decays = {name: settings[name]["weight_decay"] for name in (weight, bias) if name in settings}
    found = [decays[weight], decays.get(bias, 0.0)]
    expect_equal(
        found,
        [case["weight_decay"], 0.0],
        tried=f"{tried}: weight decay of [the weight, the bias]",
        mistakes={
            "one weight decay for the whole optimiser shrinks the bias as well: make two groups": 2
            * [case["weight_decay"]],
            "it is the other way round: the weight decays, the bias doesn't": [0.0, case["weight_decay"]],
            "neither decays: pass weight_decay on to the weight's group": [0.0, 0.0],
        },
        because="the weight decays by weight_decay, the bias by 0. A group without a weight decay gets the optimiser's "
        "default, which isn't zero for AdamW",
    )
