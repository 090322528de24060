"""`augmentation`: random changes of the training pictures that leave the label as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torchvision.transforms import v2

from course.errors import DataError


def augmentation(
    transform: Callable,
    size: int,
    *,
    min_area: float = 0.5,
    flip: bool = True,
    colour: float = 0.2,
    erase: float = 0.0,
) -> v2.Compose:
    """A random version of each training picture, then `transform`, the preprocessing that the weights expect.

    A random crop of at least `min_area` of the picture's area is resized to `size` x `size` pixels; half of the
    pictures are mirrored if `flip`; brightness, contrast and saturation change by up to `colour`; with probability
    `erase` a random rectangle is overwritten afterwards (Zhong et al., "Random Erasing Data Augmentation", 2020).
    Choose changes that keep the label: mirrored text or traffic signs mean something else. For validation and test
    pictures use `transform` alone. Built of torchvision's v2 transforms. Raises DataError for impossible settings.
    """
    if not 0 < min_area <= 1 or not 0 <= colour < 1 or not 0 <= erase <= 1:
        raise DataError(
            f"min_area={min_area}, colour={colour}, erase={erase}: min_area is above 0 and at most 1, colour from 0 to "
            "below 1, erase from 0 to 1"
        )
    steps: list[Any] = [v2.RandomResizedCrop(size, scale=(min_area, 1.0), antialias=True)]
    if flip:
        steps.append(v2.RandomHorizontalFlip())
    if colour:
        steps.append(v2.ColorJitter(brightness=colour, contrast=colour, saturation=colour))
    steps.append(v2.Lambda(transform))
    if erase:
        steps.append(v2.RandomErasing(p=erase))
    return v2.Compose(steps)
