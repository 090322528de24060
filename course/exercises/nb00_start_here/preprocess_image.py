"""The transform that gives a model images as its weights saw them in pretraining."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from course.judging import Exercise, Wrong, expect, expect_close, need

RESIZED, CROPPED = 256, 224  # pixels, as EfficientNet-Lite0's weights want them
ROUNDING = 0.012  # on average, between two right ways to cut a picture in [-1, 1]; another filter is 0.016 away

exercise = Exercise(
    "00-preprocess-image",
    answer="preprocess",
    call="preprocess(image)",
    title="Give the model what it was trained on",
    withholds=("course.models.image_transform",),
    hints=(
        "Convert the image to RGB first: a greyscale image has one channel, and the model expects three. Then four "
        "steps in a fixed order: resize the shorter side, crop the centre, make a float tensor, normalise.",
        "torchvision.transforms has Resize, CenterCrop, ToTensor, Normalize and Compose. Resize(256) with a single "
        "number keeps the proportions; Resize((256, 256)) doesn't. Look up which interpolation Resize uses by default.",
        'image.convert("RGB"); Resize(256, interpolation=InterpolationMode.BICUBIC); CenterCrop(224); ToTensor(), '
        "which also divides by 255; Normalize([0.5] * 3, [0.5] * 3).",
    ),
    idea="Compose([Resize(256, interpolation=InterpolationMode.BICUBIC), CenterCrop(224), ToTensor(), "
    'Normalize([0.5] * 3, [0.5] * 3)])(image.convert("RGB")).',
)


@exercise.case
def plain_colour(rng: torch.Generator) -> dict[str, Any]:
    colour = torch.tensor([230, 120, 30]) + torch.randint(-25, 26, (3,), generator=rng)
    return {"pixels": colour.to(torch.uint8).expand(180, 240, 3).clone()}


@exercise.case
def greyscale(rng: torch.Generator) -> dict[str, Any]:
    return {"pixels": drawn_pixels(rng, 260, 300)[..., 0].clone()}


@exercise.case
def wide_picture(rng: torch.Generator) -> dict[str, Any]:
    return {"pixels": drawn_pixels(rng, 200, 320)}


def drawn_pixels(rng: torch.Generator, height: int, width: int) -> torch.Tensor:
    """(height, width, 3) uint8: soft patches of colour under a fine grain, so that every crop and every filter "
    "shows."""
    patches = torch.rand(1, 3, 6, 8, generator=rng) * 160 + 45
    soft = nn.functional.interpolate(patches, (height, width), mode="bilinear")[0].permute(1, 2, 0)
    grain = torch.randn(height, width, 1, generator=rng) * 20
    return (soft + grain).clamp(0, 255).to(torch.uint8)


@exercise.probe
def probe_preprocess(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    image = Image.fromarray(np.asarray(case["pixels"]))
    return {"x": need(answer(image), torch.Tensor, "a float tensor (3, 224, 224)")}


@exercise.judge(wide_picture, points=1)
def a_float_tensor_of_the_right_shape(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A wide image becomes one float32 tensor of shape (3, 224, 224)."""
    got, expected = tuple(result["x"].shape), (3, CROPPED, CROPPED)
    tried = "your function on an image of 200 x 320 pixels"
    expect(got == expected, tried=tried, got=got, expected=expected, because=_why_this_shape(got))
    dtype = str(result["x"].dtype).removeprefix("torch.")
    because = "the model computes in float32, and integers can't be normalised"
    expect(dtype == "float32", tried=tried, got=dtype, expected="float32", because=because)
    likeness = max(_likeness(result["x"], cut) for cut in [reference_cut(case["pixels"]), *_other_cuts(case["pixels"])])
    expect(
        likeness > 0.9,
        tried=f"{tried}: its brightness compared with that of the image",
        got=f"a correlation of {likeness:.2f}",
        expected="above 0.90",
        because="the shape is right, but the tensor doesn't show the central part of this image",
    )


def _why_this_shape(shape: tuple[int, ...]) -> str:
    return {
        (CROPPED, CROPPED, 3): "PIL and NumPy put the channels last, PyTorch's convolutions expect them first",
        (1, 3, CROPPED, CROPPED): "return a single image; the batch axis is added when several are stacked",
    }.get(shape, "resize the shorter side to 256, then crop the central 224 x 224 pixels")


def _likeness(x: torch.Tensor, cut: torch.Tensor) -> float:
    """The correlation of two pictures in grey, however each is normalised; 0 where one of them is constant."""
    grey, other = (picture.double().mean(0).flatten() for picture in (x, cut))
    grey, other = grey - grey.mean(), other - other.mean()
    return float(grey @ other / (grey.norm() * other.norm()).clamp_min(1e-9))


@exercise.judge(plain_colour, points=2)
def numbers_as_in_pretraining(case: dict[str, Any], result: dict[str, Any]) -> None:
    """An image of a single colour becomes that colour's red, green and blue, between -1 and 1."""
    x, shape = result["x"].double(), tuple(result["x"].shape)
    expect(
        len(shape) == 3 and shape[0] == 3,
        tried="an image of a single colour",
        got=f"the shape {shape}",
        expected="(3, 224, 224)",
        because=_why_this_shape(shape),
    )
    scaled = case["pixels"][0, 0].double() / 255  # (3,) in [0, 1]
    expected = (scaled - 0.5) / 0.5
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    mistakes = {
        "nothing was normalised: these values lie between 0 and 1, and the weights saw -1 to 1": scaled,
        "these are the pixel values from 0 to 255: divide by 255, then normalise": scaled * 255,
        "normalised, but the pixel values were not divided by 255 before": (scaled * 255 - 0.5) / 0.5,
        "red and blue are swapped: OpenCV reads BGR, PIL and these weights use RGB": expected.flip(0),
        "red and blue are swapped, and nothing was normalised": scaled.flip(0),
        "the mean was subtracted, the division by the standard deviation 0.5 is missing": scaled - 0.5,
        "these are ResNet's mean and standard deviation; every set of weights has its own": (scaled - mean) / std,
    }
    tried = f"an image of the single colour {case['pixels'][0, 0].tolist()}: the mean of each channel"
    because = "this is not (colour / 255 - 0.5) / 0.5: do the steps one by one, and look at the values after each"
    expect_close(x.mean((1, 2)), expected, tried=tried, atol=0.005, rtol=0.01, mistakes=mistakes, because=because)


@exercise.judge(wide_picture, points=1)
def the_middle_of_the_picture(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The centre of the image is cropped, after a resize that keeps the proportions."""
    judge_cut(case["pixels"], result["x"])


@exercise.judge(greyscale, points=1)
def greyscale_gets_three_channels(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A greyscale image becomes a tensor with three channels, prepared like any other image."""
    shape = tuple(result["x"].shape)
    expect(
        shape == (3, CROPPED, CROPPED),
        tried="a greyscale image (PIL mode L) of 260 x 300 pixels",
        got=f"the shape {shape}",
        expected=(3, CROPPED, CROPPED),
        because="the model's first layer takes three channels, whatever the file holds: convert to RGB first",
    )
    judge_cut(case["pixels"][..., None].expand(-1, -1, 3), result["x"])


def reference_cut(pixels: torch.Tensor, size: Any = RESIZED, filtered: str = "bicubic") -> torch.Tensor:
    """The centre of the image, resized to `size` before, as the weights' own transform gives it, in [-1, 1]."""
    from torchvision.transforms import InterpolationMode, Resize
    from torchvision.transforms.functional import center_crop, to_tensor

    resized = Resize(size, interpolation=InterpolationMode(filtered))(Image.fromarray(np.asarray(pixels)))
    return to_tensor(center_crop(resized, [CROPPED, CROPPED])) * 2 - 1


def _other_cuts(pixels: torch.Tensor) -> list[torch.Tensor]:
    return [cut(pixels) for cut in CUTS.values()]


def _corner(pixels: torch.Tensor) -> torch.Tensor:
    from torchvision.transforms import InterpolationMode, Resize
    from torchvision.transforms.functional import crop, to_tensor

    resized = Resize(RESIZED, interpolation=InterpolationMode.BICUBIC)(Image.fromarray(np.asarray(pixels)))
    return to_tensor(crop(resized, 0, 0, CROPPED, CROPPED)) * 2 - 1


CUTS = {
    "the image was squashed: Resize((h, w)) changes its proportions, Resize(256) keeps them": (
        lambda pixels: reference_cut(pixels, (CROPPED, CROPPED))
    ),
    "the image was squashed to 256 x 256: Resize(256), with a single number, keeps the proportions": (
        lambda pixels: reference_cut(pixels, (RESIZED, RESIZED))
    ),
    "the shorter side was resized to 224: these weights saw images resized to 256, with the border cropped": (
        lambda pixels: reference_cut(pixels, CROPPED)
    ),
    "a corner was cropped, not the centre": _corner,
    "the image was mirrored: that is for training alone, where the next epoch sees it the right way round": (
        lambda pixels: reference_cut(pixels).flip(2)
    ),
    "another interpolation: these weights expect bicubic, and Resize is bilinear by default": (
        lambda pixels: reference_cut(pixels, filtered="bilinear")
    ),
    "another interpolation: these weights expect bicubic, not the nearest pixel": (
        lambda pixels: reference_cut(pixels, filtered="nearest")
    ),
}


def judge_cut(pixels: torch.Tensor, x: torch.Tensor) -> None:
    """Raise Wrong unless `x` shows the part of the image that the weights' own transform crops.

    The range of the values and the order of the channels are left to the judge of the single colour.
    """
    tried = (
        f"an image of {pixels.shape[0]} x {pixels.shape[1]} pixels: the mean distance to the weights' own transform, "
        "after each channel is brought to the same mean and contrast"
    )
    reference, shape = reference_cut(pixels), tuple(x.shape)
    if x.shape != reference.shape:
        expected = tuple(reference.shape)
        raise Wrong(tried=tried, got=f"the shape {shape}", expected=expected, because=_why_this_shape(shape))
    distance = _distance(x, reference)
    if distance < ROUNDING:
        return
    distances = {mistake: _distance(x, cut(pixels)) for mistake, cut in CUTS.items()}
    nearest = min(distances, key=lambda mistake: distances[mistake])
    because = nearest if distances[nearest] < ROUNDING else "this is another part of the image, or another size of it"
    raise Wrong(tried=tried, got=f"{distance:.3f}", expected=f"below {ROUNDING} (rounding)", because=because)


def _distance(x: torch.Tensor, cut: torch.Tensor) -> float:
    """The mean distance to the cut, however `x` is normalised, and with red and blue swapped if that is nearer.

    Each channel of `x` goes through the line (of a slope above 0) that brings it nearest by least squares.
    """
    return min(_distance_in_order(x, cut), _distance_in_order(x.flip(0), cut))


def _distance_in_order(x: torch.Tensor, cut: torch.Tensor) -> float:
    x, cut = (picture.double().flatten(1) for picture in (x, cut))  # (3, H, W) -> (3, H * W)
    x, cut = x - x.mean(1, keepdim=True), cut - cut.mean(1, keepdim=True)
    slope = (x * cut).sum(1, keepdim=True) / x.square().sum(1, keepdim=True).clamp_min(1e-12)
    return float((slope.clamp_min(0) * x - cut).abs().mean())
