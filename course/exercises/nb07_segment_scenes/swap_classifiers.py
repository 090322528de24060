"""A segmentation model whose every classifier tells apart the new classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.exercises import small_segmenters
from course.judging import Exercise, Unusable, Wrong, expect, need

exercise = Exercise(
    "07-swap-classifiers",
    answer="swap_seg_head",
    call="swap_seg_head(model, n)",
    title="Swap every classifier",
    withholds=("course.applications.segmenter.replace_classifiers",),
    hints=(
        "Print the model. How many layers have one output per class? DeepLab has an auxiliary head beside its main "
        "one, and LR-ASPP adds the outputs of two.",
        "In DeepLab and FCN it is the last layer of `model.classifier` and, if it is not None, of "
        "`model.aux_classifier`: both are Sequential, so `head[-1]` reads and writes it.",
        "In LR-ASPP they are `model.classifier.low_classifier` and `model.classifier.high_classifier`. A new layer is "
        "`nn.Conv2d(old.in_channels, n, 1)`.",
    ),
    idea="For each last 1 x 1 convolution (classifier[-1], aux_classifier[-1] if there is one; or low_classifier and "
    "high_classifier) put nn.Conv2d(old.in_channels, n, 1) in its place; return the model.",
)


@exercise.case
def deeplab(rng: torch.Generator) -> dict[str, Any]:
    return swap_case("deeplab", rng)


@exercise.case
def lraspp(rng: torch.Generator) -> dict[str, Any]:
    return swap_case("lraspp", rng)


def swap_case(architecture: str, rng: torch.Generator, classes: int | None = None) -> dict[str, Any]:
    """A model with drawn weights, pictures (6, 3, 32, 32), and from 4 to 7 new classes unless given."""
    return {
        "architecture": architecture,
        "state": small_segmenters.drawn_state(architecture, rng),
        "x": torch.randn(6, 3, 32, 32, generator=rng),
        "classes": classes or int(torch.randint(4, 8, (), generator=rng)),
    }


@exercise.probe
def probe_swap_classifiers(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    works_for_21 = _works_for_21(answer, case)
    model = small_segmenters.restore(case["architecture"], case["state"])
    try:
        model = answer(model, case["classes"])
    except (LookupError, NameError, StopIteration, ValueError):  # nothing found, and then the first of it asked for
        if works_for_21:
            raise Unusable(BY_NUMBER) from None
        raise
    model = need(model, nn.Module, "the model")
    model.eval()
    layers = [part for part in model.modules() if isinstance(part, nn.Conv2d)]
    renamed = any(layer.out_channels != layer.weight.shape[0] for layer in layers)
    with torch.no_grad():
        try:
            outputs = need(model(case["x"]), dict, 'the model itself, which returns a dict with "out"')
        except RuntimeError as error:
            raise Unusable(
                f"after your function the model no longer runs: {error}. LR-ASPP adds the outputs of its low and its "
                "high classifier, so both must have n; a new layer takes as many channels as the old one"
            ) from error
    old = any(_channels(part) == small_segmenters.OLD_CLASSES != case["classes"] for part in outputs.values())
    return {"outputs": dict(outputs), "renamed": renamed, "by_number": old and works_for_21}


BY_NUMBER = (
    f"your code looks for layers with 21 outputs; this model has {small_segmenters.OLD_CLASSES}: go by the layer's "
    "position (classifier[-1], aux_classifier[-1], low_classifier, high_classifier)"
)


def _works_for_21(answer: Any, case: dict[str, Any]) -> bool:
    """True if the answer swaps every classifier of such a model with 21 classes, as the zoo's have."""
    try:
        with torch.no_grad():
            model = answer(small_segmenters.build(case["architecture"], classes=21), case["classes"])
            outputs = model.eval()(case["x"])
    except Exception:  # whatever is wrong is said of the model that is judged
        return False
    found = list(outputs.values()) if isinstance(outputs, dict) else []
    return bool(found) and all(_channels(part) == case["classes"] for part in found)


def _channels(output: Any) -> int:
    return output.shape[1] if isinstance(output, torch.Tensor) and output.ndim == 4 else 0


@exercise.judge(deeplab, points=2)
def the_main_classifier_gives_n(case: dict[str, Any], result: dict[str, Any]) -> None:
    """DeepLab's main output has n channels, from a new last layer; the layers before it are unchanged."""
    judge_output(case, result, "out")


@exercise.judge(deeplab, points=1)
def the_auxiliary_gives_n(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Its auxiliary output has n channels too, from a new last layer."""
    judge_output(case, result, "aux")


@exercise.judge(lraspp, points=2)
def both_classifiers_of_lraspp_give_n(case: dict[str, Any], result: dict[str, Any]) -> None:
    """LR-ASPP, which adds the outputs of two classifiers, has n channels."""
    judge_output(case, result, "out")


RULE = "each classifier ends in a new layer of n outputs, and the model returns what it returned before"
NAMES = {"deeplab": "DeepLab", "fcn": "FCN", "lraspp": "LR-ASPP"}


def judge_output(case: dict[str, Any], result: dict[str, Any], name: str) -> None:
    """Raise Wrong unless new last layers on otherwise unchanged layers explain this output."""
    n, x = case["classes"], case["x"]
    tried = f'out["{name}"] of a narrow {NAMES[case["architecture"]]} for {len(x)} pictures, n = {n}'
    got = result["outputs"].get(name) if isinstance(result["outputs"], dict) else None
    if not isinstance(got, torch.Tensor):
        because = "the auxiliary head was removed: its loss helps the deep layers to learn" if name == "aux" else RULE
        raise Wrong(tried=tried, got="no such output", expected=f"shape {(len(x), n, *x.shape[2:])}", because=because)
    _expect_channels(case, result, name, got, tried)
    seen = small_segmenters.inputs_of_last_layers(case["architecture"], case["state"], x)[name]
    varies = got.double().std((0, 2, 3))
    expect(
        bool((varies > 1e-7).all()),
        tried=f"{tried}: how much each channel varies over pixels",
        got=f"not at all in {int((varies <= 1e-7).sum())} of {n}",
        expected="in all of them",
        because="new weights are drawn at random, so each channel varies: zeros, or a ReLU behind them, hold one still",
    )
    expect(
        _unexplained(got, seen) < 1e-3,
        tried=f"{tried}, compared with the inputs of the last layers in the old model",
        got=f"{_unexplained(got, seen):.0%} of it can't be computed from them",
        expected="nothing but the last layers is new",
        because="one new linear layer stands behind the old ones: those are pretrained, and nothing follows it",
    )


def _expect_channels(case: dict[str, Any], result: dict[str, Any], name: str, got: torch.Tensor, tried: str) -> None:
    expected = (len(case["x"]), case["classes"], *case["x"].shape[2:])
    old = got.ndim == 4 and got.shape[1] == small_segmenters.OLD_CLASSES
    because = RULE
    if old and result["by_number"]:
        because = BY_NUMBER
    elif old and result["renamed"]:
        because = (
            "`out_channels = n` changes an attribute that the forward pass never reads; the weights stay as they were"
        )
    elif old and name == "aux":
        because = "the auxiliary classifier was forgotten: its outputs don't match the labels of its loss"
    elif old:
        because = "this classifier still has one output per old class"
    if old and case["architecture"] == "lraspp" and not result["by_number"]:
        because += ". LR-ASPP has two: low_classifier and high_classifier"
    elif got.ndim == 4 and got.shape[1] == case["classes"] + 1:
        because = "background is one of the n classes; don't add another"
    expect(tuple(got.shape) == expected, tried=tried, got=tuple(got.shape), expected=expected, because=because)


def _unexplained(got: torch.Tensor, seen: torch.Tensor) -> float:
    """The fraction of an output (B, n, H, W) that is not affine in (B, C, H, W), pixel by pixel; from 0 to 1."""
    target = got.double().movedim(1, -1).flatten(0, 2)  # (pixels, n)
    features = seen.double().movedim(1, -1).flatten(0, 2)
    features = torch.cat([features, torch.ones(len(features), 1, dtype=torch.float64)], 1)  # (pixels, C + 1)
    solution = torch.linalg.lstsq(features, target, driver="gelsd").solution
    left = (target - features @ solution).norm(dim=0) / (target - target.mean(0)).norm(dim=0)
    return float(left.max())
