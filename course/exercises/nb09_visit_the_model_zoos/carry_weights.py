"""A Keras kernel in PyTorch's order of axes, so that the layer computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course.judging import Exercise, Unusable, Wrong, expect, need

exercise = Exercise(
    "09-carry-weights",
    answer="keras_to_torch",
    call="keras_to_torch(weight, kind, flattened=None)",
    title="Convert Keras weights for PyTorch",
    withholds=("course.zoo.from_keras.torch_weight",),
    hints=(
        "Name every axis, first in Keras's order, then in PyTorch's. `permute(3, 2, 0, 1)` puts the old axis 3 first, "
        "then the old axis 2, and so on.",
        "A depthwise kernel (h, w, in, m) becomes (in, m, h, w) with `permute(2, 3, 0, 1)`. Then `reshape` may merge "
        "the first two axes, because they are neighbours in the right order.",
        "Behind a Flatten, split the first axis of the dense kernel into the three axes of the maps, (h, w, c, out); "
        "move them into PyTorch's order, (out, c, h, w); then merge the last three again.",
    ),
    idea="Conv2D and Conv2DTranspose: permute(3, 2, 0, 1). DepthwiseConv2D: permute(2, 3, 0, 1).reshape(in * m, 1, h, "
    "w). Dense: weight.T, and behind a Flatten of (h, w, c): weight.reshape(h, w, c, out).permute(3, 2, 0, "
    "1).reshape(out, c * h * w).",
)


@exercise.case
def convolutions(rng: torch.Generator) -> dict[str, Any]:
    """Kernels whose axes all differ in length, and some with as many inputs as outputs."""
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


@exercise.case
def behind_a_flatten(rng: torch.Generator) -> dict[str, Any]:
    """Dense kernels whose inputs are flattened maps, next to one whose inputs are not."""
    return {
        "kernels": [
            drawn_kernel(rng, "Dense", (24, 5), flattened=(2, 3, 4)),
            drawn_kernel(rng, "Dense", (8, 8), flattened=(2, 2, 2)),
            drawn_kernel(rng, "Dense", (12, 7)),
        ]
    }


def drawn_kernel(
    rng: torch.Generator, kind: str, shape: tuple[int, ...], *, flattened: tuple[int, int, int] | None = None
) -> dict[str, Any]:
    return {"kind": kind, "weight": torch.randn(shape, generator=rng), "flattened": flattened and list(flattened)}


@exercise.probe
def probe_keras_to_torch(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    weights = []
    for kernel in case["kernels"]:
        extra = (tuple(kernel["flattened"]),) if kernel["flattened"] else ()
        converted = answer(kernel["weight"].clone(), kernel["kind"], *extra)
        returned = need(converted, (torch.Tensor, np.ndarray), "the kernel as a tensor")
        weight = torch.as_tensor(returned).detach()
        if not weight.is_floating_point():
            raise Unusable("your answer returned integers; converting must not change the values")
        weights.append(weight.contiguous())
    return {"weights": weights}


def rearranged(weight: torch.Tensor, kind: str, flattened: list[int] | None = None) -> torch.Tensor:
    """The kernel as PyTorch stores it, by the definition of each axis."""
    if flattened:
        return torch.einsum("hwco->ochw", weight.reshape(*flattened, -1)).reshape(weight.shape[1], -1)
    if kind == "Dense":
        return torch.einsum("io->oi", weight)
    if kind == "Conv2D":
        return torch.einsum("hwio->oihw", weight)
    if kind == "Conv2DTranspose":
        return torch.einsum("hwoi->iohw", weight)
    return torch.einsum("hwim->imhw", weight).reshape(-1, 1, *weight.shape[:2])


def mistaken(weight: torch.Tensor, kind: str, flattened: list[int] | None = None) -> dict[str, torch.Tensor]:
    """Misconception -> the kernel that it gives."""
    right = rearranged(weight, kind, flattened)
    found = {
        "the kernel still has its axes in Keras's order": weight,
        "`reshape` and `view` change the shape and keep the order of the values in memory; `permute` moves "
        "axes": weight.reshape(right.shape),
    }
    if flattened:
        turned = torch.einsum("hwco->ocwh", weight.reshape(*flattened, -1)).reshape(right.shape)
        return found | {
            "the matrix is transposed, but its inputs are still counted in the order (h, w, c); PyTorch's "
            "Flatten counts "
            "them as (c, h, w)": weight.T,
            "height and width are swapped": turned,
        }
    if kind == "Dense":
        return found
    found |= {
        "height and width are swapped: every filter is mirrored at its diagonal": right.transpose(-1, -2),
        "the kernel was rotated; both libraries compute a cross-correlation, and nothing is flipped": right.flip(
            -1, -2
        ),
    }
    if kind == "DepthwiseConv2D":
        return found | {
            "this is the order of a plain convolution; a depthwise kernel has one input per output, and runs with "
            "`groups=in` in PyTorch": weight.permute(3, 2, 0, 1),
            "the order is right, but the shape has to be (in * m, 1, h, w)": weight.permute(2, 3, 0, 1),
            "the m maps of one input belong next to each other: input 0 with its m maps, then input 1": weight.permute(
                3, 2, 0, 1
            ).reshape(right.shape),
        }
    swapped = "inputs and outputs are swapped"
    if kind == "Conv2DTranspose":
        swapped = (
            "inputs and outputs are swapped: a transposed convolution is (h, w, out, in) in Keras and (in, out, h, "
            "w) in PyTorch"
        )
    return found | {swapped: right.transpose(0, 1)}


def judge_kernels(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every kernel has its axes in PyTorch's order."""
    expect(len(result["weights"]) == len(case["kernels"]), tried="counting", got=0, expected="one weight per kernel")
    for kernel, got in zip(case["kernels"], result["weights"], strict=True):
        weight, kind, flattened = kernel["weight"], kernel["kind"], kernel["flattened"]
        right = rearranged(weight, kind, flattened)
        if got.shape == right.shape and torch.allclose(got.double(), right.double(), atol=1e-6):
            continue
        because = next(
            (
                why
                for why, wrong in mistaken(weight, kind, flattened).items()
                if got.shape == wrong.shape and torch.allclose(got.double(), wrong.double(), atol=1e-6)
            ),
            "the shape is right, but the values are in other positions"
            if got.shape == right.shape and torch.equal(got.flatten().sort().values, weight.flatten().sort().values)
            else "the shape is right, but these are other values: converting moves them and changes none"
            if got.shape == right.shape
            else "the axes are not in PyTorch's order: compare the two shapes, axis by axis",
        )
        raise Wrong(
            tried=f"a {kind} kernel from Keras, {tuple(weight.shape)}"
            + (f", behind a Flatten of {tuple(flattened)}" if flattened else ""),
            got=f"{tuple(got.shape)}",
            expected=f"{tuple(right.shape)}, with every value where the layer computes the same",
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
    """A depthwise kernel becomes (in * m, 1, h, w), with the m maps of an input next to each other."""
    judge_kernels(case, result)


@exercise.judge(behind_a_flatten, points=1)
def dense_layers_behind_a_flatten(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A dense kernel behind a Flatten gets its inputs in the order (c, h, w)."""
    judge_kernels(case, result)
