"""Linear probing, then fine-tuning from the trained head."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.exercises import small_models
from course.judging import Exercise, Wrong, expect, need

exercise = Exercise(
    "04-head-then-everything",
    answer="lp_ft",
    call="lp_ft(model, data)",
    title="Head first, then everything",
    hints=(
        "Two loops, one after the other. What does each optimizer hold, and in which mode is the backbone in each?",
        "Between the loops: copy the state. state_dict() gives the model's own tensors, which go on changing.",
        "First: model.eval(), SGD(model[-1].parameters(), lr=0.1). Then clone every tensor of state_dict(). Then "
        "model.train(), requires_grad_(True) everywhere, SGD(model.parameters(), lr=0.01).",
    ),
    idea="Ten passes with SGD over model[-1].parameters() in eval mode; handover = {name: value.clone() for each item "
    "of model.state_dict()}; two passes with SGD over model.parameters() in train mode; return handover.",
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


def _passes(model: Any, case: dict[str, Any], params: Any, lr: float, passes: int) -> None:
    optimizer = torch.optim.SGD(params, lr=lr)
    for _ in range(passes):
        for x, y in zip(case["x"], case["y"], strict=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()


def _probed(case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The reference state at the hand-over."""
    model: Any = small_models.restore(case["architecture"], case["state"]).eval()
    _passes(model, case, model[-1].parameters(), PROBE_LR, PROBE_PASSES)
    return model.state_dict()


def _tuned(case: dict[str, Any], handover: dict[str, torch.Tensor], *, train: bool = True, lr: float = TUNE_LR) -> Any:
    """The reference state after the second step from this hand-over."""
    model = small_models.restore(case["architecture"], handover).train(train)
    _passes(model, case, model.parameters(), lr, TUNE_PASSES)
    return model.state_dict()


def _known_handover(case: dict[str, Any], result: dict[str, Any]) -> dict[str, torch.Tensor]:
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


@exercise.judge(three_batches, points=2)
def backbone_identical_at_handover(case: dict[str, Any], result: dict[str, Any]) -> None:
    """At the hand-over the backbone, its BatchNorm statistics too, is still bit-identical to the pretrained one."""
    handover = _known_handover(case, result)
    backbone = [name for name in handover if not name.startswith("head.")]
    moved = [name for name in backbone if not torch.equal(handover[name], case["state"][name])]
    because = "the backbone was trained in the first step: give its optimizer the head alone"
    if moved and all(torch.equal(handover[name], result["final"][name]) for name in backbone):
        because = "this is the state at the end: state_dict() holds the model's own tensors, so clone each of them"
    elif moved and all("running" in name or "num_batches" in name for name in moved):
        because = "only BatchNorm's statistics moved: in the first step the frozen backbone belongs in eval mode"
    expect(
        not moved,
        tried="comparing the state you returned with the pretrained one",
        got=f"{len(moved)} of {len(backbone)} weights and buffers of the backbone moved",
        expected="0 moved",
        because=because,
    )
    # The state that the model came in would do otherwise. How far the head was trained is for another judge.
    way, reference = (_way(case, state) for state in (handover, _probed(case)))
    expect(
        way @ reference > 0.9 * way.norm() * reference.norm(),
        tried="comparing the head in the state you returned with the one it started with",
        got="the head it started with" if not way.any() else "a head trained to something else",
        expected="a head on the way that SGD takes it on the frozen backbone",
        because="the head was not trained before the hand-over, so nothing could have moved the backbone",
    )


def _way(case: dict[str, Any], state: dict[str, torch.Tensor]) -> torch.Tensor:
    """What training changed in the head, in one row."""
    return torch.cat([(state[name] - case["state"][name]).flatten() for name in ("head.weight", "head.bias")])


@exercise.judge(three_batches, points=1)
def the_head_is_trained_first(case: dict[str, Any], result: dict[str, Any]) -> None:
    """At the hand-over the head is the one that ten passes with rate 0.1 give on the frozen backbone."""
    handover, expected = _known_handover(case, result), _probed(case)
    for name in ("head.weight", "head.bias"):
        path = (expected[name] - case["state"][name]).norm()
        untouched = torch.equal(handover[name], case["state"][name])
        expect(
            (handover[name] - expected[name]).norm() <= 0.03 * path,
            tried=f"{name} at the hand-over, after {PROBE_PASSES} passes of SGD with rate {PROBE_LR}",
            got="the head it started with" if untouched else "another one",
            expected=f"the reference, {float(path):.2f} away from its start",
            because="the head was not trained before the backbone was let go"
            if untouched
            else "in the first step SGD moves the head alone, over the batches in order, on a backbone in eval mode; "
            "what you return is a copy from before the second step",
        )


@exercise.judge(three_batches, points=2)
def then_everything_moves_on_from_there(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The second step starts from the trained head and moves everything: two passes with rate 0.01 in train mode."""
    handover = _known_handover(case, result)
    if all(torch.equal(result["final"][name], handover[name]) for name in handover):
        clone = not torch.equal(handover["stem.0.weight"], case["state"]["stem.0.weight"])
        raise Wrong(
            tried="comparing the model at the end with the hand-over",
            got="the same",
            expected="every weight of the backbone has moved on",
            because="clone the tensors of state_dict()" if clone else "the backbone was never let go: unfreeze it",
        )
    expected = _tuned(case, handover)
    parameters = [name for name, _ in small_models.build(case["architecture"]).named_parameters()]
    wrong = [name for name in parameters if not _near(result["final"], expected, handover, name)]
    expect(
        not wrong,
        tried=f"{TUNE_PASSES} passes of SGD with rate {TUNE_LR} over everything, from your hand-over",
        got=f"{len(wrong)} of {len(parameters)} parameters end elsewhere, {', '.join(wrong[:2])} among them",
        expected="the reference",
        because=_why_elsewhere(case, result["final"], handover, expected, parameters),
    )


def _near(got: dict[str, Any], expected: dict[str, Any], start: dict[str, Any], name: str) -> bool:
    return bool((got[name] - expected[name]).norm() <= 0.1 * (expected[name] - start[name]).norm() + 1e-5)


def _why_elsewhere(
    case: dict[str, Any], got: Any, handover: dict[str, torch.Tensor], expected: Any, parameters: list[str]
) -> str:
    backbone = [name for name in parameters if not name.startswith("head.")]
    head = "head.weight"
    if all(torch.equal(got[name], handover[name]) for name in backbone):
        return "the backbone did not move: unfrozen, and in the second optimizer?"
    for because, other in {
        "in the second step the model was in eval mode: there BatchNorm learns along": _tuned(
            case, handover, train=False
        ),
        "the second step kept the rate of the first, ten times too high": _tuned(case, handover, lr=PROBE_LR),
    }.items():
        if all(_near(got, other, handover, name) for name in parameters):
            return because
    if (got[head] - handover[head]).norm() > 5 * (expected[head] - handover[head]).norm():
        return "the head was reset between the two steps: what it learned is what the second step should start from"
    return ""
