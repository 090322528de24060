"""One update of BYOL: a student that predicts a slow-moving teacher, without negatives."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from course.exercises.tensor_comparison import times_as_far
from course.judging import Exercise, Wrong, expect, expect_close

exercise = Exercise(
    "01-write-byol-step",
    answer="byol_step",
    call="byol_step(student, predictor, teacher, views, optimizer, momentum)",
    title="Learn without negatives",
    hints=(
        "Compute the teacher's embeddings under torch.no_grad(): the gradient must reach student and predictor only.",
        "Each direction costs 2 - 2 * cosine(predictor(student(one)), teacher(other)). Average over both directions.",
        "After optimizer.step(), loop over zip(teacher.parameters(), student.parameters()) under torch.no_grad().",
    ),
    idea="The usual training step with the symmetric loss; then, under no_grad, "
    "t.mul_(momentum).add_(s, alpha=1 - momentum) for each pair of parameters t of the teacher and s of the student.",
)

SIZES = {"student": (12, 16, 8), "predictor": (8, 16, 8)}


@exercise.case
def three_updates(rng: torch.Generator) -> dict[str, Any]:
    return updates_case(rng, 0.8 + 0.1 * float(torch.rand((), generator=rng)))


def updates_case(rng: torch.Generator, momentum: float, *, rows: int = 10, updates: int = 3) -> dict[str, Any]:
    """Weights of student, predictor and teacher, and batches of two views of `rows` inputs."""
    sizes = {**SIZES, "teacher": SIZES["student"]}
    count = {name: sum(parameter.numel() for parameter in _network(size).parameters()) for name, size in sizes.items()}
    inputs = torch.randn(updates, rows, SIZES["student"][0], generator=rng)
    return {
        "weights": {name: 0.4 * torch.randn(count[name], generator=rng) for name in sizes},
        "batches": [[x + 0.5 * torch.randn(x.shape, generator=rng) for _ in range(2)] for x in inputs],
        "lr": 0.3 + 0.2 * float(torch.rand((), generator=rng)),
        "momentum": momentum,
    }


def _network(sizes: tuple[int, ...]) -> nn.Module:
    first, hidden, last = sizes
    return nn.Sequential(nn.Linear(first, hidden), nn.ReLU(), nn.Linear(hidden, last))


def _networks(weights: dict[str, torch.Tensor]) -> dict[str, nn.Module]:
    """Student, predictor and teacher with these weights; the teacher's parameters do ask for gradients."""
    built = {}
    for name, sizes in {**SIZES, "teacher": SIZES["student"]}.items():
        built[name] = _network(sizes)
        nn.utils.vector_to_parameters(weights[name].clone(), built[name].parameters())
    return built


def _optimizer(networks: dict[str, nn.Module], lr: float) -> torch.optim.Optimizer:
    learning = [*networks["student"].parameters(), *networks["predictor"].parameters()]
    return torch.optim.SGD(learning, lr=lr, momentum=0.5)


def _weights(networks: dict[str, nn.Module]) -> dict[str, torch.Tensor]:
    return {
        name: torch.cat([parameter.detach().flatten().clone() for parameter in network.parameters()])
        for name, network in networks.items()
    }


@exercise.probe
def probe_byol_step(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    networks = _networks(case["weights"])
    optimizer = _optimizer(networks, case["lr"])
    returned, weights = [], []
    for first, second in case["batches"]:
        views = (first.clone(), second.clone())
        returned.append(
            answer(networks["student"], networks["predictor"], networks["teacher"], views, optimizer, case["momentum"])
        )
        weights.append(_weights(networks))
    gradients = [parameter.grad for parameter in networks["teacher"].parameters()]
    reached = float(sum(gradient.abs().sum() for gradient in gradients if gradient is not None))
    return {"returned": returned, "weights": weights, "gradient_in_teacher": reached}


@exercise.judge(three_updates, points=2)
def the_student_follows_the_teacher(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The first update moves student and predictor down the gradient of the loss over both directions."""
    got, right = result["weights"][0], updates(case, count=1)[0]
    expect(
        _near(got, right, SIZES),
        tried="one update of student and predictor",
        got=f"weights that are {_distance(got, right, SIZES):.3g} away",
        expected="0 away from one step of SGD",
        because=_why_this_update(case, got, right),
    )


def _why_this_update(case: dict[str, Any], got: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> str:
    """The mistake that leads to these weights, or where they lie."""
    if all(torch.equal(got[name], case["weights"][name]) for name in SIZES):
        return "no weight moved: backward() fills the gradients and optimizer.step() uses them"
    for mistake, options in LOSS_MISTAKES.items():
        if _near(got, updates(case, count=1, **options)[0], SIZES):
            return mistake
    times = times_as_far(*(torch.cat([weights[name] for name in SIZES]) for weights in (got, right, case["weights"])))
    if times is not None:
        return (
            f"the direction is right, but the weights moved {times:.3g} times as far as one step down the mean of "
            "2 - 2 cos over rows and directions takes them"
        )
    return "student and predictor moved, but not down the gradient of this loss"


@exercise.judge(three_updates, points=2)
def the_teacher_moves_slowly(case: dict[str, Any], result: dict[str, Any]) -> None:
    """After each update the teacher is a moving average of the students so far."""
    got = result["weights"]
    start, end = case["weights"]["teacher"], got[-1]["teacher"]
    expect(
        _follows(case, got, _average),  # of your own students, so that a wrong loss counts elsewhere
        tried=f"{len(got)} updates with momentum {case['momentum']:.3g}",
        got=f"a teacher that has moved by {float((end - start).norm()):.3g} in all",
        expected="momentum * teacher + (1 - momentum) * student after each update",
        because=_why_this_teacher(case, got),
    )


def _why_this_teacher(case: dict[str, Any], got: list[dict[str, torch.Tensor]]) -> str:
    """The mistake that explains every teacher, computed from the learner's own students."""
    if torch.equal(got[-1]["teacher"], case["weights"]["teacher"]):
        return "the teacher never moved: it follows the student a little after every step"
    for mistake, average in TEACHER_MISTAKES.items():
        if _follows(case, got, average):
            return mistake
    return "the teacher is not momentum * teacher + (1 - momentum) * student, with the student after its step"


def _follows(case: dict[str, Any], got: list[dict[str, torch.Tensor]], average: Any) -> bool:
    """Whether each teacher equals `average` of the previous teacher and of the students before and after the step."""
    before = case["weights"]
    for after in got:
        if not _close(after["teacher"], average(before["teacher"], before["student"], after["student"], case)):
            return False
        before = after
    return True


def _average(teacher: torch.Tensor, before: torch.Tensor, after: torch.Tensor, case: dict[str, Any]) -> torch.Tensor:
    return case["momentum"] * teacher + (1 - case["momentum"]) * after


TEACHER_MISTAKES = {
    "momentum and 1 - momentum are swapped: a momentum near 1 keeps most of the teacher": (
        lambda teacher, before, after, case: (1 - case["momentum"]) * teacher + case["momentum"] * after
    ),
    "the teacher was averaged before optimizer.step(): it uses the student's new weights": (
        lambda teacher, before, after, case: case["momentum"] * teacher + (1 - case["momentum"]) * before
    ),
    "the teacher was overwritten by the student: momentum was not used": (lambda teacher, before, after, case: after),
}


@exercise.judge(three_updates, points=1)
def the_teacher_gets_no_gradient(case: dict[str, Any], result: dict[str, Any]) -> None:
    """No gradient flows into the teacher, and the loss of each update comes back as a float."""
    reached = result["gradient_in_teacher"]
    expect(
        reached == 0,
        tried="reading .grad of the teacher's parameters after the updates",
        got=f"gradients whose sizes add up to {reached:.3g}",
        expected="no gradient",
        because="the teacher is a target, not something to optimise: compute its embeddings under torch.no_grad()",
    )
    first = result["returned"][0]
    expect(
        all(isinstance(loss, float) for loss in result["returned"]),
        tried="looking at what one call returns",
        got=type(first).__name__,
        expected="float",
        because="a tensor keeps the graph of its batch alive; .item() gives a float"
        if isinstance(first, torch.Tensor)
        else "return the loss",
    )
    before = [case["weights"], *result["weights"]]  # your own, so that a wrong update counts elsewhere
    for i, (got, views) in enumerate(zip(result["returned"], case["batches"], strict=True)):
        networks = _networks(before[i])
        right = _loss(networks, views).item()
        mistakes = {}
        if abs(got - right) > 1e-4:
            mistakes = {because: _loss(networks, views, **o).item() for because, o in LOSS_MISTAKES.items()}
            afterwards = _loss(_networks(before[i + 1]), views).item()
            mistakes["this is the loss after the update; return the one before it"] = afterwards
        expect_close(
            got,
            right,
            tried=f"the loss that call {i + 1} returns",
            rtol=1e-3,
            mistakes=mistakes,
            because="this is not the mean of 2 - 2 cos over rows and directions, before the update",
        )


def _loss(
    networks: dict[str, nn.Module],
    views: list[torch.Tensor],
    *,
    directions: tuple[int, ...] = (0, 1),
    predicts: bool = True,
    teacher_predicts: bool = False,
    normalise: bool = True,
    total: bool = False,
    added: bool = False,
    from_student: bool = False,
    other_view: bool = True,
) -> torch.Tensor:
    """The loss of one update: Grill et al., "Bootstrap your own latent" (2020), section 3.1."""
    student, predictor, teacher = networks["student"], networks["predictor"], networks["teacher"]
    costs = []
    for i in directions:
        online = predictor(student(views[i])) if predicts else student(views[i])
        source = student if from_student else teacher
        target = source(views[1 - i if other_view else i])
        target = (predictor(target) if teacher_predicts else target).detach()
        if normalise:
            online, target = F.normalize(online, dim=1), F.normalize(target, dim=1)
        costs.append((online - target).pow(2).sum(1))
    mean = torch.cat(costs).mean()
    if total:
        return torch.cat(costs).sum()
    return mean * len(costs) if added else mean


def updates(
    case: dict[str, Any],
    *,
    clear: bool = True,
    teachers: list[torch.Tensor] | None = None,
    count: int | None = None,
    **options: Any,
) -> list[dict[str, torch.Tensor]]:
    """The weights after each of the first `count` updates, which end with these `teachers` instead of their own."""
    networks = _networks(case["weights"])
    teacher, student = networks["teacher"], networks["student"]
    optimizer, weights = _optimizer(networks, case["lr"]), []
    for i, views in enumerate(case["batches"][:count]):
        loss = _loss(networks, views, **options)
        if clear:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
                slow.mul_(case["momentum"]).add_(fast, alpha=1 - case["momentum"])
        if teachers is not None:
            nn.utils.vector_to_parameters(teachers[i].clone(), teacher.parameters())
        weights.append(_weights(networks))
    return weights


LOSS_MISTAKES: dict[str, dict[str, Any]] = {
    "only one direction was used: swap the views and average both losses": {"directions": (0,)},
    "the student's embedding goes through the predictor before it is compared; yours did not": {"predicts": False},
    "the predictor belongs to the student alone: compare with the teacher's own embedding": {"teacher_predicts": True},
    "the embeddings are not normalised: the cosine compares directions only": {"normalise": False},
    "the losses were summed; take the mean over rows and directions": {"total": True},
    "the losses of both directions were added; average them": {"added": True},
    "student and teacher saw the same view: compare each view with the other one": {"other_view": False},
    "the target came from the student: the teacher embeds the other view": {"from_student": True},
}


@exercise.judge(three_updates, points=1)
def gradients_do_not_pile_up(case: dict[str, Any], result: dict[str, Any]) -> None:
    """After three updates student and predictor are where three separate gradients lead."""
    got = result["weights"]
    teachers = [weights["teacher"] for weights in got]  # your own: a wrong teacher counts elsewhere, and a wrong loss
    known = [{}, *LOSS_MISTAKES.values()]
    first: dict[str, Any] = next(
        (options for options in known if _near(got[0], updates(case, count=1, **options)[0], SIZES)), {}
    )
    right = updates(case, teachers=teachers, **first)
    if _near(got[-1], right[-1], SIZES):
        return
    because = "each update should use the gradient of its own batch, and that alone"
    if _near(got[-1], updates(case, teachers=teachers, clear=False, **first)[-1], SIZES):
        because = "no zero_grad(): backward() adds to the gradients that are there, so update 3 used all three batches"
    elif not _near(got[0], right[0], SIZES):
        because = "the first update is wrong already, so nothing can be said about what the next ones add to it"
    raise Wrong(
        tried="three updates with one optimizer",
        got=f"weights that are {_distance(got[-1], right[-1], SIZES):.3g} away",
        expected="0 away from three steps of SGD",
        because=because,
    )


def _distance(got: dict[str, torch.Tensor], right: dict[str, torch.Tensor], names: Any) -> float:
    return float(sum((got[name] - right[name]).norm() for name in names))


def _near(got: dict[str, torch.Tensor], right: dict[str, torch.Tensor], names: Any) -> bool:
    return all(_close(got[name], right[name]) for name in names)


def _close(got: torch.Tensor, right: torch.Tensor) -> bool:
    return got.shape == right.shape and torch.allclose(got, right, rtol=1e-3, atol=1e-4)
