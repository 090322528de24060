"""Train mode for what trains, eval mode for what is frozen, buffers included."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.exercises import small_models
from course.exercises.nb02_freeze_the_backbone.training_cases import training_case
from course.exercises.tensor_comparison import diverged
from course.judging import Exercise, expect

exercise = Exercise(
    "02-set-train-mode",
    answer="set_train",
    call="set_train(model)",
    title="Train the head, keep the frozen layers fixed",
    withholds=("course.models.set_train",),
    hints=(
        "`requires_grad = False` doesn't concern buffers: in train mode BatchNorm updates its running statistics.",
        "`model.train()` switches every module inside. So call it first, and then switch some modules back.",
        "A module is frozen if it has parameters and none requires a gradient: put exactly these into eval mode.",
    ),
    idea="model.train(); then, for each module in model.modules() with parameters that are all frozen, module.eval().",
)


@exercise.case
def frozen_backbone(rng: torch.Generator) -> dict[str, Any]:
    return training_case("cnn", rng)


@exercise.case
def half_frozen(rng: torch.Generator) -> dict[str, Any]:
    return training_case("cnn", rng, "backbone.stage1")


@exercise.probe
def probe_set_train(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = small_models.restore(case["architecture"], case["state"])
    model.get_submodule(case["frozen"]).requires_grad_(False)
    model.eval()
    answer(model)
    training = {name: module.training for name, module in model.named_modules()}
    requires_grad = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    return {"training": training, "requires_grad": requires_grad, "pass": _after_a_pass(model, case)}


def _after_a_pass(model: nn.Module, case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Outputs for pictures that are brighter than the pretraining ones, and what state they leave."""
    # A Dropout of the frozen module has nothing that could be frozen, so either mode is right for it.
    small_models.show_modes(model, silent=case["frozen"])
    with torch.no_grad():
        outputs = model(case["x"] + 2.0)
    return {"outputs": outputs, **model.state_dict()}


@exercise.judge(frozen_backbone, points=2)
def frozen_statistics_stay(case: dict[str, Any], result: dict[str, Any]) -> None:
    """BatchNorm statistics of the frozen module are bit-identical after a forward pass on shifted data."""
    start, after, learning = case["state"], result["pass"], _learning(case)
    expect(
        not all(torch.equal(start[name], after[name]) for name in _statistics(case)),
        tried="one forward pass after your function, which got the model in eval mode",
        got="not one statistic in the model moved",
        expected="train mode for what trains",
        because="no module was put into train mode, so nothing could drift",
    )
    inside = [name for name in _statistics(case) if name.startswith(case["frozen"] + ".")]
    moved = [name for name in inside if not torch.equal(start[name], after[name])]
    expect(
        not moved,
        tried="one forward pass on pictures that are brighter than those of pretraining",
        got=f"{len(moved)} of the {len(inside)} frozen buffers moved",
        expected="0 moved",
        because="BatchNorm statistics moved: frozen weights are not a frozen layer. `model.train()` reaches the "
        "frozen modules too, so eval() on them must come after it",
    )
    other = diverged(after, _expected(case), start, learning)
    expect(
        not other,
        tried="the same pass: the statistics of what is not frozen",
        got=f"{len(other)} of {len(learning)} are not what this pass gives, {', '.join(other[:2])} among them",
        expected="they move with these pictures",
        because="train mode belongs to every module that still trains",
    )


@exercise.judge(frozen_backbone, points=1)
def the_head_is_in_train_mode(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The head is in train mode: its dropout drops and its own BatchNorm learns."""
    expect(
        not all(result["training"].values()),
        tried="reading `.training` of every module",
        got="train mode everywhere",
        expected="train mode for the head alone",
        because="no module was put into eval mode, the frozen ones included",
    )
    modes = {name: mode for name, mode in result["training"].items() if name.startswith("head")}
    in_eval_mode = sorted(name for name, mode in modes.items() if not mode)
    expect(
        not in_eval_mode,
        tried="reading `.training` of every module of the head",
        got=f"in eval mode: {', '.join(in_eval_mode)}",
        expected="all in train mode",
        because=_why_the_head_is_in_eval_mode(in_eval_mode, result["requires_grad"]),
    )
    frozen = [name for name, flag in result["requires_grad"].items() if not flag and name.startswith("head")]
    expect(
        not frozen,
        tried="reading `.requires_grad` of the head's parameters",
        got=f"{len(frozen)} switched off",
        expected="all still on",
        because="set_train chooses modes, and leaves `requires_grad` as it is",
    )
    _expect_the_pass(case, result)


@exercise.judge(half_frozen, points=1)
def unfrozen_stages_train(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With only the first stage frozen, the second stage's BatchNorm still learns."""
    tried = "one forward pass with only `backbone.stage1` frozen"
    moved = [name for name in _statistics(case) if not torch.equal(result["pass"][name], case["state"][name])]
    frozen = [name for name in moved if name.startswith(case["frozen"] + ".")]
    expect(
        not frozen,
        tried=tried,
        got=f"{len(frozen)} buffers of the frozen stage moved",
        expected="0 moved",
        because=_why_it_drifts(result["training"]),
    )
    expect(
        any(name.startswith("backbone.stage2") for name in moved),
        tried=tried,
        got="no buffer of `backbone.stage2` moved",
        expected="its running mean and variance move",
        because=_why_it_is_in_eval_mode(result["training"], "backbone.stage2"),
    )
    _expect_the_pass(case, result)


def _why_the_head_is_in_eval_mode(in_eval_mode: list[str], requires_grad: dict[str, bool]) -> str:
    """What is wrong with modules of the head in eval mode, by whether they have parameters."""
    if not any(parameter.startswith(f"{name}.") for name in in_eval_mode for parameter in requires_grad):
        return (
            f"{' and '.join(f'`{name}`' for name in in_eval_mode)}: without parameters, and so not frozen. A module is "
            "frozen if it has parameters and none of them requires a gradient; all() of nothing is True"
        )
    return "the head is what you train; only frozen modules belong in eval mode"


def _why_it_drifts(training: dict[str, bool]) -> str:
    """Why the statistics of a frozen stage move, by the modes that the modules are in."""
    if all(training.values()):
        return (
            "no module is in eval mode: find frozen ones by their parameters, at any depth, and call eval() on them "
            "after `model.train()`"
        )
    return "find frozen modules by their parameters, at any depth"


def _why_it_is_in_eval_mode(training: dict[str, bool], stage: str) -> str:
    """Why the statistics of a stage that trains don't move, by the modes that the modules are in."""
    if not any(training.values()):
        return "the whole model is in eval mode: call model.train() first, then put the frozen modules back"
    in_eval_mode = [name for name, mode in training.items() if name.startswith(stage) and not mode]
    if not training["backbone"] and stage in in_eval_mode:
        return "the whole backbone was put into eval mode; decide module by module, by requires_grad"
    if in_eval_mode:
        return (
            f"{', '.join(f'`{name}`' for name in in_eval_mode)} went into eval mode though nothing in it is frozen: "
            "decide by requires_grad, not by the kind of layer"
        )
    return "a stage that trains keeps updating its statistics"


def _statistics(case: dict[str, Any]) -> list[str]:
    return [name for name, _ in small_models.build(case["architecture"]).named_buffers()]


def _learning(case: dict[str, Any]) -> list[str]:
    return [name for name in _statistics(case) if not name.startswith(case["frozen"] + ".")]


def _expected(case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """What the pass leaves if the frozen module is in eval mode and everything else in train mode."""
    model = small_models.restore(case["architecture"], case["state"]).train()
    model.get_submodule(case["frozen"]).eval()
    return _after_a_pass(model, case)


def _expect_the_pass(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless outputs and statistics are those of a model whose frozen module alone is in eval mode."""
    expected = _expected(case)
    start = {**case["state"], "outputs": torch.zeros(())}
    other = diverged(result["pass"], expected, start, expected)
    expect(
        not other,
        tried="one forward pass on brighter pictures: the model's outputs, and the statistics afterwards",
        got=f"{len(other)} of them differ, {', '.join(f'`{name}`' for name in other[:2])} among them",
        expected="those of a model in train mode, its frozen modules in eval mode",
        because="train mode for what trains, its dropout too, and eval mode for what is frozen",
    )
