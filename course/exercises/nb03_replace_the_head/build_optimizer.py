"""A model with a new head and an optimiser that moves that head and nothing else."""

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
    return head_case("resnet", rng)


@exercise.probe
def probe_build(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = small_models.restore(case["architecture"], case["state"])
    returned = need(answer(model, case["num_classes"]), (tuple, list), "the model and the optimiser, in this order")
    if len(returned) != 2 or not isinstance(returned[0], nn.Module) or not hasattr(returned[1], "param_groups"):
        raise Unusable(
            "your answer returned something else than a model and a torch optimiser; return both, in this order"
        )
    model, optimizer = returned
    before = {name: value.detach().clone() for name, value in model.state_dict().items()}
    outputs = model.eval()(case["x"])
    gradients = {}
    if outputs.shape[-1] == case["num_classes"] and outputs.requires_grad:
        optimizer.zero_grad()
        functional.cross_entropy(outputs, case["y"]).backward()
        gradients = {name: part.grad.clone() for name, part in model.named_parameters() if part.grad is not None}
        optimizer.step()
    return {
        "outputs": outputs,
        "graph": outputs.requires_grad,
        "gradients": gradients,
        "before": before,
        "after": dict(model.state_dict()),
    }


@exercise.judge(a_resnet, points=2)
def the_head_learns(case: dict[str, Any], result: dict[str, Any]) -> None:
    """One step with your optimiser moves the new head, downhill."""
    size = [len(case["x"]), case["num_classes"]]
    because = "the last layer must have one output a class of the new task: replace the head"
    expect_equal(list(result["outputs"].shape), size, tried="the shape of your model's outputs", because=because)
    expect(
        result["graph"],
        tried="one backward pass",
        got="no parameter of your model asks for a gradient",
        expected="the new head asks for one",
        because="the head was frozen with the rest: freeze first, then replace the head: a new layer comes trainable",
    )
    _expect_a_step(case, result)


def _expect_a_step(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the new head moved down its gradient on these pictures."""
    name = _head_weight(case, result)
    weight, moved = result["before"][name], result["after"][name] - result["before"][name]
    features = head_inputs(case)
    gradient = slope(case, result["outputs"]).T @ features
    tried = "one step with your optimiser"
    expect(
        moved.any(),
        tried=tried,
        got="the new head stayed as it was",
        expected="the new head moves",
        because="your optimiser was built before the swap: it still holds the old head, which the model has lost, and "
        "nothing reports that",
    )
    expect(
        (moved * gradient).sum() < 0,
        tried=tried,
        got="the head moved uphill",
        expected="a step against the gradient",
        because="an optimiser minimises the loss; leave maximize off and the rate positive",
    )
    rest = result["outputs"] - features @ weight.T  # the bias, in each row
    nowhere = torch.zeros_like(gradient)
    expect(
        follows(rest, rest[:1].expand_as(rest), result["outputs"], rtol=1e-3)
        and follows(result["gradients"][name], gradient, nowhere),
        tried="comparing your model's outputs and the new head's gradient with the backbone's features",
        got="others than these features give",
        expected="features times the new weight, plus a bias, and the gradient of that",
        because="the new head is one Linear on what the old head saw, with nothing after it",
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
    _expect_a_step(case, result)
