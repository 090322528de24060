"""A linear layer with 8-bit weights: one scale per output, rounded to nearest, and nothing else stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from course.judging import Exercise, Wrong, expect, expect_close, need

exercise = Exercise(
    "10-quantize-a-layer",
    answer="Int8Linear",
    call="Int8Linear(linear)",
    title="A linear layer in 8 bits",
    hints=(
        "A row's scale is its largest magnitude divided by 127. The stored integers are the weights divided by the "
        "scale of their row, rounded. Which shape must the scale have so that each row is divided by its own?",
        "`tensor.to(torch.int8)` cuts the fraction off, so round first. A row of zeros has a scale of zero, and zero "
        "divided by zero is NaN, which no integer can stand for: give such a row any positive scale.",
        "What a module saves is its parameters and buffers: `self.register_buffer(name, tensor)`. In `forward`, turn "
        "the integers back into floats: `self.codes.float() * self.scale`.",
    ),
    idea="weight = linear.weight.detach(); scale = weight.abs().amax(1, keepdim=True) / 127, with 1 where it is 0; "
    "buffers: codes = (weight / scale).round().to(torch.int8), scale, and a copy of the bias; forward: "
    "F.linear(x, codes.float() * scale, bias).",
)


@exercise.case
def rows_of_different_size(rng: torch.Generator) -> dict[str, Any]:
    return layer_case(rng)


@exercise.case
def a_row_of_zeros(rng: torch.Generator) -> dict[str, Any]:
    return layer_case(rng, zero_row=True)


def layer_case(
    rng: torch.Generator,
    *,
    inputs: int = 11,
    outputs: int = 6,
    bias: bool = True,
    zero_row: bool = False,
    extra: tuple[int, ...] = (),
) -> dict[str, Any]:
    """A layer whose rows differ in size, without weights that are exactly between two integers."""
    while True:
        sizes = torch.logspace(-1.5, 0.5, outputs)[torch.randperm(outputs, generator=rng)]
        weight = torch.randn(outputs, inputs, generator=rng) * sizes[:, None]
        if zero_row:
            weight[int(torch.randint(outputs, (), generator=rng))] = 0
        scaled = weight / _scale(weight)
        if ((scaled - scaled.floor() - 0.5).abs() > 2e-3).all():
            return {
                "weight": weight,
                "bias": torch.randn(outputs, generator=rng) if bias else None,
                "x": torch.randn(8, *extra, inputs, generator=rng),
            }


def _scale(weight: torch.Tensor) -> torch.Tensor:
    """(outputs, 1): the largest magnitude of each row / 127, or 1 for a row of zeros."""
    scale = weight.abs().amax(1, keepdim=True) / 127
    return torch.where(scale > 0, scale, torch.ones_like(scale))


def _codes(weight: torch.Tensor) -> torch.Tensor:
    return (weight / _scale(weight)).round()


def _affine(weight: torch.Tensor) -> torch.Tensor:
    low, high = weight.amin(1, keepdim=True), weight.amax(1, keepdim=True)
    step = ((high - low) / 255).clamp_min(1e-12)
    return ((weight - low) / step).round() * step + low


def _with_one_scale(scale: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    def restored(weight: torch.Tensor) -> torch.Tensor:
        step = scale(weight).clamp_min(1e-12)
        return (weight / step).round().clamp(-128, 127) * step

    return restored


def _wrapped(weight: torch.Tensor) -> torch.Tensor:
    """With 128 instead of 127, the largest weight of a row becomes 128, which int8 stores as -128."""
    step = _scale(weight) * 127 / 128
    codes = (weight / step).round()
    return torch.where(codes > 127, codes - 256, codes) * step


# What is wrong -> the weights that the layer then computes with.
MISTAKES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "one scale for the whole matrix: rows of small weights lose most of their digits. Give each row its own": (
        _with_one_scale(lambda weight: weight.abs().max() / 127)
    ),
    "one scale per input instead of one per output: take the largest magnitude over dimension 1": (
        _with_one_scale(lambda weight: weight.abs().amax(0, keepdim=True) / 127)
    ),
    "the fractions were cut off: call `.round()` before `.to(torch.int8)`": lambda weight: (
        (weight / _scale(weight)).trunc() * _scale(weight)
    ),
    "rounded down: `.floor()` makes all weights smaller; round to the nearest integer": lambda weight: (
        (weight / _scale(weight)).floor() * _scale(weight)
    ),
    "divided by 128: the largest weight becomes 128, which int8 can't hold and turns into -128": _wrapped,
    "the range runs from the smallest to the largest weight of a row (affine); the task asks for a symmetric one": (
        _affine
    ),
    "the largest weight of a row, not its largest magnitude: negative weights beyond it are cut off": (
        _with_one_scale(lambda weight: weight.amax(1, keepdim=True) / 127)
    ),
    "only 7 bits are used: the largest magnitude should become 127": _with_one_scale(
        lambda weight: _scale(weight) * 127 / 63
    ),
    "these are the integers themselves: multiply them by the scale": _codes,
    "these are the float weights: the layer should compute with the rounded ones": lambda weight: weight,
}


@exercise.probe
def probe_layer(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    outputs, inputs = case["weight"].shape
    linear = nn.Linear(inputs, outputs, bias=case["bias"] is not None)
    with torch.no_grad():
        linear.weight.copy_(case["weight"])
        if case["bias"] is not None:
            linear.bias.copy_(case["bias"])
    layer = need(answer(linear), nn.Module, "an nn.Module: Int8Linear is a class")
    output = need(layer(case["x"].clone()), torch.Tensor, "a tensor from forward").detach().clone()
    stored = [{"name": name, "value": value.detach().clone()} for name, value in layer.state_dict().items()]
    base = {name: value.detach().clone() for name, value in linear.state_dict().items()}
    return {"output": output, "stored": stored, "base": base}


def _output(case: dict[str, Any], weight: torch.Tensor) -> torch.Tensor:
    return nn.functional.linear(case["x"], weight, case["bias"])


@exercise.judge(rows_of_different_size, points=2)
def outputs_of_the_rounded_weights(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The layer computes with weights rounded to 127 steps of each row's own scale on either side of zero."""
    judge_outputs(case, result)


def judge_outputs(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the outputs are those of the rounded weights, naming what they are instead."""
    weight, got = case["weight"], result["output"]
    expected = _output(case, _codes(weight) * _scale(weight))
    tried = f"a layer with {weight.shape[1]} inputs and {weight.shape[0]} outputs, x of shape {tuple(case['x'].shape)}"
    because = "the last dimension of x holds the inputs, whatever dimensions come before it"
    expect(
        got.shape == expected.shape, tried=tried, got=tuple(got.shape), expected=tuple(expected.shape), because=because
    )
    mistakes = {because: _output(case, wrong(weight)) for because, wrong in MISTAKES.items()}
    if case["bias"] is not None:
        mistakes["the bias is missing"] = expected - case["bias"]
    nan = bool(got.isnan().any())
    because = (
        "NaN comes from 0 / 0, inf - inf or 0 * inf: look for the first tensor that has it"
        if nan
        else "the output is x times round(weight / scale) * scale, row by row, and the bias"
    )
    expect_close(got, expected, tried=tried, rtol=1e-4, atol=1e-5, mistakes=mistakes, because=because)


@exercise.judge(rows_of_different_size, points=2)
def eight_bits_are_stored(case: dict[str, Any], result: dict[str, Any]) -> None:
    """What the layer saves is the weights as int8, one scale per row, and the bias."""
    judge_storage(case, result)


def judge_storage(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the state holds the right int8 weights, and few other numbers."""
    weight, stored = case["weight"], {part["name"]: part["value"] for part in result["stored"]}
    tried = "reading the layer's state_dict()"
    of_int8 = [value for value in stored.values() if value.dtype == torch.int8]
    expect(
        bool(stored),
        tried=tried,
        got="nothing",
        expected="the int8 weights, the scales and the bias",
        because="a plain attribute is not saved with the model: use `self.register_buffer(name, tensor)`",
    )
    expect(
        [value.shape for value in of_int8] == [weight.shape],
        tried=tried,
        got=", ".join(f"{name} {str(value.dtype)[6:]} {list(value.shape)}" for name, value in stored.items()),
        expected=f"one tensor of int8, {list(weight.shape)}",
        because="the integers have the shape of the weights, and no other tensor is int8"
        if of_int8
        else "the weights are to be stored with the dtype torch.int8",
    )
    others = sum(value.numel() for value in stored.values() if value.dtype != torch.int8)
    allowed = len(weight) * (1 if case["bias"] is None else 2)
    expect(
        others == allowed,
        tried=tried,
        got=f"{others} numbers besides the int8 weights",
        expected=f"{allowed}: a scale per row{'' if case['bias'] is None else ', and the bias'}",
        because="a plain attribute is not saved with the model: use `self.register_buffer(name, tensor)`"
        if others < allowed
        else "a float tensor as large as the weights is stored, so the layer has grown"
        if any(value.dtype.is_floating_point and value.shape == weight.shape for value in stored.values())
        else "one scale per row and the bias are all that is needed beside the integers",
    )
    codes, expected = of_int8[0].double(), _codes(weight).double()
    if torch.equal(codes, expected):
        return
    row = int((codes != expected).any(1).nonzero()[0])
    raise Wrong(
        tried=f"reading the integers of row {row}",
        got=of_int8[0][row],
        expected=expected[row].to(torch.int8),
        because="the integers are round(weight / scale), with the row's largest magnitude at 127 or -127",
    )


@exercise.judge(a_row_of_zeros, points=1)
def zeros_stay_zeros(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A row of zeros gives the bias alone, and the other rows are right beside it."""
    row = int((case["weight"] == 0).all(1).nonzero()[0])
    nan = result["output"].isnan()
    in_this_row_alone = nan.shape[-1] == len(case["weight"]) and not bool(
        nan[..., torch.arange(len(case["weight"])) != row].any()
    )
    expect(
        not bool(nan.any()),
        tried=f"a layer whose row {row} is all zeros",
        got="NaN in the output",
        expected="the bias alone in that output",
        because="zero divided by zero is NaN: a row of zeros needs a scale above zero"
        if in_this_row_alone
        else "there are NaN in the outputs of other rows too",
    )
    judge_outputs(case, result)


@exercise.judge(rows_of_different_size, points=1)
def the_original_is_unchanged(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The layer that was passed still has its float weights, and the new one computes nearly the same."""
    base = result["base"]
    got = base.get("weight")
    expect(
        isinstance(got, torch.Tensor) and torch.equal(got, case["weight"]),
        tried="comparing the original layer's weights around the call",
        got="they changed",
        expected="as they were",
        because="the weights were changed in place: compute with `linear.weight.detach().clone()`",
    )
    exact = _output(case, case["weight"])
    expect(
        result["output"].shape != exact.shape or not torch.allclose(result["output"], exact, rtol=1e-5, atol=1e-6),
        tried="comparing the outputs with the original layer's",
        got="the same",
        expected="differences of up to half a step per weight",
        because="these are the float weights: nothing was rounded, so this can't be judged yet",
    )
    limit = (case["x"].abs().sum(-1, keepdim=True) * _scale(case["weight"]).flatten()) * 0.51 + 1e-5
    expect(
        result["output"].shape == exact.shape and bool(((result["output"] - exact).abs() <= limit).all()),
        tried="comparing the outputs with the original layer's",
        got="differences above half a step per weight",
        expected="half a step per weight at most",
        because="rounding to the nearest integer changes a weight by half a step at most: fix the outputs first",
    )
