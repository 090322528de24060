"""A Keras kernel in PyTorch's order of axes, so that the layer computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course.judging import Exercise, Unusable, Wrong, expect, need

exercise = Exercise(
    "09-carry-weights",
    answer="keras_to_torch",
    call="keras_to_torch(weight, kind)",
    title="Carry a kernel from Keras to PyTorch",
    withholds=("course.zoo.from_keras.torch_weight",),
    hints=(
        "Write down what each axis is, in Keras and in PyTorch. `permute(3, 2, 0, 1)` puts the old axis 3 first.",
        "A transposed convolution's kernel is (h, w, out, in) in Keras and (in, out, h, w) in PyTorch; a Dense one is "
        "(in, out) and (out, in).",
        "A depthwise kernel (h, w, in, m) gives m maps for each input, those of one input beside each other: "
        "permute(2, 3, 0, 1) -> (in, m, h, w), then reshape to (in * m, 1, h, w).",
    ),
    idea="Conv2D and Conv2DTranspose: permute(3, 2, 0, 1). DepthwiseConv2D: permute(2, 3, 0, 1).reshape(in * m, 1, h, "
    "w). Dense: weight.T.",
)


@exercise.case
def convolutions(rng: torch.Generator) -> dict[str, Any]:
    """Kernels of which no two axes are equally long, and one whose inputs and outputs are as many."""
    kernels = [
        drawn_kernel(rng, "Conv2D", (3, 5, 4, 6)),
        drawn_kernel(rng, "Conv2D", (3, 3, 4, 4)),
        drawn_kernel(rng, "Dense", (7, 5)),
    ]
    return {"kernels": [*kernels, drawn_kernel(rng, "Dense", (6, 6))]}


@exercise.case
def transposed(rng: torch.Generator) -> dict[str, Any]:
    return {
        "kernels": [
            drawn_kernel(rng, "Conv2DTranspose", (2, 3, 4, 6)),
            drawn_kernel(rng, "Conv2DTranspose", (3, 3, 5, 5)),
        ]
    }


@exercise.case
def depthwise(rng: torch.Generator) -> dict[str, Any]:
    return {
        "kernels": [
            drawn_kernel(rng, "DepthwiseConv2D", (3, 5, 4, 1)),
            drawn_kernel(rng, "DepthwiseConv2D", (3, 3, 4, 2)),
        ]
    }


def drawn_kernel(rng: torch.Generator, kind: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"kind": kind, "weight": torch.randn(shape, generator=rng)}


@exercise.probe
def probe_keras_to_torch(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    weights = []
    for kernel in case["kernels"]:
        returned = need(
            answer(kernel["weight"].clone(), kernel["kind"]), (torch.Tensor, np.ndarray), "the kernel as a tensor"
        )
        weight = torch.as_tensor(returned).detach()
        if not weight.is_floating_point():
            raise Unusable("your answer returned whole numbers; a kernel keeps its values")
        weights.append(weight.contiguous())
    return {"weights": weights}


def rearranged(weight: torch.Tensor, kind: str) -> torch.Tensor:
    """The kernel as PyTorch keeps it, by the definition of each axis."""
    if kind == "Dense":
        return torch.einsum("io->oi", weight)
    if kind == "Conv2D":
        return torch.einsum("hwio->oihw", weight)
    if kind == "Conv2DTranspose":
        return torch.einsum("hwoi->iohw", weight)
    return torch.einsum("hwim->imhw", weight).reshape(-1, 1, *weight.shape[:2])


def mistaken(weight: torch.Tensor, kind: str) -> dict[str, torch.Tensor]:
    """Misconception -> the kernel that it gives."""
    right = rearranged(weight, kind)
    found = {
        "the kernel is as Keras keeps it; its axes must change places": weight,
        "`reshape` and `view` keep the order of the numbers; `permute` moves axes": weight.reshape(right.shape),
    }
    if kind == "Dense":
        return found
    found |= {
        "height and width changed places: every filter is mirrored at its diagonal": right.transpose(-1, -2),
        "the kernel was turned around; both libraries compute a correlation, and nothing is flipped": right.flip(
            -1, -2
        ),
    }
    if kind == "DepthwiseConv2D":
        return found | {
            "this is the order of a plain convolution; a depthwise kernel has one input for each output, and "
            "`groups=in` in PyTorch": weight.permute(3, 2, 0, 1),
            "axes 0 and 1 are right and the middle one is missing: (in * m, 1, h, w)": weight.permute(2, 3, 0, 1),
            "the m maps of one input belong beside each other: first input, then m": weight.permute(3, 2, 0, 1).reshape(
                right.shape
            ),
        }
    swapped = "inputs and outputs changed places"
    if kind == "Conv2DTranspose":
        swapped = (
            "inputs and outputs changed places: a transposed convolution is (h, w, out, in) in Keras and (in, out, h, "
            "w) in PyTorch"
        )
    return found | {swapped: right.transpose(0, 1)}


def judge_kernels(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every kernel has its axes in PyTorch's order."""
    expect(len(result["weights"]) == len(case["kernels"]), tried="counting", got=0, expected="one weight a kernel")
    for kernel, got in zip(case["kernels"], result["weights"], strict=True):
        weight, kind = kernel["weight"], kernel["kind"]
        right = rearranged(weight, kind)
        if got.shape == right.shape and torch.allclose(got.double(), right.double(), atol=1e-6):
            continue
        because = next(
            (
                why
                for why, wrong in mistaken(weight, kind).items()
                if got.shape == wrong.shape and torch.allclose(got.double(), wrong.double(), atol=1e-6)
            ),
            "the shape is right and the values stand elsewhere" if got.shape == right.shape else "the axes are others",
        )
        raise Wrong(
            tried=f"a {kind} kernel of Keras, {tuple(weight.shape)}",
            got=f"{tuple(got.shape)}",
            expected=f"{tuple(right.shape)}, the values where the layer computes the same",
            because=because,
        )


@exercise.judge(convolutions, points=2)
def plain_convolutions_and_dense_layers(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A convolution's kernel becomes (out, in, h, w), and a dense layer's (out, in)."""
    judge_kernels(case, result)


@exercise.judge(transposed, points=1)
def transposed_convolutions(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A transposed convolution's kernel becomes (in, out, h, w)."""
    judge_kernels(case, result)


@exercise.judge(depthwise, points=2)
def depthwise_convolutions(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A depthwise kernel becomes (in * m, 1, h, w), the m maps of an input beside each other."""
    judge_kernels(case, result)
