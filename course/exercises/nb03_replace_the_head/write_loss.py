"""Cross-entropy on logits, its gradient, and where it stays finite."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from course.exercises import small_models
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
        "state": small_models.drawn_state(architecture, rng),
        "batches": [[small_models.pictures(rng, 10) * 2, small_models.labels(rng, 10)] for _ in range(3)],
    }


@exercise.probe
def probe_loss(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = small_models.restore(case["architecture"], case["state"]).eval()
    values: list[Any] = []
    gradients: list[Any] = []
    for x, y in case["batches"]:
        value = need(answer(model, x, y), (torch.Tensor, float), "the loss, a tensor with one number")
        if not isinstance(value, torch.Tensor):
            raise Unusable(
                "your answer returned a plain float; training needs the tensor, for backward() starts from it"
            )
        if value.requires_grad and value.numel() == 1 and not values:
            value.backward()
            gradients = [part.grad.clone() for part in model.parameters() if part.grad is not None]
        values.append(value)
    train_mode = any(part.training for part in model.modules())
    with torch.no_grad():
        outputs = small_models.show_modes(model)(case["batches"][0][0])
    return {
        "values": values,
        "graph": values[0].requires_grad,
        "gradients": gradients,
        "train_mode": train_mode,
        "outputs_afterwards": outputs,
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
    for value, z, (_, y) in zip(result["values"], _logits(case), case["batches"], strict=True):
        tried = f"{len(y)} pictures and labels through a {NAMES[case['architecture']]}"
        expect_close(value, functional.cross_entropy(z, y), tried=tried, mistakes=_mistakes(z, y))
    expect_close(
        result["outputs_afterwards"],
        _logits(case)[0],
        tried="the model's outputs for the same pictures after your function",
        rtol=1e-3,
        atol=1e-3,
    )


NAMES = {"resnet": "ResNet", "vit": "vision transformer"}


def _mistakes(z: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    p, one_hot = z.softmax(1), functional.one_hot(y, z.shape[1]).float()
    twice = "double softmax: cross_entropy applies the softmax itself, so it takes logits, not probabilities"
    return {
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
    model = small_models.restore(case["architecture"], case["state"]).eval()
    x, y = case["batches"][0]
    functional.cross_entropy(model(x), y).backward()
    expected = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    got = result["gradients"]
    norms = [sum(float(g.norm()) ** 2 for g in gradients) ** 0.5 for gradients in (got, expected)]
    right = len(got) == len(expected) and all(
        torch.allclose(a, b, rtol=1e-3, atol=1e-4 * norms[1]) for a, b in zip(got, expected, strict=True)
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
    for value, z, (_, y) in zip(result["values"], _logits(case), case["batches"], strict=True):
        expected = functional.cross_entropy(z, y)
        because = "the loss cannot see how wrong the model is"
        if not bool(torch.isfinite(value).all()):
            because = (
                "a softmax that underflows to 0 has no logarithm: cross_entropy takes logits because it joins the two"
            )
        close = value.shape == expected.shape and torch.allclose(value.double(), expected.double(), rtol=1e-3)
        expect(close, tried="logits in the hundreds", got=value, expected=expected, because=because)


def _logits(case: dict[str, Any]) -> list[torch.Tensor]:
    model = small_models.restore(case["architecture"], case["state"]).eval()
    with torch.no_grad():
        return [model(x) for x, _ in case["batches"]]
