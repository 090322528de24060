"""A new, trainable last layer for any architecture, everything else unchanged."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.exercises import small_models
from course.exercises.nb03_replace_the_head.old_head import head_case, head_inputs, lost_and_new, slope
from course.exercises.tensor_comparison import follows
from course.judging import Exercise, Wrong, expect, need

OLD_CLASSES = 5  # what the narrow architectures tell apart before the head is replaced
RATE = 0.1

exercise = Exercise(
    "03-replace-head",
    answer="replace_head",
    call="replace_head(model, num_classes)",
    title="Replace the head of any architecture",
    withholds=("course.models.replace_head", "course.models.find_head"),
    hints=(
        "The four architectures have four names for their last layer. What do the four layers have in common?",
        "`model.named_modules()` yields names and modules in order of registration: keep the last one that is an "
        "`nn.Linear`. Its `in_features` is the number of inputs that the new layer needs.",
        'A name such as "classifier.3" means the attribute "3" of the module `classifier`: '
        "`parent, _, attribute = name.rpartition('.')`, then `setattr(model.get_submodule(parent), attribute, new)`.",
    ),
    idea="Find the last nn.Linear in model.named_modules(); set an nn.Linear(its in_features, num_classes) in its "
    "place with setattr on its parent, model.get_submodule(parent_name); return the model.",
)


@exercise.case
def resnet(rng: torch.Generator) -> dict[str, Any]:
    return head_case("resnet", rng)


@exercise.case
def vgg(rng: torch.Generator) -> dict[str, Any]:
    return head_case("vgg", rng)


@exercise.case
def efficientnet(rng: torch.Generator) -> dict[str, Any]:
    return head_case("efficientnet", rng)


@exercise.case
def vit(rng: torch.Generator) -> dict[str, Any]:
    return head_case("vit", rng)


@exercise.probe
def probe_replace_head(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = small_models.restore(case["architecture"], case["state"]).requires_grad_(False)
    model = need(answer(model, case["num_classes"]), nn.Module, "the model: `return model`").eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    requires_grad = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    outputs, outputs_after, error = None, None, ""
    try:
        outputs = model(case["x"])
        _step(model, outputs, case)
        with torch.no_grad():
            outputs_after = model(case["x"])
    except (RuntimeError, TypeError, NotImplementedError) as problem:
        error = f"{type(problem).__name__}: {str(problem)[:200]}"
    return {
        "outputs": outputs,
        "outputs_after": outputs_after,
        "error": error,
        "state": before,
        "state_after": dict(model.state_dict()),
        "requires_grad": requires_grad,
        "out_features": [part.out_features for part in model.modules() if isinstance(part, nn.Linear)],
    }


def _step(model: nn.Module, outputs: torch.Tensor, case: dict[str, Any]) -> None:
    """One step of SGD over whatever asks for a gradient, if outputs are such that there is a loss."""
    if list(outputs.shape) == [len(case["y"]), case["num_classes"]] and outputs.requires_grad:
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
        nn.functional.cross_entropy(outputs, case["y"]).backward()
        optimizer.step()


@exercise.judge(resnet)
def head_of_a_resnet(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A ResNet gets a trainable head that returns logits, and keeps its backbone."""
    judge_head(case, result)


@exercise.judge(vgg)
def head_of_a_vgg(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A VGG gets a trainable head that returns logits, and keeps its backbone."""
    judge_head(case, result)


@exercise.judge(efficientnet)
def head_of_an_efficientnet(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An EfficientNet gets a trainable head that returns logits, and keeps its backbone."""
    judge_head(case, result)


@exercise.judge(vit)
def head_of_a_vit(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A vision transformer gets a trainable head that returns logits, and keeps its backbone."""
    judge_head(case, result)


def judge_head(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the result is the case's model with a new linear head and all else as it was."""
    lost, new = lost_and_new(case, result["state"])
    _judge_outputs(case, result, new)
    expect(
        not lost,
        tried=f"looking for every pretrained tensor of the {case['architecture']} in your model",
        got=f"{len(lost)} gone or changed, {', '.join(lost[:2])} among them",
        expected="only the last layer's are gone",
        because="the head is the last layer alone: every pretrained layer before it, even one inside `classifier`, "
        "holds knowledge that you keep",
    )
    _judge_logits(case, result["outputs"])
    asleep = [name for name in new if not result["requires_grad"].get(name, True)]
    awake = [name for name, flag in result["requires_grad"].items() if flag and name not in new]
    expect(
        not asleep and not awake,
        tried="a model that was frozen from end to end",
        got=f"{len(asleep)} tensors of the new head frozen, {len(awake)} of the backbone trainable",
        expected="the new head trainable, the backbone still frozen",
        because=TRAINABLE,
    )
    _judge_step(case, result)


ONE_LINEAR = "the new head is one Linear on the features that the old head received, with nothing after it"
TRAINABLE = "a new layer is trainable when it is made; leave the requires_grad of every other layer as it was"


def _judge_step(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless one step of SGD moved the head, and only the head, down the gradient on these pictures."""
    lost, _ = lost_and_new(case, result["state_after"])
    tried = "one step of SGD over the parameters that require a gradient, in a model that was frozen"
    expect(not lost, tried=tried, got=f"{len(lost)} pretrained tensors moved", expected="0 moved", because=TRAINABLE)
    features, outputs = head_inputs(case), result["outputs"]
    # The step moves a linear head's logits by -rate K slope, K the products of features, plus 1 where it has a bias.
    products = features @ features.T
    paths = [outputs - RATE * (products + bias) @ slope(case, outputs) for bias in (1.0, 0.0)]
    still = torch.equal(result["outputs_after"], outputs)
    expect(
        any(follows(result["outputs_after"], path, outputs) for path in paths),
        tried=tried,
        got="the same outputs as before"
        if still
        else "outputs that moved elsewhere than the new head's gradient leads",
        expected="outputs that moved as one Linear on the backbone's features moves them",
        because=TRAINABLE if still else ONE_LINEAR,
    )


def _judge_outputs(case: dict[str, Any], result: dict[str, Any], new: list[str]) -> None:
    tried = f"a batch of {len(case['x'])} pictures through your {case['architecture']}"
    size = [len(case["x"]), case["num_classes"]]
    expected = f"shape {size}"
    if result["error"]:
        raise Wrong(
            tried=tried,
            got=result["error"],
            expected=expected,
            because="a layer is missing, or now gets another number of inputs than it expects: the new head takes the "
            "place of the last layer alone, with that layer's in_features",
        )
    outputs = result["outputs"]
    if not isinstance(outputs, torch.Tensor):
        raise Wrong(tried=tried, got=outputs, expected=expected, because="the model has to return one tensor of logits")
    because = ""
    if outputs.shape[-1] == OLD_CLASSES and case["num_classes"] in result["out_features"] and not new:
        because = "`out_features` is only a label on the layer: the weight does the work, and it still has the old rows"
    elif outputs.shape[-1] == OLD_CLASSES and new:
        because = (
            "the model has a new layer that its forward never calls: Python accepts `model.fc = ...` on any model, but "
            "only some models call their head `fc`"
        )
    elif outputs.shape[-1] == OLD_CLASSES:
        because = "the old head is still in its place: find it by what it is, the last layer, not by a name"
    shape = list(outputs.shape)
    expect(shape == size, tried=tried, got=f"shape {shape}", expected=expected, because=because)


def _judge_logits(case: dict[str, Any], outputs: torch.Tensor) -> None:
    """Raise Wrong unless the outputs are linear in what the untouched backbone gives."""
    features = head_inputs(case)
    inputs = torch.cat([features, torch.ones(len(features), 1)], 1).double()
    targets = outputs.double()
    fitted = inputs @ torch.linalg.lstsq(inputs, targets, driver="gelsd").solution
    ones = torch.ones(len(targets), dtype=torch.float64)
    if (targets >= 0).all() and torch.allclose(targets.sum(1), ones, atol=1e-4):
        because = "your head ends in a softmax: a head returns logits, and the loss applies the softmax itself"
    elif torch.allclose(targets.logsumexp(1), 0 * ones, atol=1e-4):
        because = "your head ends in a log-softmax: a head returns logits, and the loss applies the softmax itself"
    else:
        because = ONE_LINEAR
    spread = (targets - targets.mean(0)).norm()
    is_linear = (targets - fitted).norm() <= 1e-3 * spread + 1e-6
    expect(
        is_linear and "softmax" not in because,
        tried=f"comparing your {case['architecture']}'s outputs with its backbone's features",
        got="outputs that are not a linear function of the features" if not is_linear else "rows that are normalised",
        expected="logits: features times a weight, plus a bias",
        because=because,
    )
