"""Boxes and masks of your own data, checked before training: errors name the sample and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from PIL import Image

from course.data.scenes import VOID, Scene
from course.errors import BadBoxes, BadLabels, BadMask, EmptyData


def check_scenes(scenes: Iterable[Scene], num_classes: int) -> int:
    """The number of scenes, each checked by `check_scene`; the error names the first bad one.

    Raises EmptyData if there is none.
    """
    count = 0
    for count, scene in enumerate(scenes, start=1):
        check_scene(scene, num_classes, name=f"sample {count - 1}")
    if not count:
        raise EmptyData("there are no scenes to check; check the path that they are read from")
    return count


def check_scene(scene: Scene, num_classes: int, *, name: str = "this sample") -> Scene:
    """The scene with mask, boxes and labels of the types that `Scene` documents, whatever types they had.

    `num_classes` does not count the background. Raises BadMask, BadBoxes or BadLabels, which begin with `name`.
    """
    picture, mask, boxes, labels = scene
    mask = check_mask(mask, picture.size, num_classes, name=name)
    boxes, labels = check_boxes(boxes, labels, picture.size, num_classes, name=name)
    return Scene(picture, mask, boxes, labels)


def check_boxes(
    boxes: Any, labels: Any, size: tuple[int, int], num_classes: int, *, name: str = "this sample"
) -> tuple[torch.Tensor, torch.Tensor]:
    """The boxes as (N, 4) float32 and their labels as (N,) int64; N may be 0.

    `size` is (width, height) of the picture. Raises BadBoxes if one is not a rectangle x1, y1, x2, y2 with an area
    inside the picture, BadLabels if labels are missing or not numbers from 1 to `num_classes`.
    """
    boxes = torch.as_tensor(boxes, dtype=torch.float32)
    labels = torch.as_tensor(labels)
    if not boxes.numel():
        boxes = boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise BadBoxes(f"{name}: boxes have the shape {tuple(boxes.shape)}, not (N, 4); give x1, y1, x2, y2 for each")
    for number, box in enumerate(boxes):
        if problem := _what_is_wrong(box, *size):
            raise BadBoxes(f"{name}: box {number}, {_text(box)}, {problem}")
    if labels.shape != (len(boxes),):
        raise BadLabels(f"{name}: {len(boxes)} boxes and labels of shape {tuple(labels.shape)}; give one label per box")
    wrong = [label for label in labels.tolist() if label != round(label) or not 1 <= label <= num_classes]
    if wrong:
        raise BadLabels(
            f"{name}: labels {', '.join(f'{label:g}' for label in wrong[:8])} are not whole numbers from 1 to "
            f"{num_classes}; 0 is the background, so number the {num_classes} classes from 1"
        )
    return boxes, labels.to(torch.int64)


def _what_is_wrong(box: torch.Tensor, width: int, height: int) -> str | None:
    """What is wrong with a box, and what to do about it; None if nothing is."""
    x1, y1, x2, y2 = box.tolist()
    if not torch.isfinite(box).all():
        return "holds NaN or infinity; remove it or measure it again"
    if x2 <= x1 or y2 <= y1:
        return (
            "has no area (x2 must be above x1, y2 above y1); remove it, or if it is x, y, width, height, "
            'convert it: torchvision.ops.box_convert(boxes, "xywh", "xyxy")'
        )
    if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        return (
            f"extends beyond its picture of {width} x {height} pixels; clip it: "
            "torchvision.ops.clip_boxes_to_image(boxes, (height, width)), or check that the two belong together"
        )
    if max(x2, y2) <= 1 < min(width, height):
        return f"lies within one pixel of a picture of {width} x {height}; multiply fractions by the picture's size"
    return None


def check_mask(mask: Any, size: tuple[int, int], num_classes: int, *, name: str = "this sample") -> np.ndarray:
    """The mask (H, W), an array, tensor or PIL picture of class numbers, as uint8.

    `size` is (width, height) of the picture. Raises BadMask if the mask is of another size, or has values other than 0
    (background), 1 to `num_classes` and 255 (void).
    """
    values = np.asarray(mask)
    width, height = size
    if values.ndim != 2:
        kind = "a picture in colours" if isinstance(mask, Image.Image) else f"of shape {values.shape}"
        raise BadMask(f"{name}: the mask is {kind}, not one number per pixel (H, W); save class numbers, not colours")
    if values.shape != (height, width):
        raise BadMask(
            f"{name}: the mask is {values.shape[1]} x {values.shape[0]} pixels and its picture {width} x {height}; "
            "resize the mask with nearest neighbours, or check that the two belong together"
        )
    found = np.unique(values)
    unknown = [value.item() for value in found if not (value in range(num_classes + 1) or value == VOID)]
    if unknown:
        raise BadMask(
            f"{name}: the mask has the values {', '.join(f'{value:g}' for value in unknown[:8])}, which are not 0 "
            f"(background), 1 to {num_classes} or {VOID} (void); map them to class numbers (a mask that was resized "
            "smoothly or saved as JPEG has values between the classes)"
        )
    return values.astype(np.uint8)


def _text(box: torch.Tensor) -> str:
    return f"({', '.join(f'{number:g}' for number in box.tolist())})"
