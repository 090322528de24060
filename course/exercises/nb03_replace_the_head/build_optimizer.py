"""A model with a new head and an optimiser that moves that head and nothing else."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from course.exercises import narrow
from course.exercises.nb03_replace_the_head.old_head import has_tensor, head_case, head_inputs, head_name, lost_and_new
from course.judging import Exercise, Unusable, Wrong, expect, expect_equal, need

exercise = Exercise(
    "03-build-optimizer",
    answer="build",
    call="build(model, num_classes)",
    title="Build the model first, then its optimiser",
    hints=(
        "An optimiser holds parameters, not the names under which the model keeps them. Which parameters exist when?",
        "First freeze what is there, then put in the new head: `models.freeze` and `models.replace_head` do that.",
        "Last, `torch.optim.SGD(models.trainable_parameters(model), lr=0.1)`: by now that list is the new head alone.",
    ),
    idea="freeze the model, replace its head, and only then make the optimiser over the parameters that ask for a "
    "gradient; return both.",
)


@exercise.case
def a_resnet(rng: torch.Generator) -> dict[str, Any]:
    return build_case("resnet", rng)


def build_case(architecture: str, rng: torch.Generator) -> dict[str, Any]:
    case = {**head_case(architecture, rng), "x": narrow.pictures(rng, 16)}
    return {**case, "y": narrow.labels(rng, 16, case["num_classes"])}


@exercise.probe
def probe_build(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"])
    returned = need(answer(model, case["num_classes"]), (tuple, list), "the model and the optimiser, in this order")
    if len(returned) != 2 or not isinstance(returned[0], nn.Module) or not hasattr(returned[1], "param_groups"):
        raise Unusable(
            "your answer returned something else than a model and a torch optimiser; return both, in this order"
        )
    model, optimizer = returned
    before = {name: value.detach().clone() for name, value in model.state_dict().items()}
    outputs = model.eval()(case["x"])
    if outputs.shape[-1] == case["num_classes"] and outputs.requires_grad:
        optimizer.zero_grad()
        functional.cross_entropy(outputs, case["y"]).backward()
        optimizer.step()
    return {
        "shape": list(outputs.shape),
        "graph": outputs.requires_grad,
        "before": before,
        "after": dict(model.state_dict()),
    }


@exercise.judge(a_resnet, points=2)
def the_head_learns(case: dict[str, Any], result: dict[str, Any]) -> None:
    """One step with your optimiser moves the new head, downhill."""
    size = [len(case["x"]), case["num_classes"]]
    expect_equal(result["shape"], size, tried="the shape of your model's outputs")
    expect(
        result["graph"],
        tried="one backward pass",
        got="no parameter of your model asks for a gradient",
        expected="the new head asks for one",
        because="the head was frozen with the rest: freeze first, then replace the head: a new layer comes trainable",
    )
    weight, moved = _head_weight(case, result)
    expect(
        moved.any(),
        tried="one step with your optimiser",
        got="the new head stayed as it was",
        expected="the new head moves",
        because="your optimiser was built before the swap: it still holds the old head, which the model has lost, and "
        "nothing reports that",
    )
    gradient = _gradient(case, weight)
    expect(
        (moved * gradient).sum() < 0,
        tried="one step with your optimiser",
        got="the head moved uphill",
        expected="a step against the gradient",
        because="an optimiser minimises the loss; leave maximize off and the rate positive",
    )


def _head_weight(case: dict[str, Any], result: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """The new head's weight before the step, (classes, D), and by how much the step moved it."""
    before, after = result["before"], result["after"]
    shape = (case["num_classes"], case["state"][head_name(case["architecture"]) + ".weight"].shape[1])
    names = [name for name, value in before.items() if value.shape == shape and not has_tensor(case["state"], value)]
    if not names:
        raise Wrong(
            tried="looking for the new head in your model",
            got=f"no new weight of shape {list(shape)}",
            expected="one Linear in the place of the last layer",
            because="replace the last layer alone, with its own in_features",
        )
    return before[names[-1]], after[names[-1]] - before[names[-1]]


def _gradient(case: dict[str, Any], weight: torch.Tensor) -> torch.Tensor:
    """Of the loss on the case's batch, with respect to a head's weight (bias left out)."""
    weight = weight.clone().requires_grad_()
    loss = functional.cross_entropy(head_inputs(case) @ weight.T, case["y"])
    return torch.autograd.grad(loss, weight)[0]


@exercise.judge(a_resnet, points=1)
def the_backbone_stays(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The same step leaves the pretrained backbone as it was."""
    lost, _ = lost_and_new(case, result["after"])
    early, _ = lost_and_new(case, result["before"])
    because = "the optimiser moves the backbone too: freeze it before you make the optimiser, or give it the head alone"
    if early:
        because = "your function itself changed pretrained weights"
    expect(
        not lost,
        tried="comparing the backbone before and after one step with your optimiser",
        got=f"{len(lost)} pretrained tensors moved",
        expected="none moved",
        because=because,
    )
