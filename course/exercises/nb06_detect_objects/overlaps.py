"""Boxes to draw cases with, and their overlap computed box by box: what judges compare with."""

from __future__ import annotations

from collections.abc import Callable

import torch

Sides = tuple[float, float, float, float]


def drawn_boxes(rng: torch.Generator, count: int, *, size: float = 100.0, least: float = 10.0) -> torch.Tensor:
    """(count, 4) boxes within a picture of `size`, each side at least `least`."""
    sides = least + torch.rand(count, 2, generator=rng) * (size / 2 - least)
    corners = torch.rand(count, 2, generator=rng) * (size - sides)
    return torch.cat([corners, corners + sides], 1)


def nudged(boxes: torch.Tensor, rng: torch.Generator, part: float) -> torch.Tensor:
    """The boxes, each corner moved by up to `part` of its box's side: they overlap with the old ones."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + (2 * torch.rand(boxes.shape, generator=rng) - 1) * part * sides


def iou(
    a: Sides,
    b: Sides,
    *,
    clamp: bool = True,
    one: float = 0.0,
    union: bool = True,
    least: bool = False,
    dice: bool = False,
    sides: bool = False,
) -> float:
    """Intersection over union of two boxes; the options are the usual mistakes."""
    if sides:  # read as x, y, width, height
        a, b = ((box[0], box[1], box[0] + box[2], box[1] + box[3]) for box in (a, b))
    width = min(a[2], b[2]) - max(a[0], b[0]) + one
    height = min(a[3], b[3]) - max(a[1], b[1]) + one
    shared = max(width, 0) * max(height, 0) if clamp else width * height
    areas = [(box[2] - box[0] + one) * (box[3] - box[1] + one) for box in (a, b)]
    if least:
        return shared / min(areas)
    if dice:
        return 2 * shared / sum(areas)
    return shared / (sum(areas) - shared if union else sum(areas))


def matrix(a: torch.Tensor, b: torch.Tensor, measure: Callable[[Sides, Sides], float] = iou) -> torch.Tensor:
    """(N, M) of what `measure` says of each pair."""
    rows = [[measure(tuple(x), tuple(y)) for y in b.double().tolist()] for x in a.double().tolist()]
    return torch.tensor(rows, dtype=torch.float32).reshape(len(a), len(b))
