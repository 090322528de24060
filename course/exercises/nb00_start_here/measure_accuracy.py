"""Accuracy over a loader, measured in eval mode; every module's mode is restored."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course.exercises import small_models
from course.exercises.tensor_comparison import diverged
from course.judging import Exercise, Unusable, Wrong, expect, expect_close, need

exercise = Exercise(
    "00-measure-accuracy",
    answer="accuracy",
    call="accuracy(model, loader)",
    title="Measure accuracy, and leave the model as it was",
    withholds=("course.training.loop.evaluate",),
    hints=(
        "Keep two counters over all batches, correct predictions and images, and divide once at the end. "
        "`model(x).argmax(1) == y` shows which predictions of a batch are correct.",
        "Save `[(module, module.training) for module in model.modules()]` before you call `model.eval()`, and set "
        "`module.training = mode` for each pair afterwards. `model.train()` is not enough: it switches every module to "
        "train mode, including those that were in eval mode before.",
        "Whatever must happen even after an error belongs in a `finally` block: save the modes, then "
        "`try:` eval mode and the loop, `finally:` restore the modes.",
    ),
    idea="Save every module's mode. In a try block: model.eval(), then count correct predictions and images without "
    "gradients. In the finally block, restore each module's mode. Return correct / total.",
)


@exercise.case
def in_train_mode(rng: torch.Generator) -> dict[str, Any]:
    return accuracy_case(rng, asleep=[])


@exercise.case
def partly_asleep(rng: torch.Generator) -> dict[str, Any]:
    return accuracy_case(rng, asleep=["backbone"])


def accuracy_case(rng: torch.Generator, *, asleep: list[str], loaders: int = 3) -> dict[str, Any]:
    """Images for a few loaders, and some to observe the model with afterwards. `asleep` are modules in eval mode."""
    state = small_models.drawn_state("cnn", rng)
    model = small_models.restore("cnn", state).eval()
    return {
        "architecture": "cnn",
        "state": state,
        "loaders": [_drawn_loader(model, rng) for _ in range(loaders)],
        "asleep": asleep,
        "watched": small_models.pictures(rng, 6),
    }


def _drawn_loader(model: nn.Module, rng: torch.Generator) -> dict[str, Any]:
    """Pictures, labels and a batch size. The short last batch is right as often as the others are wrong."""
    batch = int(torch.randint(5, 10, (), generator=rng))
    last = int(torch.randint(2, batch, (), generator=rng))
    count = batch * int(torch.randint(2, 5, (), generator=rng)) + last
    x = small_models.pictures(rng, count)
    with torch.no_grad():
        guesses = model(x).argmax(1)
    hit = torch.rand(count, generator=rng) < 0.4
    hit[:2], hit[-last:] = torch.tensor([True, False]), True
    wrong = (guesses + torch.randint(1, 5, (count,), generator=rng)) % 5
    return {"x": x, "y": torch.where(hit, guesses, wrong), "batch": batch}


@exercise.case
def a_broken_loader(rng: torch.Generator) -> dict[str, Any]:
    return {**accuracy_case(rng, asleep=["backbone"], loaders=1), "is_broken": True}


class LoaderFailed(Exception):
    """What the broken loader raises."""


class BrokenLoader:
    """A loader whose second batch can't be read."""

    batch_size = 4

    def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.x, self.y = x, y
        self.dataset = TensorDataset(x, y)

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Any:
        yield self.x[: self.batch_size], self.y[: self.batch_size]
        raise LoaderFailed("the second batch can't be read")


@exercise.probe
def probe_accuracy(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = _handed_over(case)
    modes: list[bool] = []
    watch = model.register_forward_pre_hook(
        lambda module, _: modes.append(any(part.training for part in module.modules()))
    )
    values = [_value(answer, model, part) for part in case["loaders"]]
    if case.get("is_broken"):
        model = _handed_over(case)
        with suppress(LoaderFailed):
            answer(model, BrokenLoader(case["loaders"][0]["x"], case["loaders"][0]["y"]))
    watch.remove()
    training = {name: module.training for name, module in model.named_modules()}
    state = {name: value.clone() for name, value in model.state_dict().items()}
    return {
        "values": values,
        "train_mode": any(modes),
        "training": training,
        "state": state,
        "afterwards": _watched(model, case),
    }


def _value(answer: Any, model: nn.Module, part: dict[str, Any]) -> float:
    loader = DataLoader(TensorDataset(part["x"], part["y"]), batch_size=part["batch"])
    value = need(answer(model, loader), (int, float, torch.Tensor, np.number), "a number: `return correct / total`")
    if isinstance(value, torch.Tensor) and value.numel() != 1:
        raise Unusable(f"your answer returned a tensor of shape {tuple(value.shape)}; return one number")
    return float(value)


def _handed_over(case: dict[str, Any]) -> nn.Module:
    model = small_models.restore(case["architecture"], case["state"]).train()
    for name in case["asleep"]:
        model.get_submodule(name).eval()
    return model


def _watched(model: nn.Module, case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The outputs for a few more images in the modes that the model has now, and its state after them."""
    with torch.no_grad():
        outputs = small_models.show_modes(model)(case["watched"])
    return {"outputs": outputs, **model.state_dict()}


@exercise.judge(in_train_mode, points=2)
def weighed_by_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The accuracy is correct predictions over images, whatever the batch sizes."""
    right = _right(case)
    for got, batches, part in zip(result["values"], right, case["loaders"], strict=True):
        hits = torch.cat(batches)
        tried = f"{len(hits)} images in batches of {part['batch']}, {int(hits.sum())} of them predicted correctly"
        expected = float(hits.mean())
        if result["train_mode"] and not abs(got - expected) <= 1e-6:
            raise Wrong(
                tried=tried,
                got=got,
                expected=expected,
                because="the model ran in train mode: dropout and the batch's own statistics change its predictions",
            )
        mistakes = {because: formula(batches) for because, formula in MISTAKES.items()}
        expect_close(got, expected, tried=tried, atol=1e-6, rtol=0, mistakes=mistakes)


LAST_BATCH = "this is the accuracy of the last batch alone"
MISTAKES = {
    "this is the mean of the batches' accuracies: the short last batch counts for too much": (
        lambda batches: sum(float(part.mean()) for part in batches) / len(batches)
    ),
    LAST_BATCH: lambda batches: float(batches[-1].mean()),
    "this is the number of correct predictions per batch; divide by the number of images": (
        lambda batches: _count(batches) / len(batches)
    ),
    "this is a percentage; return a fraction between 0 and 1": (lambda batches: 100 * float(torch.cat(batches).mean())),
    "this is the number of correct predictions; divide by the number of images": lambda batches: _count(batches),
    "this is the fraction of wrong predictions": lambda batches: 1 - float(torch.cat(batches).mean()),
    "divide by the number of images, not by the number of batches times the batch size": (
        lambda batches: _count(batches) / (len(batches) * len(batches[0]))
    ),
}


def _count(batches: list[torch.Tensor]) -> float:
    return float(torch.cat(batches).sum())


def _right(case: dict[str, Any]) -> list[list[torch.Tensor]]:
    """For each loader its batches: 1.0 where the model in eval mode is right, else 0.0."""
    model = small_models.restore(case["architecture"], case["state"]).eval()
    with torch.no_grad():
        return [
            list((model(part["x"]).argmax(1) == part["y"]).double().split(part["batch"])) for part in case["loaders"]
        ]


def _expect_a_measurement(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless what came back was counted in eval mode on these pictures, if perhaps divided wrongly."""
    right = _right(case)
    # The last batch is all right, so its share alone could be written down.
    formulas = [formula for because, formula in MISTAKES.items() if because != LAST_BATCH]
    formulas += [lambda batches: float(torch.cat(batches).mean())]
    counted = any(
        all(abs(got - formula(part)) <= 1e-4 for got, part in zip(result["values"], right, strict=True))
        for formula in formulas
    )
    expect(
        counted,
        tried="comparing the values with the model's predictions in eval mode",
        got=result["values"],
        expected=[float(torch.cat(part).mean()) for part in right],
        because="nothing can be concluded while these values are not made from the counts of right predictions in eval "
        "mode",
    )


@exercise.judge(in_train_mode, points=1)
def measured_in_eval_mode(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The model runs in eval mode while it is measured, and its weights and statistics stay unchanged."""
    expect(
        not result["train_mode"],
        tried="observing the model's mode while your function runs it",
        got="train mode",
        expected="eval mode",
        because="in train mode dropout drops features, and batch normalisation uses the batch's own statistics",
    )
    moved = [name for name, value in case["state"].items() if not torch.equal(value, result["state"][name])]
    expect(
        not moved,
        tried="comparing weights and statistics before and after",
        got=f"{len(moved)} changed",
        expected="0 changed",
        because="measuring must leave the model as it was",
    )
    _expect_a_measurement(case, result)


@exercise.judge(in_train_mode, points=1)
def train_mode_comes_back(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A model in train mode is in train mode again afterwards."""
    judge_modes(case, result)


@exercise.judge(partly_asleep, points=1)
def what_slept_still_sleeps(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every module's mode is restored, even if the backbone was in eval mode and the head in train mode."""
    judge_modes(case, result)


def judge_modes(case: dict[str, Any], result: dict[str, Any], *, after: str = "your function") -> None:
    """Raise Wrong unless the model was measured and every module is in the mode that it had before."""
    model = _handed_over(case)
    before = {name: module.training for name, module in model.named_modules()}
    left = [name for name, mode in before.items() if mode and not result["training"][name]]
    woken = [name for name, mode in before.items() if not mode and result["training"][name]]
    because = "the model was left in eval mode: any further training runs without dropout"
    if case.get("is_broken"):
        because = "a `finally` block restores the modes even if an error ends the loop"
    if woken:
        because = (
            "`model.train()` reaches every module, including those that were in eval mode for a reason: save the "
            "mode of each one"
        )
    expect(
        not left and not woken,
        tried=f"reading `.training` of every module before and after {after}",
        got=f"{len(left)} modules left in eval mode, {len(woken)} switched to train mode",
        expected="every module in the mode that it had before",
        because=because,
    )
    _expect_a_measurement(case, result)
    # From the state that came back: if measuring changed statistics, another judge reports it.
    model.load_state_dict(result["state"])
    start = {"outputs": torch.zeros(()), **result["state"]}
    expected = _watched(model, case)
    other = diverged(result["afterwards"], expected, start, expected)
    expect(
        not other,
        tried=f"running a few more images through the model after {after}",
        got=f"{len(other)} of its statistics and outputs differ",
        expected="those of a model whose modules are all in the mode that they had before",
        because=because,
    )


@exercise.judge(a_broken_loader, points=1)
def modes_survive_an_error(case: dict[str, Any], result: dict[str, Any]) -> None:
    """If the loader raises an error at its second batch, every module's mode is restored all the same."""
    judge_modes(case, result, after="an error of the loader")
