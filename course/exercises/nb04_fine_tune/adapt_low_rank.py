"""A linear layer adapted by two low-rank factors, which can be merged into its weight."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.exercises.tensor_comparison import follows
from course.judging import Exercise, Wrong, expect, expect_close, need

exercise = Exercise(
    "04-adapt-low-rank",
    answer="LoRALinear",
    call="LoRALinear(base, r, alpha)",
    title="Write a LoRA layer",
    time_limit_s=30.0,
    withholds=("course.models.lora.LoRALinear",),
    hints=(
        "The layer computes base(x) + alpha / r * B(A(x)). A maps the inputs to r values, B maps these to the outputs.",
        "At the start the update must be zero, and yet it must be able to learn. What is the gradient of A if B is "
        "zero? And the gradient of B?",
        "Start with A random and B zero. The update of the weight is alpha / r * B @ A, of shape (out, in), the shape "
        "in which nn.Linear stores its weight.",
    ),
    idea="base frozen; self.A = nn.Parameter(torch.randn(r, in) / in**0.5); "
    "self.B = nn.Parameter(torch.zeros(out, r)); forward: base(x) + alpha / r * x @ A.T @ B.T; "
    "merged: a Linear with weight base.weight + alpha / r * B @ A.",
)

LORA_STEPS, LORA_RATE = 4, 0.1


@exercise.case
def with_bias(rng: torch.Generator) -> dict[str, Any]:
    return lora_case(rng)


def lora_case(
    rng: torch.Generator,
    *,
    inputs: int = 12,
    outputs: int = 7,
    r: int = 3,
    bias: bool = True,
    extra: tuple[int, ...] = (),
) -> dict[str, Any]:
    return {
        "weight": torch.randn(outputs, inputs, generator=rng) / 3,
        "bias": torch.randn(outputs, generator=rng) if bias else None,
        "r": r,
        "alpha": float(torch.randint(5, 10, (), generator=rng)),  # never r, so that alpha / r is not 1
        "x": torch.randn(16, *extra, inputs, generator=rng),
        "target": torch.randn(16, *extra, outputs, generator=rng),
    }


def _base(case: dict[str, Any]) -> nn.Linear:
    outputs, inputs = case["weight"].shape
    base = nn.Linear(inputs, outputs, bias=case["bias"] is not None)
    with torch.no_grad():
        base.weight.copy_(case["weight"])
        if case["bias"] is not None:
            base.bias.copy_(case["bias"])
    return base


@exercise.probe
def probe_lora(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    base = _base(case)
    layer = need(answer(base, case["r"], case["alpha"]), nn.Module, "an nn.Module: LoRALinear is a class")
    start = need(layer(case["x"]), torch.Tensor, "a tensor from forward").detach().clone()
    factors = [parameter for parameter in layer.parameters() if parameter.requires_grad]
    before = [parameter.detach().clone() for parameter in factors]
    optimizer = torch.optim.SGD(factors or [nn.Parameter(torch.zeros(1))], lr=LORA_RATE)
    for _ in range(LORA_STEPS if factors else 0):
        optimizer.zero_grad()
        (layer(case["x"]) - case["target"]).square().mean().backward()
        optimizer.step()
    after = [parameter.detach().clone() for parameter in factors]
    weight = base.weight.detach().clone()
    end = layer(case["x"]).detach().clone()
    merged = need(layer.merged(), nn.Linear, "one nn.Linear from merged()")
    return {
        "start": start,
        "end": end,
        "before": before,
        "after": after,
        "base": weight,
        "merged": {"weight": merged.weight, "bias": merged.bias},
    }


def _oriented(case: dict[str, Any], tensors: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """(A, B) of shapes (r, in) and (out, r) among the trainable tensors. Raises Wrong if they are others."""
    outputs, inputs = case["weight"].shape
    r = case["r"]
    down = [t if t.shape == (r, inputs) else t.T for t in tensors if t.shape in ((r, inputs), (inputs, r))]
    up = [t if t.shape == (outputs, r) else t.T for t in tensors if t.shape in ((outputs, r), (r, outputs))]
    if len(down) != 1 or len(up) != 1 or len(tensors) != 2:
        trainable = sum(t.numel() for t in tensors)
        raise Wrong(
            tried=f"a Linear({inputs}, {outputs}) with r={r}: reading what is trainable",
            got=f"{trainable} parameters in {len(tensors)} tensors: {', '.join(str(list(t.shape)) for t in tensors)}",
            expected=f"two factors with {r * (inputs + outputs)} parameters together",
            because="the base is trainable too: freeze it"
            if any(t.shape == (outputs, inputs) for t in tensors)
            else "the trainable part is two factors, A and B, each an nn.Parameter (or a Linear) of the layer",
        )
    return down[0], up[0]


def _output(case: dict[str, Any], down: torch.Tensor, up: torch.Tensor, scale: float) -> torch.Tensor:
    return nn.functional.linear(case["x"], case["weight"] + scale * up @ down, case["bias"])


def _expect_learning(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the factors are where SGD leads a layer with the scale that this one has, right or wrong."""
    before, after = _oriented(case, result["before"]), _oriented(case, result["after"])
    for on_base in (1.0, 0.0):
        path = _learned(case, before, _measured_scale(case, result, on_base), on_base)
        pairs = zip(after, path, before, strict=True)
        if all((p != b).any() and follows(a, p, b) for a, p, b in pairs):
            return
    raise Wrong(
        tried=f"following the two factors for {LORA_STEPS} steps of SGD",
        got="they did not move"
        if all(map(torch.equal, after, before))
        else "they moved elsewhere than the gradients of base(x) + scale * B A x lead, whatever the scale",
        expected="both factors learn from these inputs and targets",
        because="" if any(part.any() for part in before) else "both factors start at zero, so neither has a gradient",
    )


def _measured_scale(case: dict[str, Any], result: dict[str, Any], on_base: float) -> float:
    """The factor with which the trained layer adds B A x, by least squares; 0 if it can't be measured."""
    down, up = _oriented(case, result["after"])
    update = case["x"] @ (up @ down).T
    base = on_base * nn.functional.linear(case["x"], case["weight"], case["bias"])
    if result["end"].shape != update.shape or not update.any():
        return 0.0
    return float(((result["end"] - base) * update).sum() / update.square().sum())


def _learned(
    case: dict[str, Any], factors: tuple[torch.Tensor, torch.Tensor], scale: float, on_base: float
) -> list[torch.Tensor]:
    """(A, B) after the steps, of a layer that adds scale B A x to its base (or does not, `on_base` 0)."""
    down, up = (factor.clone().requires_grad_() for factor in factors)
    optimizer = torch.optim.SGD([down, up], lr=LORA_RATE)
    base = on_base * nn.functional.linear(case["x"], case["weight"], case["bias"])
    for _ in range(LORA_STEPS):
        optimizer.zero_grad()
        (base + scale * case["x"] @ down.T @ up.T - case["target"]).square().mean().backward()
        optimizer.step()
    return [down.detach(), up.detach()]


@exercise.judge(with_bias, points=1)
def the_start_changes_nothing(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Before the first step the layer computes what its base computes."""
    expected = nn.functional.linear(case["x"], case["weight"], case["bias"])
    factors = [part for part in result["before"] if part.ndim == 2 and case["r"] in part.shape]
    because = ""
    if len(factors) == 2 and all(part.any() for part in factors):
        because = "neither factor starts at zero, so the pretrained layer is disturbed before anything is learned"
    elif result["start"].shape == expected.shape and not result["start"].any():
        because = "the output is zero, so the update is not added to what the base computes"
    expect(
        result["start"].shape == expected.shape and torch.allclose(result["start"], expected, rtol=1e-4, atol=1e-5),
        tried="a new LoRALinear on a batch",
        got="an output that differs from base(x)",
        expected="the output of base(x)",
        because=because,
    )
    if any(part.any() for part in _oriented(case, result["before"])):  # two zeros can't learn: that counts elsewhere
        _expect_learning(case, result)


@exercise.judge(with_bias, points=2)
def both_factors_learn(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Both factors have moved after four steps, and the base has not."""
    before, after = _oriented(case, result["before"]), _oriented(case, result["after"])
    moved = [not torch.equal(b, a) for b, a in zip(before, after, strict=True)]
    zero = not any(part.any() for part in before)
    expect(
        all(moved),
        tried=f"{LORA_STEPS} steps of SGD",
        got=f"{sum(moved)} of the 2 factors moved",
        expected="both",
        because="both factors start at zero, and the gradient of each is a product with the other, so both stay zero"
        if zero
        else "",
    )
    expect(
        torch.equal(result["base"], case["weight"]),
        tried="comparing the base's weight before and after the steps",
        got="it changed",
        expected="the same weight",
        because="the base must stay frozen",
    )
    _expect_learning(case, result)


@exercise.judge(with_bias, points=2)
def the_update_is_scaled(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The trained layer computes base(x) + alpha / r * B A x."""
    down, up = _oriented(case, result["after"])
    alpha, r = case["alpha"], case["r"]
    expect_close(
        result["end"],
        _output(case, down, up, alpha / r),
        tried=f"the layer after training, r={r}, alpha={alpha:g}",
        rtol=1e-3,
        atol=1e-4,
        mistakes={
            "alpha / r is missing: the update is added without a scale": _output(case, down, up, 1.0),
            "the update is scaled by alpha, not by alpha / r": _output(case, down, up, alpha),
            "the update is scaled by r / alpha, the inverse of alpha / r": _output(case, down, up, r / alpha),
            "the update is scaled by alpha / sqrt(r), as in rsLoRA; the formula here is alpha / r": _output(
                case, down, up, alpha / r**0.5
            ),
            "this is the update alone: it is not added to what the base computes": case["x"]
            @ (alpha / r * up @ down).T,
            "this is the base alone: the update is not added to what the base computes": _output(case, down, up, 0.0),
        },
    )
    _expect_learning(case, result)


@exercise.judge(with_bias, points=1)
def merging_is_exact(case: dict[str, Any], result: dict[str, Any]) -> None:
    """merged() is one Linear that computes what the trained layer computes."""
    down, up = _oriented(case, result["after"])
    weight, bias = result["merged"]["weight"], result["merged"]["bias"]
    update = up @ down
    expect_close(
        weight,
        case["weight"] + case["alpha"] / case["r"] * update,
        tried="the weight of merged()",
        rtol=1e-4,
        atol=1e-5,
        mistakes={
            "the update is merged without alpha / r": case["weight"] + update,
            "the update is merged with alpha, not with alpha / r": case["weight"] + case["alpha"] * update,
            "the update is merged with r / alpha, the inverse": case["weight"] + case["r"] / case["alpha"] * update,
            "the update is merged with alpha / sqrt(r), as in rsLoRA": case["weight"]
            + case["alpha"] / case["r"] ** 0.5 * update,
            "this is the base's weight: the update was not merged": case["weight"],
            "this is the update: the base's weight was lost": case["alpha"] / case["r"] * update,
        },
    )
    if case["bias"] is None:
        because = "the base has no bias, and the update adds none"
        expect(bias is None or not bias.any(), tried="the bias of merged()", got=bias, expected="none", because=because)
    else:
        expect_close(bias, case["bias"], tried="the bias of merged()", mistakes={"the bias was lost": None})
    _expect_learning(case, result)
