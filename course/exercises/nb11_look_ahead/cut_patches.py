"""Pictures as sequences of patches: what an attention model reads instead of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course.judging import Exercise, Wrong, expect, expect_close, need

exercise = Exercise(
    "11-cut-patches",
    answer="patchify",
    call="patchify(x, size)",
    title="Cut a picture into patches",
    withholds=("torch.nn.functional.unfold",),
    hints=(
        "H is (H / size) rows of patches times `size` rows of pixels: split H and W in two each with a reshape, which "
        "gives six axes.",
        "Then bring them into the order (B, row of patches, column of patches, C, row of pixels, column of pixels): "
        "`permute`. A reshape alone never moves a number.",
        "x.reshape(B, C, H // size, size, W // size, size).permute(0, 2, 4, 1, 3, 5), flatten(1, 2), flatten(2).",
    ),
    idea="b, c, h, w = x.shape; x = x.reshape(b, c, h // size, size, w // size, size); "
    "return x.permute(0, 2, 4, 1, 3, 5).reshape(b, -1, c * size * size).",
)


@exercise.case
def square_pictures(rng: torch.Generator) -> dict[str, Any]:
    return pictures_case(rng, rows=3, columns=3)


@exercise.case
def one_row_of_patches(rng: torch.Generator) -> dict[str, Any]:
    return pictures_case(rng, rows=1, columns=4)


@exercise.case
def wide_pictures(rng: torch.Generator) -> dict[str, Any]:
    return pictures_case(rng, rows=2, columns=5)


def pictures_case(rng: torch.Generator, *, rows: int, columns: int, size: int = 4) -> dict[str, Any]:
    return {"x": torch.randn(2, 3, rows * size, columns * size, generator=rng), "size": size}


@exercise.probe
def probe_patchify(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    returned = answer(case["x"].clone(), case["size"])
    patches = need(returned, (torch.Tensor, np.ndarray), "the patches, a tensor (B, patches, C * size * size)")
    return {"patches": torch.as_tensor(patches).detach()}


def cut(x: torch.Tensor, size: int, order: tuple[int, ...] = (0, 2, 4, 1, 3, 5)) -> torch.Tensor:
    """The patches; another `order` of the axes (B, C, rows, size, columns, size) is a mistake."""
    b, c, h, w = x.shape
    axes = x.reshape(b, c, h // size, size, w // size, size)
    return axes.permute(order).reshape(b, -1, c * size * size)


RESHAPED = (
    "a reshape moves no number: each of these rows is a strip of pixels, not a square. Split the axes, then permute"
)


def mistakes_of(case: dict[str, Any]) -> dict[str, torch.Tensor]:
    x, size = case["x"], case["size"]
    expected = cut(x, size)
    return {
        RESHAPED: x.reshape(expected.shape),
        "these rows are strips along all rows: channels last, then reshaped, still moves no number between rows": (
            x.permute(0, 2, 3, 1).reshape(expected.shape)
        ),
        "the patches come column by column; read them as you read: row by row": cut(x, size, (0, 4, 2, 1, 3, 5)),
        "inside a patch the channels come last; a convolution's weights have them first": (
            cut(x, size, (0, 2, 4, 3, 5, 1))
        ),
        "inside a patch rows and columns are exchanged": cut(x, size, (0, 2, 4, 1, 5, 3)),
    }


def compare_patches(case: dict[str, Any], got: torch.Tensor) -> None:
    """Raise Wrong unless the patches are the picture's, number by number."""
    expected = cut(case["x"], case["size"])
    check_shape(case, got)
    expect_close(
        got,
        expected,
        tried=f"the patches of pictures {tuple(case['x'].shape)}, size {case['size']}",
        mistakes=mistakes_of(case),
        because="every number of a patch has its place: by channel, then row, then column",
    )


def check_shape(case: dict[str, Any], got: torch.Tensor) -> None:
    """Raise Wrong unless there is one row of numbers for every patch."""
    expected = cut(case["x"], case["size"])
    because = "one row for each patch, with every number of the patch in it: channels x size x size"
    if got.ndim == 3 and got.shape == expected.transpose(1, 2).shape:
        because = "patches and their numbers are exchanged (unfold gives them so): transpose(1, 2)"
    elif got.ndim > 3 and got.numel() == expected.numel():
        because = "one row of numbers for each patch: flatten the rows and columns of patches, and each patch"
    elif got.numel() > expected.numel():
        because = (
            "these are more numbers than the pictures have: patches don't overlap, one starts where the last one ends"
        )
    expect(
        got.shape == expected.shape,
        tried=f"the shape, for pictures {tuple(case['x'].shape)} and size {case['size']}",
        got=tuple(got.shape),
        expected=tuple(expected.shape),
        because=because,
    )


@exercise.judge(square_pictures, points=2)
def each_patch_is_a_square_of_the_picture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Row i holds the numbers of the i-th square of the picture, counted row by row."""
    got, expected = result["patches"], cut(case["x"], case["size"])
    check_shape(case, got)
    if not torch.allclose(got.double().sort(2).values, expected.double().sort(2).values, atol=1e-5):
        compare_patches(case, got)
        because = "row i holds the i-th square of the picture, whole"
        raise Wrong(tried="the numbers in each patch", got=got, expected=expected, because=because)


@exercise.judge(one_row_of_patches, points=1)
def as_the_weights_of_a_convolution(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Inside a patch: channel by channel, each row by row, so that one Linear on patches is a convolution."""
    compare_patches(case, result["patches"])


@exercise.judge(wide_pictures, points=1)
def pictures_that_are_not_square(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Pictures wider than high are cut row by row as well."""
    compare_patches(case, result["patches"])
