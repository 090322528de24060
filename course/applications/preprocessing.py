"""The preprocessing of a pretrained model as plain numbers, to be saved with its weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from course.errors import ModelError


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a picture before the model sees it, as plain numbers: resize, centre crop, normalise.

    `resize` is the new length of the shorter side, or (height, width); `crop` is (height, width); `mean` and `std`
    are those of red, green and blue, for values in [0, 1].
    """

    resize: tuple[int, ...]
    crop: tuple[int, ...]
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        """An RGB picture as a float tensor (3, height, width)."""
        from torchvision.transforms import InterpolationMode, functional

        resized = functional.resize(picture, list(self.resize), InterpolationMode(self.interpolation), antialias=True)
        pixels = functional.to_tensor(functional.center_crop(resized, list(self.crop)))  # -> (3, H, W) in [0, 1]
        return functional.normalize(pixels, list(self.mean), list(self.std))

    @classmethod
    def of(cls, transform: Any) -> Preprocessing:
        """The numbers of a transform that `image_transform` made, or of a Compose of the same four steps.

        Raises ModelError for any other transform: arbitrary code cannot be saved as plain data.
        """
        if isinstance(transform, cls):
            return transform
        if hasattr(transform, "crop_size"):  # torchvision's preset
            resize = crop = normalise = transform
            sizes = transform.resize_size, transform.crop_size
        else:
            steps = {type(step).__name__.removeprefix("Maybe"): step for step in getattr(transform, "transforms", ())}
            if list(steps) != ["Resize", "CenterCrop", "ToTensor", "Normalize"]:
                raise ModelError(
                    f"the transform {' '.join(repr(transform).split())[:200]} is not resize, centre crop, to tensor, "
                    "normalise; pass course.models.image_transform(model, size=...)"
                )
            resize, crop, _, normalise = steps.values()
            sizes = resize.size, crop.size
        resized, cropped = (tuple(size) if isinstance(size, Sequence) else (size,) for size in sizes)
        mean, std = (
            tuple(float(f"{float(value):.7g}") for value in values) for values in (normalise.mean, normalise.std)
        )
        return cls(resized, cropped * (3 - len(cropped)), resize.interpolation.value, mean, std)


def check_preprocessing(numbers: Preprocessing) -> Preprocessing:
    """The numbers themselves; ValueError if no picture can be preprocessed with them."""
    for sizes, lengths in ((numbers.resize, (1, 2)), (numbers.crop, (2,))):
        if len(sizes) not in lengths or not all(type(size) is int and 1 <= size <= 4096 for size in sizes):
            raise ValueError(f"the sizes {sizes!r:.100} are not whole numbers of pixels up to 4096")
    for values in (numbers.mean, numbers.std):
        if len(values) != 3 or not all(type(value) in (int, float) and math.isfinite(value) for value in values):
            raise ValueError(f"mean and std are three numbers each, not {values!r:.100}")
    if min(numbers.std) <= 0 or numbers.interpolation not in ("nearest", "bilinear", "bicubic", "lanczos"):
        raise ValueError(f"std {numbers.std} or interpolation {numbers.interpolation!r:.40} is impossible")
    return numbers
