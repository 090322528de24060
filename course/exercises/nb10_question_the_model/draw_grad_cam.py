"""Grad-CAM: which positions of a layer's maps support a class, exactly, and without leaving a hook on the model."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from course.judging import Exercise, Wrong, expect, expect_close, need

exercise = Exercise(
    "10-draw-grad-cam",
    answer="grad_cam",
    call="grad_cam(model, layer, x, target)",
    title="Where does the model look?",
    withholds=("course.inspection.attribution.grad_cam",),
    hints=(
        "One forward pass gives you two quantities: the layer's output A, (N, C, h, w), and the gradient of the "
        "class's logit with respect to A. A function passed to `layer.register_forward_hook` receives A and "
        "can keep it.",
        "`torch.autograd.grad(score, A)` returns the gradient without touching `.grad`. The score must be one number: "
        "sum the target's logits over the pictures. A channel's weight is the mean of its gradient over h and w.",
        "Sum weight times map over the channels and apply ReLU to this sum. A hook stays until you remove it: "
        "`handle = layer.register_forward_hook(...)`, and `handle.remove()` at the end, even if the model raises.",
    ),
    idea="handle = layer.register_forward_hook(lambda m, i, output: kept.append(output)); logits = model(x); "
    "handle.remove(); (gradient,) = torch.autograd.grad(logits[:, target].sum(), kept[0]); "
    "return relu((gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1)).detach().",
)


@exercise.case
def linear_behind_the_layer(rng: torch.Generator) -> dict[str, Any]:
    """Maps, their mean, a Linear: each map's weight is known without any gradient."""
    return toy_case(rng, tail="linear")


@exercise.case
def layers_behind_the_layer(rng: torch.Generator) -> dict[str, Any]:
    """A convolution and a Linear over all positions follow: the gradient differs from position to position."""
    return toy_case(rng, tail="deep")


def toy_case(
    rng: torch.Generator, *, tail: str, maps: int = 6, size: int = 7, classes: int = 4, count: int = 3
) -> dict[str, Any]:
    """A model, pictures and a class for which every named mistake gives another answer than the right one."""
    while True:
        model = toy(tail, maps, size, classes)
        state = {name: torch.randn(value.shape, generator=rng) / 2 for name, value in model.state_dict().items()}
        case: dict[str, Any] = {
            "tail": tail,
            "state": state,
            "x": torch.randn(count, 3, size, size, generator=rng),
            "second_x": torch.randn(count, 3, size, size, generator=rng),
            "target": int(torch.randint(1, classes, (), generator=rng)),
        }
        right, second = (_maps(case, case[name])["right"] for name in ("x", "second_x"))
        if (
            (second.amax((1, 2)) > 0.05).all()
            and (right.amax((1, 2)) > 0.05).all()
            and (right == 0).any()
            and (right > 0).float().mean() > 0.2
        ):
            return case


def toy(tail: str, maps: int, size: int, classes: int) -> nn.Sequential:
    """`layer` gives (N, maps, size, size); the layers behind it turn this into logits (N, classes)."""
    behind: dict[str, nn.Module] = {
        "pool": nn.AdaptiveAvgPool2d(1),
        "flat": nn.Flatten(),
        "head": nn.Linear(maps, classes),
    }
    if tail == "deep":
        behind = {
            "mixed": nn.Conv2d(maps, 5, 3, padding=1),
            "relu": nn.ReLU(),
            "flat": nn.Flatten(),
            "head": nn.Linear(5 * size * size, classes),
        }
    model = nn.Sequential()
    for name, module in {"layer": nn.Conv2d(3, maps, 3, padding=1), **behind}.items():
        model.add_module(name, module)
    return model


def _restored(case: dict[str, Any]) -> nn.Sequential:
    maps, size = case["state"]["layer.weight"].shape[0], case["x"].shape[-1]
    model = toy(case["tail"], maps, size, len(case["state"]["head.bias"]))
    model.load_state_dict(case["state"])
    return model


@exercise.probe
def probe_grad_cam(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = _restored(case).eval()
    maps = [_map_of(answer(model, model[0], case[name].clone(), case["target"])) for name in ("x", "second_x")]
    hooked = any(
        hooks
        for module in model.modules()
        for hooks in (
            module._forward_hooks,
            module._forward_pre_hooks,
            module._backward_hooks,
            module._backward_pre_hooks,
        )
    )
    # The maps again, not a flag: an answer that knows of a flag could set it.
    return {"maps": maps[0], "second": maps[1], "without_hooks": None if hooked else maps[1]}


def _map_of(returned: Any) -> torch.Tensor:
    return need(returned, torch.Tensor, "a tensor (N, h, w)").detach().clone()


def _maps(case: dict[str, Any], x: torch.Tensor) -> dict[str, torch.Tensor]:
    """The right maps of the pictures, and those that mistakes give, by the mistake's name."""
    model, target = _restored(case).eval(), case["target"]
    kept = model[0](x)
    logits = model[1:](kept)
    behind = {
        "logit": logits[:, target].sum(),
        "softmax": logits.softmax(1)[:, target].sum(),
        "loss": F.cross_entropy(logits, torch.full((len(x),), target)),
        "every": logits.sum(),
        "other": logits.amax(1).sum(),
    }
    grads = {name: torch.autograd.grad(score, kept, retain_graph=True)[0] for name, score in behind.items()}
    kept, gradient = kept.detach(), grads["logit"]
    weights = {name: value.mean((2, 3), keepdim=True) for name, value in grads.items()}
    weighted = (weights["logit"] * kept).sum(1)
    right = weighted.relu()
    whole = weights["logit"].mean(0, keepdim=True)
    return {
        "right": right,
        "the ReLU is missing: values below zero speak against the class": weighted,
        "the absolute value also shows what speaks against the class; ReLU keeps what speaks for it": weighted.abs(),
        "the ReLU belongs to the sum over the channels, not to each of them": (weights["logit"] * kept).relu().sum(1),
        "the ReLU was applied to the maps before they were weighted": (weights["logit"] * kept.relu()).sum(1),
        "the ReLU was applied to the maps before they were weighted, and again to the sum": (
            (weights["logit"] * kept.relu()).sum(1).relu()
        ),
        "the ReLU was applied to the weights; it belongs to the sum over the channels": (
            (weights["logit"].relu() * kept).sum(1).relu()
        ),
        "a channel's weight is the mean of its gradient over the positions, not the sum": (
            (gradient.sum((2, 3), keepdim=True) * kept).sum(1).relu()
        ),
        "each position was weighted by its own gradient; Grad-CAM gives a channel one weight, their mean": (
            (gradient * kept).sum(1).relu()
        ),
        "this is the mean over the channels: sum them, each with its weight": (weights["logit"] * kept).mean(1).relu(),
        "these are the layer's maps without any weight": kept.sum(1).relu(),
        "these are gradients alone: use them to weight the maps": gradient.sum(1).relu(),
        "this is the gradient of the softmax: take the logit, which doesn't depend on the other classes": (
            (weights["softmax"] * kept).sum(1).relu()
        ),
        "this is the gradient of the loss, which is negative where the class gains; take the logit of the class": (
            (weights["loss"] * kept).sum(1).relu()
        ),
        "this is the gradient of all logits: take the one of `target`": (weights["every"] * kept).sum(1).relu(),
        "this is the gradient of the largest logit: take the one of `target`": (weights["other"] * kept).sum(1).relu(),
        "the weights of all pictures were averaged: each picture has its own": (whole * kept).sum(1).relu(),
        "divided by the number of pictures: sum the logits over the batch instead of averaging them": (right / len(x)),
        "scaled to 1: do that when you draw it; here one map must be comparable with another": (
            right / right.amax((1, 2), keepdim=True)
        ),
        "scaled to 1 over all pictures: do that when you draw it": right / right.max(),
    }


def judge_maps(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the maps are Grad-CAM's, naming the formula that they follow instead."""
    known = _maps(case, case["x"])
    right, got = known.pop("right"), result["maps"]
    tried = f"class {case['target']} in {len(right)} pictures, maps of {right.shape[1]} x {right.shape[2]}"
    if got.shape == (len(right), 1, *right.shape[1:]):
        raise Wrong(
            tried=tried,
            got=tuple(got.shape),
            expected=tuple(right.shape),
            because="the channels are summed, so there is no axis for them: return (N, h, w)",
        )
    because = "one map per picture, as large as the layer's output: return (N, h, w)"
    expect(got.shape == right.shape, tried=tried, got=tuple(got.shape), expected=tuple(right.shape), because=because)
    because = "a channel's weight is the mean of its gradient; sum the weighted channels and set negative values to 0"
    expect_close(got, right, tried=tried, rtol=1e-3, atol=1e-5, mistakes=known, because=because)


@exercise.judge(linear_behind_the_layer, points=2)
def exact_where_the_weights_are_known(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With a mean and a Linear behind the layer, the map is relu(sum of head weight / (h w) times channel)."""
    judge_maps(case, result)


@exercise.judge(layers_behind_the_layer, points=2)
def exact_where_gradients_differ_by_place(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With more layers behind it, a channel's weight is the mean gradient of the class's logit over its positions."""
    judge_maps(case, result)


@exercise.judge(layers_behind_the_layer, points=1)
def nothing_stays_hooked(case: dict[str, Any], result: dict[str, Any]) -> None:
    """After two calls no hook is left on any layer, and the second call explains its own pictures."""
    judge_second(case, result)


def judge_second(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless a second call gives maps of its own pictures, by whatever formula, and left no hook."""
    first, own = _maps(case, case["x"]), _maps(case, case["second_x"])
    tried = "a second call, with other pictures"
    if not _is_one_of(result["second"], own):
        repeated = torch.equal(result["second"], result["maps"]) and _is_one_of(result["maps"], first)
        raise Wrong(
            tried=tried,
            got="the maps of the first call's pictures" if repeated else result["second"],
            expected=own["right"],
            because="something is kept from one call to the next: create the list inside the function"
            if repeated
            else "these maps follow none of the formulas known here: fix the maps first",
        )
    expect(
        isinstance(result["without_hooks"], torch.Tensor) and torch.equal(result["without_hooks"], result["second"]),
        tried="two calls, then a look at the hooks of every layer",
        got="hooks that are still registered",
        expected="none",
        because="a leaked hook runs in each later forward pass and keeps its output in memory: remove it by its handle",
    )


def _is_one_of(got: Any, known: dict[str, torch.Tensor]) -> bool:
    """Whether these are maps by one of the formulas; maps of zeros, which follow from nothing, are not."""
    got = got[:, 0] if isinstance(got, torch.Tensor) and got.ndim == 4 and got.shape[1] == 1 else got
    return isinstance(got, torch.Tensor) and any(
        got.shape == maps.shape
        and maps.abs().max() > 1e-3
        and torch.allclose(got.double(), maps.double(), rtol=1e-3, atol=1e-5)
        for maps in known.values()
    )
