"""Cross-entropy on logits, its gradient, and where it stays finite."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from course.exercises import narrow
from course.exercises.nb03_replace_the_head.old_head import head_name
from course.judging import Exercise, Unusable, expect, expect_close, need

exercise = Exercise(
    "03-write-loss",
    answer="loss",
    call="loss(model, x, y)",
    title="Keep the contract: a loss on logits",
    hints=(
        "The head gives logits. What does `nn.functional.cross_entropy` do to its input before it takes the logarithm?",
        "Look it up: `help(torch.nn.functional.cross_entropy)`. The input holds unnormalised logits.",
        "One line: call the model on x, give its output and y to cross_entropy, return the result as it is.",
    ),
    idea="return torch.nn.functional.cross_entropy(model(x), y): the softmax is inside.",
)


@exercise.case
def ordinary_logits(rng: torch.Generator) -> dict[str, Any]:
    return loss_case("resnet", rng)


@exercise.case
def sure_logits(rng: torch.Generator) -> dict[str, Any]:
    case = loss_case("resnet", rng)
    name = head_name("resnet") + ".weight"
    case["state"][name] = case["state"][name] * 500
    return case


def loss_case(architecture: str, rng: torch.Generator) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": narrow.drawn_state(architecture, rng),
        "x": narrow.pictures(rng, 10) * 2,
        "y": narrow.labels(rng, 10),
    }


@exercise.probe
def probe_loss(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"]).eval()
    value = need(answer(model, case["x"], case["y"]), (torch.Tensor, float), "the loss, a tensor with one number")
    if not isinstance(value, torch.Tensor):
        raise Unusable("your answer returned a plain float; training needs the tensor, for backward() starts from it")
    if value.requires_grad and value.numel() == 1:
        value.backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    return {
        "value": value,
        "graph": value.requires_grad,
        "gradients": [gradient for gradient in gradients if gradient is not None],
        "train_mode": any(part.training for part in model.modules()),
    }


@exercise.judge(ordinary_logits, points=2)
def cross_entropy_on_logits(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss is the mean cross-entropy of the model's logits."""
    judge_value(case, result)


def judge_value(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the value is the reference's, naming the known mistakes."""
    expect(
        not result["train_mode"],
        tried="a model in eval mode",
        got="train mode afterwards",
        expected="eval mode",
        because="a loss measures: the mode is the caller's choice",
    )
    z, y = _logits(case).detach(), case["y"]
    p, one_hot = z.softmax(1), functional.one_hot(y, z.shape[1]).float()
    twice = "double softmax: cross_entropy applies the softmax itself, so it takes logits, not probabilities"
    mistakes = {
        twice: functional.cross_entropy(p, y),
        "nll_loss takes log-probabilities, and these were probabilities": functional.nll_loss(p, y),
        "nll_loss takes log-probabilities, and these were logits": functional.nll_loss(z, y),
        "this is the sum over the batch: the gradient would grow with the batch": functional.cross_entropy(
            z, y, reduction="sum"
        ),
        "this is one loss a picture: return their mean": functional.cross_entropy(z, y, reduction="none"),
        "this is squared error between probabilities and labels": functional.mse_loss(p, one_hot),
        "this is a separate yes or no for each class, not one choice among them": (
            functional.binary_cross_entropy_with_logits(z, one_hot)
        ),
        "sigmoid before cross_entropy: the softmax inside it takes logits": functional.cross_entropy(z.sigmoid(), y),
        "the softmax ran over the pictures: classes are dimension 1": functional.nll_loss(z.log_softmax(0), y),
        "this is the error rate: it has no slope to follow": (z.argmax(1) != y).float().mean(),
        "the logarithm is missing: cross-entropy is the mean of -log p": 1 - p[torch.arange(len(y)), y].mean(),
    }
    tried = f"{len(y)} pictures and labels through a ResNet"
    expect_close(result["value"], functional.cross_entropy(z, y), tried=tried, mistakes=mistakes)


@exercise.judge(ordinary_logits, points=1)
def the_gradient_arrives(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Its gradient reaches every parameter of the model, with the right values."""
    expect(
        result["graph"],
        tried="backward() on what you return",
        got="no graph",
        expected="a gradient for every parameter",
        because="`.item()`, `.detach()` and no_grad cut the loss off from the model, so nothing can learn from it",
    )
    model = narrow.restore(case["architecture"], case["state"]).eval()
    functional.cross_entropy(model(case["x"]), case["y"]).backward()
    expected = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    got = result["gradients"]
    norms = [sum(float(g.norm()) ** 2 for g in gradients) ** 0.5 for gradients in (got, expected)]
    right = len(got) == len(expected) and all(
        torch.allclose(a, b, rtol=1e-3, atol=1e-4 * max(1.0, norms[1])) for a, b in zip(got, expected, strict=True)
    )
    expect(
        right,
        tried="backward() on what you return",
        got=f"gradients for {len(got)} parameters, of length {norms[0]:.3g}",
        expected=f"gradients for {len(expected)} parameters, of length {norms[1]:.3g}",
        because="with another loss, or a graph that is cut, the model learns something else"
        + (" (a second softmax flattens the gradient)" if norms[0] < norms[1] else ""),
    )


@exercise.judge(sure_logits, points=1)
def stays_finite(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss is right for a model that is very sure, and wrong about it."""
    expected = functional.cross_entropy(_logits(case).detach(), case["y"])
    value = result["value"]
    because = "the loss cannot see how wrong the model is"
    if not bool(torch.isfinite(value).all()):
        because = "a softmax that underflows to 0 has no logarithm: cross_entropy takes logits because it joins the two"
    right = torch.allclose(value.double(), expected.double(), rtol=1e-3) if value.shape == expected.shape else False
    expect(right, tried="logits in the hundreds", got=value, expected=expected, because=because)


def _logits(case: dict[str, Any]) -> torch.Tensor:
    return narrow.restore(case["architecture"], case["state"]).eval()(case["x"])
