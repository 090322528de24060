"""Accuracy over a loader, measured in eval mode, every mode given back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from course.exercises import narrow
from course.judging import Exercise, Unusable, Wrong, expect, expect_close, need

exercise = Exercise(
    "00-measure-accuracy",
    answer="accuracy",
    call="accuracy(model, loader)",
    title="Measure accuracy, and leave the model as it was",
    withholds=("course.training.evaluate",),
    hints=(
        "Count: how many pictures were right, how many were there? Divide once, at the end.",
        "`model(x).argmax(1) == y` says which of a batch are right. Measure in eval mode: dropout is for training.",
        "Remember `[(module, module.training) for module in model.modules()]` before `model.eval()`, and afterwards "
        "set `module.training = mode` for each. `model.train()` would wake what had been put to sleep.",
    ),
    idea="Note every module's mode; model.eval(); without gradients, sum up right answers and pictures; "
    "give each module its mode back; return right / seen.",
)


@exercise.case
def in_train_mode(rng: torch.Generator) -> dict[str, Any]:
    return accuracy_case(rng, asleep=[])


@exercise.case
def partly_asleep(rng: torch.Generator) -> dict[str, Any]:
    return accuracy_case(rng, asleep=["backbone"])


def accuracy_case(rng: torch.Generator, *, asleep: list[str], count: int = 21, batch: int = 8) -> dict[str, Any]:
    """`asleep` are the modules in eval mode. The short last batch is right as often as the others are wrong."""
    state = narrow.drawn_state("cnn", rng)
    x = narrow.pictures(rng, count)
    model = narrow.restore("cnn", state).eval()
    with torch.no_grad():
        guesses = model(x).argmax(1)
    last = count // batch * batch
    hit = torch.rand(count, generator=rng) < 0.4
    hit[:2], hit[last:] = torch.tensor([True, False]), True
    wrong = (guesses + torch.randint(1, 5, (count,), generator=rng)) % 5
    y = torch.where(hit, guesses, wrong)
    return {"architecture": "cnn", "state": state, "x": x, "y": y, "batch": batch, "asleep": asleep}


@exercise.probe
def probe_accuracy(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = narrow.restore(case["architecture"], case["state"]).train()
    for name in case["asleep"]:
        model.get_submodule(name).eval()
    modes: list[bool] = []
    model.register_forward_pre_hook(lambda module, _: modes.append(any(part.training for part in module.modules())))
    loader = DataLoader(TensorDataset(case["x"], case["y"]), batch_size=case["batch"])
    value = need(answer(model, loader), (int, float, torch.Tensor, np.number), "a number: `return right / seen`")
    if isinstance(value, torch.Tensor) and value.numel() != 1:
        raise Unusable(f"your answer returned a tensor of shape {tuple(value.shape)}; return one number")
    return {
        "value": float(value),
        "train_mode": any(modes),
        "training": {name: module.training for name, module in model.named_modules()},
        "state": dict(model.state_dict()),
    }


@exercise.judge(in_train_mode, points=2)
def weighed_by_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The accuracy is right answers over pictures, however the loader cuts its batches."""
    model = narrow.restore(case["architecture"], case["state"]).eval()
    with torch.no_grad():
        right = (model(case["x"]).argmax(1) == case["y"]).double()
    batches = right.split(case["batch"])
    count, expected = len(right), float(right.mean())
    mistakes = {
        "this is the mean of the batches' accuracies: the short last batch counts for too much": float(
            torch.stack([part.mean() for part in batches]).mean()
        ),
        "this is the accuracy of the last batch alone": float(batches[-1].mean()),
        "this counts right answers a batch; divide by the number of pictures": float(right.sum()) / len(batches),
        "this is a percentage; return a fraction between 0 and 1": 100 * expected,
        "this is the number of right answers; divide by the number of pictures": float(right.sum()),
        "this is the fraction of wrong answers": 1 - expected,
        "divide by the number of pictures, not by number of batches times batch size": float(right.sum())
        / (len(batches) * case["batch"]),
    }
    tried = f"{count} pictures in batches of {case['batch']}, {int(right.sum())} of them right"
    if result["train_mode"] and abs(result["value"] - expected) > 1e-6:
        raise Wrong(
            tried=tried,
            got=result["value"],
            expected=expected,
            because="the model ran in train mode: dropout and the batch's own statistics change its answers",
        )
    expect_close(result["value"], expected, tried=tried, atol=1e-6, rtol=0, mistakes=mistakes)


@exercise.judge(in_train_mode, points=1)
def measured_in_eval_mode(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The model runs in eval mode while it is measured, and no statistic in it moves."""
    expect(
        not result["train_mode"],
        tried="watching the model's mode while your function runs it",
        got="train mode",
        expected="eval mode",
        because="in train mode dropout drops, and a batch is normalised by its own statistics: other answers",
    )
    moved = [name for name, value in case["state"].items() if not torch.equal(value, result["state"][name])]
    expect(
        not moved,
        tried="comparing weights and statistics before and after",
        got=f"{len(moved)} moved",
        expected="0 moved",
        because="measuring must leave the model as it was",
    )


@exercise.judge(in_train_mode, points=1)
def train_mode_comes_back(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A model that came in train mode leaves in train mode."""
    judge_modes(case, result)


@exercise.judge(partly_asleep, points=1)
def what_slept_still_sleeps(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every module gets its mode back, also where the backbone came in eval mode and the head in train mode."""
    judge_modes(case, result)


def judge_modes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every module is in the mode in which the probe handed it over."""
    model = narrow.build(case["architecture"]).train()
    for name in case["asleep"]:
        model.get_submodule(name).eval()
    before = {name: module.training for name, module in model.named_modules()}
    left = [name for name, mode in before.items() if mode and not result["training"][name]]
    woken = [name for name, mode in before.items() if not mode and result["training"][name]]
    because = "the model was left in eval mode: whoever trains on now trains without dropout"
    if woken:
        because = (
            "`model.train()` reaches every module, also those that were in eval mode for a reason: note each one's mode"
        )
    expect(
        not left and not woken,
        tried="reading `.training` of every module before and after",
        got=f"{len(left)} modules left in eval mode, {len(woken)} woken into train mode",
        expected="every module in the mode that it had",
        because=because,
    )
