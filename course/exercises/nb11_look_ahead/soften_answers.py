"""Distillation: learn from a teacher's soft answers, at a temperature, and from the labels."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from course.judging import Exercise, Unusable, Wrong, expect, expect_close, need

exercise = Exercise(
    "11-soften-answers",
    answer="distillation_loss",
    call="distillation_loss(student_logits, teacher_logits, labels, temperature, alpha)",
    title="Learn from soft answers",
    withholds=("course.training.distillation.distillation_loss",),
    hints=(
        "F.kl_div(input, target) wants log-probabilities of the student first, and probabilities of the teacher "
        'second: that is KL(teacher, student). reduction="batchmean" divides by the batch, not by the classes too.',
        "Both logits are divided by the temperature; the cross-entropy on the labels takes the student's as they are.",
        "alpha * temperature**2 * KL + (1 - alpha) * cross-entropy, with teacher_logits.detach().",
    ),
    idea="soft = (teacher_logits.detach() / temperature).softmax(1); distance = F.kl_div((student_logits / temperature)"
    '.log_softmax(1), soft, reduction="batchmean"); return alpha * temperature**2 * distance + (1 - alpha) * '
    "F.cross_entropy(student_logits, labels).",
)


@exercise.case
def soft_answers_alone(rng: torch.Generator) -> dict[str, Any]:
    return {"draws": [loss_draw(rng, alpha=1.0) for _ in range(3)]}


@exercise.case
def soft_answers_and_labels(rng: torch.Generator) -> dict[str, Any]:
    return {"draws": [loss_draw(rng, alpha=0.2 + 0.6 * torch.rand((), generator=rng).item()) for _ in range(3)]}


def loss_draw(rng: torch.Generator, *, alpha: float, batch: int = 6, classes: int = 5) -> dict[str, Any]:
    return {
        "student": 2 * torch.randn(batch, classes, generator=rng),
        "teacher": 3 * torch.randn(batch, classes, generator=rng),
        "labels": torch.randint(classes, (batch,), generator=rng),
        "temperature": 1.5 + 4 * torch.rand((), generator=rng).item(),
        "alpha": alpha,
    }


@exercise.probe
def probe_loss(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    losses, gradients, quiet, flow = [], [], [], []
    for draw in case["draws"]:
        student, teacher = draw["student"].clone().requires_grad_(), draw["teacher"].clone().requires_grad_()
        loss = answer(student, teacher, draw["labels"].clone(), draw["temperature"], draw["alpha"])
        loss = need(loss, torch.Tensor, "the loss, a tensor of one number")
        if loss.numel() != 1:
            raise Unusable(f"your answer returned a tensor of shape {tuple(loss.shape)}; return one number, the mean")
        if not loss.requires_grad:
            raise Unusable("no gradient can flow through the loss; leave out .item() and no_grad() around it")
        loss.reshape(()).backward()
        gradient = torch.zeros_like(student) if student.grad is None else student.grad
        reached = teacher.grad is not None and bool(teacher.grad.any())
        losses.append(loss.detach().reshape(()).double())
        gradients.append(gradient)
        flow.append(reached)
        # What comes with a gradient of the teacher is left out: a flag alone could be set by whoever knows of it.
        quiet.append(None if reached else gradient)
    return {"losses": torch.stack(losses), "gradients": gradients, "flow": flow, "quiet": quiet}


def loss_of(draw: dict[str, Any], student: torch.Tensor, mistake: str = "") -> torch.Tensor:
    """The loss of a draw; `mistake` names what is done wrong."""
    t, alpha, teacher = draw["temperature"], draw["alpha"], draw["teacher"]
    soft, own = (teacher / t).softmax(1), (student / t).log_softmax(1)
    if mistake == "only the teacher":
        own = student.log_softmax(1)
    if mistake == "only the student":
        soft = teacher.softmax(1)
    if mistake == "times":
        soft, own = (teacher * t).softmax(1), (student * t).log_softmax(1)
    distance = F.kl_div(own, soft, reduction="batchmean")
    if mistake == "backwards":
        distance = F.kl_div(soft.log(), own.exp(), reduction="batchmean")
    if mistake in ("no logarithm", "no logarithm, over classes"):
        distance = F.kl_div(own.exp(), soft, reduction="batchmean")
    if mistake in ("over classes", "no logarithm, over classes"):
        distance = distance / student.shape[1]
    if mistake == "sum":
        distance = distance * len(student)
    if mistake == "squares":
        distance = F.mse_loss(own.exp(), soft)
    hard = F.cross_entropy(student / t if mistake == "labels" else student, draw["labels"])
    if mistake == "softmax first":
        hard = F.cross_entropy(student.softmax(1), draw["labels"])
    factor = {"no factor": 1.0, "single": t}.get(mistake, t**2)
    if mistake == "entropy":
        distance = -(soft * own).sum(1).mean()
    if mistake == "swapped":
        alpha = 1 - alpha
    if mistake == "sum of both":
        return alpha * factor * distance + hard
    if mistake == "labels alone":
        return hard
    if mistake == "soft alone":
        return factor * distance
    return alpha * factor * distance + (1 - alpha) * hard


MISTAKES = {
    "no factor": "soft answers have gradients that shrink with temperature squared; multiply by temperature**2",
    "single": "the factor is temperature squared: both logits were divided by it",
    "backwards": "this is KL(student, teacher): F.kl_div takes the student's log-probabilities first, and "
    "the teacher's probabilities second",
    "no logarithm": "F.kl_div wants log-probabilities as its first argument: log_softmax, not softmax",
    "no logarithm, over classes": "F.kl_div wants log-probabilities as its first argument: log_softmax, not softmax; "
    'and its reduction is "mean" unless you say "batchmean"',
    "over classes": 'reduction="mean" divides by the classes as well; the mean over the batch is "batchmean"',
    "sum": 'reduction="sum" grows with the batch; the mean over it is "batchmean"',
    "only the teacher": "only the teacher was softened: both are compared at the same temperature",
    "only the student": "only the student was softened: both are compared at the same temperature",
    "times": "logits are divided by the temperature: high means soft",
    "squares": "squares of differences are another distance; KL weighs them by the teacher's probabilities",
    "labels": "the labels are not soft: their cross-entropy takes the student's logits at temperature 1",
    "softmax first": "softmax was applied before the cross-entropy on the labels: it expects logits",
    "labels alone": "this is the labels' cross-entropy: the teacher was not asked, or has the weight 1 - alpha",
    "soft alone": "these are the soft answers alone: the labels were not asked; they weigh 1 - alpha",
    "swapped": "alpha is the weight of the soft answers, 1 - alpha that of the labels",
    "sum of both": "the labels weigh 1 - alpha, so that both weights sum to 1",
}


def gradient_of(draw: dict[str, Any], mistake: str = "") -> torch.Tensor:
    """What backward leaves in the student's logits."""
    student = draw["student"].clone().requires_grad_()
    loss_of(draw, student, mistake).backward()
    return torch.zeros_like(student) if student.grad is None else student.grad


RULE = "alpha x temperature² x KL(teacher, student) of the soft answers, plus 1 - alpha of the labels' cross-entropy"


def judge_gradients(case: dict[str, Any], gradients: list[Any]) -> None:
    """Raise Wrong unless the student's gradients are those of the loss."""
    for draw, got in zip(case["draws"], gradients, strict=True):
        tried = f"the student's gradient at temperature {draw['temperature']:.2f}, alpha {draw['alpha']:.2f}"
        expected = gradient_of(draw)
        mistakes = {"the student gets no gradient: detach the teacher alone": torch.zeros_like(expected)}
        mistakes |= {because: gradient_of(draw, name) for name, because in MISTAKES.items()}
        expect_close(got, expected, tried=tried, atol=1e-5, rtol=1e-3, mistakes=mistakes, because=RULE)


@exercise.judge(soft_answers_alone, points=2)
def soft_answers_pull_with_their_full_weight(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With alpha 1 the student's gradient is that of temperature² times KL(teacher, student), at any temperature."""
    judge_gradients(case, result["gradients"])


@exercise.judge(soft_answers_and_labels, points=1)
def alpha_weighs_both(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Between 0 and 1, alpha weighs the soft answers and 1 - alpha the labels."""
    judge_gradients(case, result["gradients"])


@exercise.judge(soft_answers_and_labels, points=1)
def the_value_is_a_distance(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The value is right as well: the soft part is 0 where student and teacher agree."""
    for draw, got in zip(case["draws"], result["losses"], strict=True):
        expected = loss_of(draw, draw["student"]).double()
        mistakes = {because: loss_of(draw, draw["student"], name).double() for name, because in MISTAKES.items()}
        mistakes["cross-entropy with soft answers has the same gradient, but is not 0 where both agree: KL is"] = (
            loss_of(draw, draw["student"], "entropy").double()
        )
        tried = f"the loss at temperature {draw['temperature']:.2f}, alpha {draw['alpha']:.2f}"
        expect_close(got, expected, tried=tried, atol=1e-4, rtol=1e-3, mistakes=mistakes, because=RULE)


@exercise.judge(soft_answers_alone, points=1)
def no_gradient_for_the_teacher(case: dict[str, Any], result: dict[str, Any]) -> None:
    """No gradient reaches the teacher's logits: it is asked, not taught."""
    quiet = result["quiet"]
    expect(
        all(isinstance(gradient, torch.Tensor) for gradient in quiet),
        tried="reading the teacher's gradient after backward",
        got=f"a gradient in {sum(gradient is None for gradient in quiet)} of {len(quiet)} tries",
        expected="none",
        because="the teacher would learn to agree with its student: teacher_logits.detach()",
    )
    if any(gradient.shape != draw["student"].shape for gradient, draw in zip(quiet, case["draws"], strict=True)):
        raise Wrong(
            tried="the student's gradient",
            got="another shape",
            expected=tuple(case["draws"][0]["student"].shape),
            because="the gradient of the logits has their shape",
        )
    judge_gradients(case, quiet)
