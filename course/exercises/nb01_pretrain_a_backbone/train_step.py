"""One training step: the gradient of one batch, one move, the loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from course.exercises import small_models
from course.exercises.tensor_comparison import times_as_far
from course.judging import Exercise, Wrong, expect, expect_close

exercise = Exercise(
    "01-train-step",
    answer="train_step",
    call="train_step(model, batch, optimizer)",
    title="Take one training step",
    withholds=("course.training.loop.train_one_epoch", "course.training.loop.fit"),
    hints=(
        "A step has four parts: clear the old gradients, compute the loss, compute its gradients, move the parameters.",
        "backward() adds to whatever `.grad` already holds. cross_entropy takes logits: the softmax is inside it.",
        "`loss = cross_entropy(model(x), y)`, then zero_grad(), backward(), step(), and `return loss.item()`.",
    ),
    idea="x, y = batch; loss = F.cross_entropy(model(x), y); optimizer.zero_grad(); loss.backward(); optimizer.step(); "
    "return loss.item().",
)


@exercise.case
def three_batches(rng: torch.Generator) -> dict[str, Any]:
    return step_case("resnet", rng)


def step_case(architecture: str, rng: torch.Generator, *, part: str = "", batches: int = 3) -> dict[str, Any]:
    """Batches for a model of which the optimiser holds `part` ("" for all of it)."""
    return {
        "architecture": architecture,
        "state": small_models.drawn_state(architecture, rng),
        "part": part,
        "lr": 0.05 + 0.05 * float(torch.rand((), generator=rng)),
        "batches": [[small_models.pictures(rng, 8), small_models.labels(rng, 8)] for _ in range(batches)],
    }


def _start(case: dict[str, Any]) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The model in train mode, without randomness, and its optimiser."""
    model = small_models.restore(case["architecture"], case["state"])
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model, torch.optim.SGD(model.get_submodule(case["part"]).parameters(), lr=case["lr"], momentum=0.5)


@exercise.probe
def probe_train_step(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model, optimizer = _start(case)
    returned, weights = [], []
    for x, y in case["batches"]:
        returned.append(answer(model, (x, y), optimizer))
        weights.append(_weights(model))
    return {"returned": returned, "weights": weights}


def _weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@exercise.judge(three_batches, points=2)
def one_step_goes_downhill(case: dict[str, Any], result: dict[str, Any]) -> None:
    """One step moves the weights down the gradient of cross-entropy, so the loss on that batch falls."""
    before = _weights(_start(case)[0])
    got, right = result["weights"][0], steps(case, count=1)[0][0]
    expect(
        _near(got, right),
        tried="one step on a batch of 8 pictures",
        got=f"the loss on that batch went from {_loss(case, before):.4f} to {_loss(case, got):.4f}",
        expected=f"to {_loss(case, right):.4f}",
        because=_why_this_step(case, before, got, right),
    )


STEP_MISTAKES: dict[str, dict[str, Any]] = {
    "softmax before cross_entropy: it is inside already, and a second softmax flattens the gradients": {
        "loss": lambda logits, y: F.cross_entropy(logits.softmax(1), y)
    },
    "the losses of the batch were summed: the step then grows with the batch size; take the mean": {
        "loss": lambda logits, y: F.cross_entropy(logits, y, reduction="sum")
    },
    "the mean loss was divided by the batch size once more": {
        "loss": lambda logits, y: F.cross_entropy(logits, y) / len(y)
    },
    "the model was in eval mode: BatchNorm then uses its stored statistics, and a training step needs train mode": {
        "modes": (False, False)
    },
    "the optimiser stepped twice": {"repeat": 2},
}
LATER_MISTAKES: dict[str, dict[str, Any]] = {
    "no zero_grad(): backward() adds to the existing gradients, so step 3 used those of all three batches": {
        "clear": False
    },
    "the model was left in eval mode after the first step: the next ones need train mode as well": {
        "modes": (True, False)
    },
}


def _why_this_step(case: dict[str, Any], before: torch.Tensor, got: torch.Tensor, right: torch.Tensor) -> str:
    """The mistake that leads to these weights, or where they lie."""
    if torch.equal(got, before):
        return (
            "no weight moved: backward() fills the gradients, step() uses them, and nothing may clear them in between"
        )
    for mistake, options in STEP_MISTAKES.items():
        if _near(got, steps(case, count=1, **options)[0][0]):
            return mistake
    times = times_as_far(got, right, before)
    if times is not None:
        return (
            f"the direction is right, but the weights moved {times:.3g} times as far as one step of the optimiser that "
            "was passed in takes them, down the mean cross-entropy of the batch"
        )
    return "the weights moved, but not down the gradient of this batch's mean cross-entropy"


@exercise.judge(three_batches, points=1)
def gradients_do_not_pile_up(case: dict[str, Any], result: dict[str, Any]) -> None:
    """After three steps the weights are where three separate gradients lead."""
    got = result["weights"]
    known = [{}, *STEP_MISTAKES.values()]
    first: dict[str, Any] = next(
        (options for options in known if _near(got[0], steps(case, count=1, **options)[0][0])), {}
    )
    right = steps(case, **first)[0]  # a mistake of every step counts elsewhere
    if _near(got[-1], right[-1]):
        return
    because = "each step should use the gradient of its own batch, and that alone"
    for mistake, later in LATER_MISTAKES.items():
        if _near(got[-1], steps(case, **{**first, **later})[0][-1]):
            because = mistake
            break
    else:
        if not _near(got[0], right[0]):
            because = "the first step is wrong already, so nothing can be said about what the next ones add to it"
    raise Wrong(
        tried="three calls with three batches and one optimiser",
        got=f"weights that are {float((got[-1] - right[-1]).norm()):.3g} away",
        expected="0 away from three steps of SGD",
        because=because,
    )


@exercise.judge(three_batches, points=1)
def returns_the_loss_as_a_float(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss of the batch comes back as a Python float."""
    first = result["returned"][0]
    because = "return the loss"
    if isinstance(first, torch.Tensor):
        because = (
            "a tensor keeps the graph of its batch in memory for as long as you keep the loss; .item() gives a float"
        )
    tried = "looking at what one call returns"
    kind = "None" if first is None else type(first).__name__
    expect(isinstance(first, float), tried=tried, got=f"a {kind}", expected="a float", because=because)
    before = [_weights(_start(case)[0]), *result["weights"]]
    for i, got in enumerate(result["returned"]):
        expect_close(
            got,
            _loss(case, before[i], i),  # with your weights, so that a step in the wrong direction counts elsewhere
            tried=f"the loss that call {i + 1} returns",
            rtol=1e-3,
            mistakes={
                "this is the loss after the step; return the loss whose gradient was used": _loss(
                    case, before[i + 1], i
                ),
                "softmax before cross_entropy": _loss(case, before[i], i, softmax=True),
                "this is the sum over the batch; return the mean": _loss(case, before[i], i)
                * len(case["batches"][i][1]),
            },
            because="this is not the mean cross-entropy of this batch, in train mode and before the step",
        )
    expect(len(result["returned"]) == len(case["batches"]), tried=tried, got="too few losses", expected="one per call")


def steps(
    case: dict[str, Any],
    *,
    loss: Any = F.cross_entropy,
    modes: tuple[bool, bool] = (True, True),
    clear: bool = True,
    repeat: int = 1,
    count: int | None = None,
) -> tuple[list[torch.Tensor], list[float]]:
    """(weights after each step, losses) of the first `count` batches; `modes`: of the first step and of the rest."""
    model, optimizer = _start(case)
    weights, losses = [], []
    for i, (x, y) in enumerate(case["batches"][:count]):
        value = loss(model.train(modes[i > 0])(x), y)
        if clear:
            optimizer.zero_grad()
        value.backward()
        for _ in range(repeat):
            optimizer.step()
        weights.append(_weights(model))
        losses.append(value.item())
    return weights, losses


def _loss(case: dict[str, Any], weights: torch.Tensor, batch: int = 0, *, softmax: bool = False) -> float:
    """The loss on a batch in train mode, with these weights."""
    model, (x, y) = _start(case)[0], case["batches"][batch]
    nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    with torch.no_grad():
        logits = model(x)
        return F.cross_entropy(logits.softmax(1) if softmax else logits, y).item()


def _near(got: torch.Tensor, expected: torch.Tensor) -> bool:
    return got.shape == expected.shape and torch.allclose(got, expected, rtol=1e-3, atol=1e-4)
