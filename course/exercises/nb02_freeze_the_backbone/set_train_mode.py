"""Train mode for what trains, eval mode for what is frozen, buffers included."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises import narrow
from course.exercises.nb02_freeze_the_backbone.training_cases import training_case
from course.judging import Exercise, expect

exercise = Exercise(
    "02-set-train-mode",
    answer="set_train",
    call="set_train(model)",
    title="Train the head, keep the frozen layers still",
    withholds=("course.models.set_train",),
    hints=(
        "`requires_grad = False` says nothing about buffers: in train mode BatchNorm updates its running statistics.",
        "`model.train()` switches every module inside. So call it first, and then switch some modules back.",
        "A module is frozen when it has parameters and none requires a gradient: put exactly those into eval mode.",
    ),
    idea="model.train(); then, for each module in model.modules() with parameters that are all frozen, module.eval().",
)


@exercise.case
def frozen_backbone(rng: torch.Generator) -> dict[str, Any]:
    return training_case("cnn", rng)


@exercise.case
def half_frozen(rng: torch.Generator) -> dict[str, Any]:
    return {**training_case("cnn", rng), "frozen": "backbone.stage1"}


@exercise.probe
def probe_set_train(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"])
    model.get_submodule(case["frozen"]).requires_grad_(False)
    model.eval()
    answer(model)
    return {
        "training": {name: module.training for name, module in model.named_modules()},
        "requires_grad": {name: parameter.requires_grad for name, parameter in model.named_parameters()},
    }


@exercise.judge(frozen_backbone, points=2)
def frozen_statistics_stay(case: dict[str, Any], result: dict[str, Any]) -> None:
    """BatchNorm statistics of the frozen module are bit-identical after a forward pass on shifted data."""
    expect(
        any(result["training"].values()),
        tried="reading `.training` of every module; your function got the model in eval mode",
        got="eval mode everywhere",
        expected="train mode for what trains",
        because="no module was put into train mode, so nothing could drift",
    )
    before, after = _buffers_around_a_pass(case, result["training"])
    inside = [name for name in before if name.startswith(case["frozen"] + ".")]
    moved = [name for name in inside if not torch.equal(before[name], after[name])]
    expect(
        not moved,
        tried="one forward pass on pictures that are brighter than the pretraining ones",
        got=f"{len(moved)} of the {len(inside)} frozen buffers moved",
        expected="0 moved",
        because="your BatchNorm statistics moved: frozen weights are not a frozen layer. `model.train()` reaches the "
        "frozen modules too, so eval() on them must come after it",
    )


@exercise.judge(frozen_backbone, points=1)
def the_head_is_in_train_mode(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The head is in train mode: its dropout drops and its own BatchNorm learns."""
    expect(
        not all(result["training"].values()),
        tried="reading `.training` of every module",
        got="train mode everywhere",
        expected="train mode for the head alone",
        because="no module was put into eval mode, so there is nothing to tell apart",
    )
    modes = {name: mode for name, mode in result["training"].items() if name.startswith("head")}
    asleep = sorted(name for name, mode in modes.items() if not mode)
    expect(
        not asleep,
        tried="reading `.training` of every module of the head",
        got=f"in eval mode: {', '.join(asleep)}",
        expected="all in train mode",
        because="the head is what you train; only frozen modules belong in eval mode",
    )
    frozen = [name for name, flag in result["requires_grad"].items() if not flag and name.startswith("head")]
    expect(
        not frozen,
        tried="reading `.requires_grad` of the head's parameters",
        got=f"{len(frozen)} switched off",
        expected="all still on",
        because="set_train chooses modes; it freezes nothing",
    )


@exercise.judge(half_frozen, points=1)
def unfrozen_stages_train(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With only the first stage frozen, the second stage's BatchNorm still learns."""
    before, after = _buffers_around_a_pass(case, result["training"])
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    frozen = sorted(name for name in moved if name.startswith(case["frozen"]))
    expect(
        not frozen,
        tried="one forward pass with only `backbone.stage1` frozen",
        got=f"{len(frozen)} buffers of the frozen stage moved",
        expected="0 moved",
        because="find frozen modules by their parameters, at any depth",
    )
    expect(
        any(name.startswith("backbone.stage2") for name in moved),
        tried="one forward pass with only `backbone.stage1` frozen",
        got="no buffer of `backbone.stage2` moved",
        expected="its running mean and variance move",
        because="the whole backbone was put into eval mode; decide module by module, by requires_grad",
    )


def _buffers_around_a_pass(case: dict[str, Any], modes: dict[str, bool]) -> tuple[dict[str, Any], dict[str, Any]]:
    model = narrow.restore(case["architecture"], case["state"])
    for name, module in model.named_modules():
        module.training = bool(modes[name])
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model(case["x"] + 2.0)
    return before, dict(model.named_buffers())
