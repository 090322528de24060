"""The loss that fits the targets: one class per picture, or any number of labels; on logits, and finite."""

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
    title="One loss for two kinds of targets",
    hints=(
        "The head gives logits for both kinds of targets. How can you tell from `y` which kind it is: by its dtype, by "
        "its number of dimensions?",
        "Look up both losses, `help(torch.nn.functional.cross_entropy)` and "
        "`help(torch.nn.functional.binary_cross_entropy_with_logits)`. Which of them expects each label to be "
        "independent of the others?",
        "Beware: `cross_entropy` also accepts floats of shape (B, C). It then reads them as probabilities of one "
        "choice and reports nothing.",
    ),
    idea="z = model(x); if y has one dimension, return cross_entropy(z, y); otherwise return "
    "binary_cross_entropy_with_logits(z, y). Both take logits and average by themselves.",
)


@exercise.case
def ordinary_logits(rng: torch.Generator) -> dict[str, Any]:
    return loss_case("resnet", rng)


@exercise.case
def several_labels(rng: torch.Generator) -> dict[str, Any]:
    return several(loss_case("resnet", rng), rng)


@exercise.case
def sure_logits(rng: torch.Generator) -> dict[str, Any]:
    return sure(loss_case("resnet", rng))


@exercise.case
def sure_of_several(rng: torch.Generator) -> dict[str, Any]:
    return sure(several(loss_case("resnet", rng), rng))


def loss_case(architecture: str, rng: torch.Generator) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": small_models.drawn_state(architecture, rng),
        "batches": [[small_models.pictures(rng, 10) * 2, small_models.labels(rng, 10)] for _ in range(3)],
    }


def several(case: dict[str, Any], rng: torch.Generator) -> dict[str, Any]:
    """The case with targets (B, C) of zeros and ones: from no label at all to all of them."""
    batches = []
    for x, y in case["batches"]:
        targets = (torch.rand(len(y), _classes(case), generator=rng) < 0.4).float()
        targets[0], targets[1] = 0.0, 1.0
        batches.append([x, targets])
    return {**case, "batches": batches}


def _classes(case: dict[str, Any]) -> int:
    return len(case["state"][head_name(case["architecture"]) + ".weight"])


def sure(case: dict[str, Any]) -> dict[str, Any]:
    """The case with a head whose logits are in the hundreds."""
    name = head_name(case["architecture"]) + ".weight"
    case["state"][name] = case["state"][name] * 500
    return case


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


@exercise.judge(ordinary_logits, points=1)
def cross_entropy_on_logits(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With one class per picture, the loss is the mean cross-entropy of the logits."""
    judge_value(case, result)


@exercise.judge(several_labels, points=1)
def independent_labels(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With several labels per picture, it is the mean binary cross-entropy over pictures and labels."""
    judge_value(case, result)


def judge_value(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the value is the reference's, naming the known mistakes."""
    expect(
        not result["train_mode"],
        tried="a model in eval mode",
        got="train mode afterwards",
        expected="eval mode",
        because="computing a loss must not change the model: its mode is the caller's choice",
    )
    for value, z, (_, y) in zip(result["values"], _logits(case), case["batches"], strict=True):
        kind = "one class each" if y.ndim == 1 else "several labels each"
        tried = f"{len(y)} pictures with {kind} through a {NAMES[case['architecture']]}"
        mistakes = _mistakes(z, y) if y.ndim == 1 else _mistakes_with_several(z, y)
        expect_close(value, reference(z, y), tried=tried, mistakes=mistakes, because=OTHERWISE)
    expect_close(
        result["outputs_afterwards"],
        _logits(case)[0],
        tried="the model's outputs for the same pictures after your function",
        rtol=1e-3,
        atol=1e-3,
        because="computing a loss must not change the model",
    )


NAMES = {"resnet": "ResNet", "vit": "vision transformer"}
OTHERWISE = (
    "one class per picture: the mean of -log softmax(z)[y]; several labels: the mean of -log sigmoid(z) where a label "
    "is present and of -log sigmoid(-z) where it is absent"
)


def reference(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The right loss for logits (B, C) and either kind of targets."""
    if y.ndim == 1:
        return (z.logsumexp(1) - z.gather(1, y[:, None])[:, 0]).mean()
    return (functional.softplus(z) - y * z).mean()


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
        "this is one loss per picture: return their mean": functional.cross_entropy(z, y, reduction="none"),
        "this is the squared error between probabilities and labels": functional.mse_loss(p, one_hot),
        "this is a separate yes or no for each class, not one choice among them": (
            functional.binary_cross_entropy_with_logits(z, one_hot)
        ),
        "sigmoid before cross_entropy: the softmax inside it takes logits": functional.cross_entropy(z.sigmoid(), y),
        "the softmax ran over the pictures: classes are dimension 1": functional.nll_loss(z.log_softmax(0), y),
        "this is the error rate: it has no gradient to follow": (z.argmax(1) != y).float().mean(),
        "the logarithm is missing: cross-entropy is the mean of -log p": 1 - p[torch.arange(len(y)), y].mean(),
    }


def _mistakes_with_several(z: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    shares = y / y.sum(1, keepdim=True).clamp(min=1)
    entries = functional.binary_cross_entropy_with_logits(z, y, reduction="none")
    return {
        "cross_entropy accepts floats of shape (B, C) and reads them as probabilities of one choice: its softmax lets "
        "the labels compete, and two of them can't both be likely": functional.cross_entropy(z, y),
        "labels divided by their number are still one choice: the softmax lets them compete": (
            functional.cross_entropy(z, shares)
        ),
        "argmax keeps one label per picture and drops the others": functional.cross_entropy(z, y.argmax(1)),
        "softmax before binary cross-entropy: each label needs a sigmoid of its own": (
            functional.binary_cross_entropy(z.softmax(1), y)
        ),
        "double sigmoid: binary_cross_entropy_with_logits applies the sigmoid itself": (
            functional.binary_cross_entropy_with_logits(z.sigmoid(), y)
        ),
        "only labels that are present count here: the absent ones have to be pushed down": (
            -(y * functional.logsigmoid(z)).mean()
        ),
        "this is the sum over the labels of a picture: return the mean over pictures and labels": (
            entries.sum(1).mean()
        ),
        "this is the sum over the batch: the gradient would grow with the batch": entries.sum(),
        "this is one loss per label: return their mean": entries,
    }


@exercise.judge(ordinary_logits, points=1)
def the_gradient_arrives(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Its gradient reaches every parameter of the model, with the right values."""
    expect(
        result["graph"],
        tried="backward() on what you return",
        got="no graph",
        expected="a gradient for every parameter",
        because="`.item()`, `.detach()` and no_grad cut the loss off from the model, so that nothing can learn from it",
    )
    model = small_models.restore(case["architecture"], case["state"]).eval()
    x, y = case["batches"][0]
    reference(model(x), y).backward()
    expected = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    got = result["gradients"]
    norms = [sum(float(g.norm()) ** 2 for g in gradients) ** 0.5 for gradients in (got, expected)]
    right = len(got) == len(expected) and all(
        torch.allclose(a, b, rtol=1e-3, atol=1e-4 * norms[1]) for a, b in zip(got, expected, strict=True)
    )
    expect(
        right,
        tried="backward() on what you return",
        got=f"gradients for {len(got)} parameters, of norm {norms[0]:.3g}",
        expected=f"gradients for {len(expected)} parameters, of norm {norms[1]:.3g}",
        because="the loss is right, so the graph is cut somewhere between loss and parameters"
        if torch.allclose(result["values"][0], reference(model(x), y), rtol=1e-3)
        else "this is the gradient of another loss than the mean cross-entropy",
    )


@exercise.judge(sure_logits, points=1)
def stays_finite(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss is right for a model that is very sure, and wrong about it."""
    judge_sure(case, result)


@exercise.judge(sure_of_several, points=1)
def stays_finite_with_several(case: dict[str, Any], result: dict[str, Any]) -> None:
    """So is the loss for several labels."""
    judge_sure(case, result)


def judge_sure(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the loss of logits in the hundreds is right."""
    for value, z, (_, y) in zip(result["values"], _logits(case), case["batches"], strict=True):
        expected = reference(z, y)
        mistakes = _mistakes(z, y) if y.ndim == 1 else _mistakes_with_several(z, y)
        close = value.shape == expected.shape and torch.allclose(value.double(), expected.double(), rtol=1e-3)
        because = "" if close else f"{OTHERWISE}, computed from the logits: probabilities round to 0 or 1 here"
        for mistake, wrong in mistakes.items():
            if not close and value.shape == wrong.shape and torch.allclose(value, wrong, rtol=1e-3):
                because = mistake
        if not bool(torch.isfinite(value).all()):
            because = (
                "a probability that underflows to 0 has no logarithm: the losses take logits because they join the two"
            )
        expect(close, tried="logits in the hundreds", got=value, expected=expected, because=because)


def _logits(case: dict[str, Any]) -> list[torch.Tensor]:
    model = small_models.restore(case["architecture"], case["state"]).eval()
    with torch.no_grad():
        return [model(x) for x, _ in case["batches"]]
