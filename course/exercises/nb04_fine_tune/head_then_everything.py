"""Linear probing, then fine-tuning from the trained head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from course.exercises import small_models
from course.judging import Exercise, Wrong, expect, need

State = dict[str, torch.Tensor]

exercise = Exercise(
    "04-head-then-everything",
    answer="lp_ft",
    call="lp_ft(model, data)",
    title="Train the head first, then everything",
    time_limit_s=30.0,  # a probe takes a tenth of a second; the rest is for a busy machine
    hints=(
        "Write two training loops, one after the other. For each: which parameters does its optimiser hold, and in "
        "which mode is the model?",
        "Between the two loops, copy the state. state_dict() returns the model's own tensors, and they keep changing.",
        "First model.eval() and SGD(model[-1].parameters(), lr=0.1). Then clone every tensor of state_dict(). Then "
        "model.train(), requires_grad_(True) for all parameters, and SGD(model.parameters(), lr=0.01).",
    ),
    idea="Ten passes with SGD over model[-1].parameters() in eval mode; handover = {name: value.clone() for each item "
    "of model.state_dict()}; two passes with SGD over model.parameters() in train mode; return handover.",
)

_THE_END = (
    "this is the state at the end: copy it between the two steps, and clone each of its tensors, because state_dict() "
    "returns the model's own"
)
PROBE_PASSES, PROBE_LR = 10, 0.1
TUNE_PASSES, TUNE_LR = 2, 0.01


@exercise.case
def three_batches(rng: torch.Generator) -> dict[str, Any]:
    return two_steps_case("chain", rng)


def two_steps_case(architecture: str, rng: torch.Generator, batches: int = 3) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "state": small_models.drawn_state(architecture, rng),
        "x": [small_models.pictures(rng, 8) + 1.0 for _ in range(batches)],  # brighter than BatchNorm expects
        "y": [small_models.labels(rng, 8) for _ in range(batches)],
    }


@exercise.probe
def probe_lp_ft(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = small_models.restore(case["architecture"], case["state"])
    handover = answer(model, list(zip(case["x"], case["y"], strict=True)))
    handover = need(handover, dict, "the state at the hand-over: a dict like model.state_dict()")
    return {"handover": dict(handover), "final": dict(model.state_dict())}


def _softmax_first(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(logits.softmax(1), labels)


def _summed(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(logits, labels, reduction="sum")


def _passes(
    model: Any,
    case: dict[str, Any],
    parameters: Any,
    lr: float,
    passes: int,
    *,
    clears: bool = True,
    momentum: float = 0.0,
    loss: Callable[..., torch.Tensor] = nn.functional.cross_entropy,
    optimizer: Callable[..., torch.optim.Optimizer] | None = None,
) -> None:
    parameters = list(parameters)
    made = optimizer(parameters, lr=lr) if optimizer else torch.optim.SGD(parameters, lr=lr, momentum=momentum)
    for _ in range(passes):
        for x, y in zip(case["x"], case["y"], strict=True):
            loss(model(x), y).backward()
            made.step()
            if clears:
                made.zero_grad()


def _probed(case: dict[str, Any], *, train: bool = False, part: str = "head", **other: Any) -> State:
    """The state at the hand-over: the reference, or that of another way to train the head."""
    model: Any = small_models.restore(case["architecture"], case["state"]).train(train)
    settings = {"lr": PROBE_LR, "passes": PROBE_PASSES} | other
    _passes(model, case, (model[-1] if part == "head" else model).parameters(), **settings)
    return model.state_dict()


def _tuned(case: dict[str, Any], handover: State, *, train: bool = True, part: str = "all", **other: Any) -> State:
    """The state after the second step from this hand-over: the reference, or that of another way to train."""
    model: Any = small_models.restore(case["architecture"], handover).train(train)
    parameters = model[:-1].parameters() if part == "backbone" else model.parameters()
    settings = {"lr": TUNE_LR, "passes": TUNE_PASSES} | other
    _passes(model, case, parameters, **settings)
    return model.state_dict()


def _tuned_with_old_gradients(case: dict[str, Any], *, clears: bool, freezes: bool = False) -> State:
    """The final state if gradients of the first step are still there in the second.

    With `clears` each optimiser clears its own parameters: those of the backbone, unless the first step `freezes` it,
    keep what the first step computed. Without it nothing is ever cleared.
    """
    model: Any = small_models.restore(case["architecture"], case["state"]).eval()
    model[:-1].requires_grad_(not freezes)
    _passes(model, case, model[-1].parameters(), PROBE_LR, PROBE_PASSES, clears=clears)
    model.train().requires_grad_(True)
    _passes(model, case, model.parameters(), TUNE_LR, TUNE_PASSES, clears=clears)
    return model.state_dict()


def _known_handover(case: dict[str, Any], result: dict[str, Any]) -> State:
    handover = result["handover"]
    expect(
        handover.keys() == case["state"].keys()
        and all(isinstance(v, torch.Tensor) and v.shape == case["state"][n].shape for n, v in handover.items()),
        tried="reading what your function returned",
        got=f"a dict with {', '.join(list(handover)[:3]) or 'nothing in it'}",
        expected="every weight and buffer of the model, by name",
        because="return a copy of model.state_dict() from between the two steps",
    )
    return handover


def _loss(case: dict[str, Any], state: State) -> float:
    """The mean loss over the batches, in eval mode."""
    model = small_models.restore(case["architecture"], state).eval()
    with torch.no_grad():
        return float(nn.functional.cross_entropy(model(torch.cat(case["x"])), torch.cat(case["y"])))


@exercise.judge(three_batches, points=2)
def backbone_identical_at_handover(case: dict[str, Any], result: dict[str, Any]) -> None:
    """At the hand-over the head has learned, and the backbone with its BatchNorm statistics is bit-identical."""
    handover = _known_handover(case, result)
    backbone = [name for name in handover if not name.startswith("head.")]
    moved = [name for name in backbone if not torch.equal(handover[name], case["state"][name])]
    because = "the backbone's weights moved before the hand-over: the optimiser of the first step holds the head alone"
    if moved and all(torch.equal(handover[name], result["final"][name]) for name in backbone):
        because = _THE_END
    elif moved and all("running" in name or "num_batches" in name for name in moved):
        because = "only BatchNorm's statistics moved: in the first step the frozen backbone must be in eval mode"
    expect(
        not moved,
        tried="comparing the state you returned with the pretrained one",
        got=f"{len(moved)} of {len(backbone)} weights and buffers of the backbone moved",
        expected="0 moved",
        because=because,
    )
    untouched = all(torch.equal(handover[name], case["state"][name]) for name in ("head.weight", "head.bias"))
    before, after = _loss(case, case["state"]), _loss(case, handover)
    expect(
        not untouched and after < before,
        tried="the loss on your batches with the state you returned",
        got=f"{after:.3f}" + (", with the head that it started with" if untouched else ""),
        expected=f"less than the {before:.3f} of the untrained head",
        because="the head has not been trained before the hand-over" if untouched else "",
    )


@exercise.judge(three_batches, points=1)
def the_head_is_trained_first(case: dict[str, Any], result: dict[str, Any]) -> None:
    """At the hand-over the head is the one that ten passes with rate 0.1 give on the frozen backbone."""
    handover, expected = _known_handover(case, result), _probed(case)
    names = ("head.weight", "head.bias")
    if all(_near(handover, expected, case["state"], name, rtol=0.03) for name in names):
        return
    untouched = all(torch.equal(handover[name], case["state"][name]) for name in names)
    distance = float((handover["head.weight"] - case["state"]["head.weight"]).norm())
    reference = float((expected["head.weight"] - case["state"]["head.weight"]).norm())
    if untouched:
        because = "the head was not trained before the backbone was unfrozen"
    elif all(torch.equal(handover[name], result["final"][name]) for name in handover):
        because = _THE_END
    else:
        because = _named(handover, case["state"], names, _mistakes_with_the_head(case), rtol=0.03)
    raise Wrong(
        tried=f"the head at the hand-over, after {PROBE_PASSES} passes of SGD with rate {PROBE_LR}",
        got="the head that it started with" if untouched else f"a head whose weights moved by {distance:.3g}",
        expected=f"the reference, whose weights move by {reference:.3g}",
        because=because,
    )


def _mistakes_with_the_head(case: dict[str, Any]) -> dict[str, Callable[[], State]]:
    return {
        "the gradients were not cleared: without zero_grad they add up over the batches": lambda: _probed(
            case, clears=False
        ),
        "the optimiser has momentum 0.9; the recipe is SGD without momentum": lambda: _probed(case, momentum=0.9),
        "softmax was applied before the loss: cross_entropy expects logits": lambda: _probed(case, loss=_softmax_first),
        "the loss was summed over the batch, not averaged": lambda: _probed(case, loss=_summed),
        f"the head was trained with rate {TUNE_LR}": lambda: _probed(case, lr=TUNE_LR),
        f"the head was trained for {TUNE_PASSES} passes": lambda: _probed(case, passes=TUNE_PASSES),
        "the head was trained for a single pass": lambda: _probed(case, passes=1),
        "the optimiser was Adam; the recipe is SGD": lambda: _probed(case, optimizer=torch.optim.Adam),
        "the optimiser was AdamW; the recipe is SGD": lambda: _probed(case, optimizer=torch.optim.AdamW),
        "the backbone was in train mode while the head was trained": lambda: _probed(case, train=True),
        "the backbone was trained together with the head": lambda: _probed(case, part="all"),
    }


@exercise.judge(three_batches, points=2)
def then_everything_moves_on_from_there(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The second step starts from the trained head and moves everything: two passes with rate 0.01 in train mode."""
    handover, final = _known_handover(case, result), result["final"]
    parameters = [name for name, _ in small_models.build(case["architecture"]).named_parameters()]
    backbone = [name for name in parameters if not name.startswith("head.")]
    if all(torch.equal(final[name], handover[name]) for name in parameters):
        is_copy = torch.equal(handover["stem.0.weight"], case["state"]["stem.0.weight"])
        raise Wrong(
            tried="comparing the model at the end with the hand-over",
            got="the same weights",
            expected="every weight has moved",
            because="no weight moved after the hand-over: the second step needs gradients for every parameter, an "
            "optimiser that holds them all, and backward() before each step()"
            if is_copy
            else _THE_END,
        )
    expected = _tuned(case, handover)
    wrong = [name for name in parameters if not _near(final, expected, handover, name)]
    if not wrong:
        return
    if all(torch.equal(final[name], handover[name]) for name in backbone):
        because = "only the head moved: the backbone has to be unfrozen, and in the second optimiser"
    else:
        because = _named(final, handover, parameters, _mistakes_with_everything(case, handover))
    far, usual = ((state["head.weight"] - handover["head.weight"]).norm() for state in (final, expected))
    if not because and far > 5 * usual:
        because = (
            f"the head ends {float(far / usual):.0f} times as far from the hand-over as in the reference: the second "
            f"step starts from the trained head, and moves it with rate {TUNE_LR}"
        )
    raise Wrong(
        tried=f"{TUNE_PASSES} passes of SGD with rate {TUNE_LR} over everything, from your hand-over",
        got=f"{len(wrong)} of {len(parameters)} parameters have other values, for example {', '.join(wrong[:2])}",
        expected="the values of the reference",
        because=because,
    )


def _mistakes_with_everything(case: dict[str, Any], handover: State) -> dict[str, Callable[[], State]]:
    return {
        "the model was in eval mode in the second step, so BatchNorm used its stored statistics": lambda: _tuned(
            case, handover, train=False
        ),
        "the second step kept the rate of the first, which is ten times too high": lambda: _tuned(
            case, handover, lr=PROBE_LR
        ),
        "the gradients were not cleared: without zero_grad they add up over the batches": lambda: _tuned(
            case, handover, clears=False
        ),
        "no gradient was ever cleared, so those of the first step were still there in the second": lambda: (
            _tuned_with_old_gradients(case, clears=False)
        ),
        "no gradient was ever cleared, so those of the head were still there in the second step": lambda: (
            _tuned_with_old_gradients(case, clears=False, freezes=True)
        ),
        "the backbone's gradients of the first step were still there when the second began: its optimiser never held "
        "them, so its zero_grad did not clear them. Freeze the backbone, or clear with model.zero_grad()": lambda: (
            _tuned_with_old_gradients(case, clears=True)
        ),
        "the optimiser has momentum 0.9; the recipe is SGD without momentum": lambda: _tuned(
            case, handover, momentum=0.9
        ),
        "the optimiser of the second step was Adam; the recipe is SGD": lambda: _tuned(
            case, handover, optimizer=torch.optim.Adam
        ),
        "the optimiser of the second step was AdamW; the recipe is SGD": lambda: _tuned(
            case, handover, optimizer=torch.optim.AdamW
        ),
        "softmax was applied before the loss: cross_entropy expects logits": lambda: _tuned(
            case, handover, loss=_softmax_first
        ),
        "the loss was summed over the batch, not averaged": lambda: _tuned(case, handover, loss=_summed),
        f"everything was trained for {PROBE_PASSES} passes": lambda: _tuned(case, handover, passes=PROBE_PASSES),
        "everything was trained for a single pass after the hand-over": lambda: _tuned(case, handover, passes=1),
        "the head was not in the second optimiser": lambda: _tuned(case, handover, part="backbone"),
    }


def _named(got: State, start: State, names: Any, mistakes: dict[str, Callable[[], State]], *, rtol: float = 0.1) -> str:
    """The mistake whose recomputed state is the one that came back; "" if none is."""
    for because, state in mistakes.items():
        other = state()
        if all(_near(got, other, start, name, rtol=rtol) for name in names):
            return because
    return ""


def _near(got: State, expected: State, start: State, name: str, *, rtol: float = 0.1) -> bool:
    return bool((got[name] - expected[name]).norm() <= rtol * (expected[name] - start[name]).norm() + 1e-5)
