"""Where the pixels of a transformed picture come from: the colours of a picture of places say it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional


def _places(case: dict[str, Any], image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For every pixel of a transformed picture, the (row, column) it came from, in [0, 1], read from its colours."""
    rows, columns = ((image[i].double() - case["low"][i]) / case["span"][i] for i in (0, 1))
    return rows, columns


def window(case: dict[str, Any], image: torch.Tensor) -> tuple[float, float, float, float]:
    """The rows of the picture at its top and bottom, and the columns at its left and right."""
    rows, columns = _places(case, image)
    return float(rows[0].mean()), float(rows[-1].mean()), float(columns[:, 0].mean()), float(columns[:, -1].mean())


def labelled(case: dict[str, Any], image: torch.Tensor, mask: torch.Tensor) -> float:
    """The share of pixels with the label of the place they came from."""
    return _share(case, image, lambda y, x: mask.long() == case["mask"][y, x])


def coloured(case: dict[str, Any], image: torch.Tensor) -> float:
    """The share of pixels whose third colour is that of the place which the other two name."""
    return _share(case, image, lambda y, x: (image[2] - case["image"][2][y, x]).abs() < 0.01)


def _share(case: dict[str, Any], image: torch.Tensor, is_right: Callable[..., torch.Tensor]) -> float:
    """The share of pixels that are right, given the rows and columns (H, W) of the places they came from.

    Pixels near a border of two labels are left out; those that came from nowhere are wrong.
    """
    height, width = case["mask"].shape
    rows, columns = _places(case, image)
    y = (rows * height).floor().nan_to_num(-1).long()
    x = (columns * width).floor().nan_to_num(-1).long()
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    near = functional.unfold(_padded(case["mask"]), 3).view(9, height, width)
    plain = (near == near[4]).all(0)
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    counted = plain[y, x] | ~inside
    right = inside & is_right(y, x)
    return float(right[counted].double().mean()) if bool(counted.any()) else 0.0


def _padded(mask: torch.Tensor) -> torch.Tensor:
    """(1, 1, H + 2, W + 2) of float, its rim repeated."""
    return functional.pad(mask[None, None].double(), (1, 1, 1, 1), mode="replicate")
