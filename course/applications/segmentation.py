"""Semantic segmentation: scenes as tensors, pictures and masks transformed together, and a loss that leaves void out.

The models are in `course.applications.segmenter`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional as F

from course.applications.iou import VOID, check_mask_labels
from course.errors import DataError, UnknownName

AUXILIARY_WEIGHT = 0.5  # as torchvision trains its own models


class SegmentationTransform:
    """A transform for scenes: scene -> (picture (3, H, W), mask (H, W) of int64), ready to be batched.

    `transform` is the preprocessing of the picture (`course.models.image_transform`), `classes` the number of classes,
    background included; `lookup` (see `group_labels`) renumbers the labels of the mask first. Raises DataError for a
    mask of another size than its picture, BadLabels for a label that is neither a class nor VOID.
    """

    def __init__(self, transform: Any, classes: int, *, lookup: torch.Tensor | None = None) -> None:
        self.transform, self.classes, self.lookup = transform, classes, lookup

    def __call__(self, scene: Any) -> tuple[torch.Tensor, torch.Tensor]:
        picture, mask = self.transform(scene.picture), torch.as_tensor(scene.mask).long()
        if picture.shape[-2:] != mask.shape:
            raise DataError(
                f"a mask of {tuple(mask.shape)} pixels (height, width) belongs to a picture of "
                f"{tuple(picture.shape[-2:])}; crop and resize both together (joint_transform), the mask with nearest "
                "neighbours"
            )
        if self.lookup is not None:
            mask = self.lookup[mask]
        check_mask_labels(mask, self.classes)
        return picture, mask

    def __repr__(self) -> str:
        lookup = None if self.lookup is None else self.lookup.tolist()
        return f"SegmentationTransform({self.transform!r}, classes={self.classes}, lookup={lookup})"


def group_labels(classes: Sequence[str], groups: Mapping[str, Sequence[str]]) -> torch.Tensor:
    """(256,) int64: old label -> new label, to merge several classes into one; background stays 0, void stays void.

    `classes` are the old classes from label 1 on, `groups` maps a new class to the old ones in it; classes in no group
    become void. Raises UnknownName for an unknown class.
    """
    lookup = torch.full((256,), VOID)
    lookup[0] = 0
    for new, members in enumerate(groups.values(), 1):
        for name in members:
            if name not in classes:
                raise UnknownName.of("class", name, classes)
            lookup[list(classes).index(name) + 1] = new
    return lookup


def joint_transform(
    image: torch.Tensor, mask: torch.Tensor, seed: int, *, min_scale: float = 0.5
) -> tuple[torch.Tensor, torch.Tensor]:
    """A random crop of both, resized to their original size, and flipped left to right with probability 1/2.

    `image` is (C, H, W), `mask` (H, W). The crop's sides are at least `min_scale` times the picture's; everything is
    drawn from `seed` alone. The picture is resized bilinearly, the mask with nearest neighbours, so that no new label
    appears.
    """
    if image.shape[-2:] != mask.shape:
        raise DataError(f"a picture of {tuple(image.shape[-2:])} pixels and a mask of {tuple(mask.shape)} do not fit")
    from torchvision.transforms.functional import InterpolationMode, hflip, resized_crop

    draw = torch.rand(5, generator=torch.Generator().manual_seed(seed)).tolist()
    size = list(mask.shape)
    sides = [max(1, round(side * (min_scale + (1 - min_scale) * part))) for side, part in zip(size, draw, strict=False)]
    corner = [int(part * (side - crop + 1)) for side, crop, part in zip(size, sides, draw[2:], strict=False)]
    image = resized_crop(image, *corner, *sides, size, InterpolationMode.BILINEAR)
    mask = resized_crop(mask[None], *corner, *sides, size, InterpolationMode.NEAREST)[0]
    return (hflip(image), hflip(mask)) if draw[4] < 0.5 else (image, mask)


def seg_loss(out: Any, masks: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy over the pixels that have a label; 0 if there are none.

    `out` is logits (B, C, H, W), or the dict of a torchvision model, whose "aux" counts half. `masks` is (B, H, W).
    """
    if isinstance(out, torch.Tensor):
        labelled = torch.count_nonzero(masks != VOID).clamp_min(1)
        return F.cross_entropy(out, masks, ignore_index=VOID, reduction="sum") / labelled
    loss = seg_loss(out["out"], masks)
    return loss + AUXILIARY_WEIGHT * seg_loss(out["aux"], masks) if "aux" in out else loss


seg_loss.ignore_index = VOID  # type: ignore[attr-defined]  # so that fit leaves void out of the accuracy
