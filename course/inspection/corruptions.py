"""Pictures corrupted at five severities: noise, blur, fog, low contrast, coarse pixels (after ImageNet-C)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

from course.errors import DataError, UnknownName

SEVERITIES = (1, 2, 3, 4, 5)


def corrupt(pictures: torch.Tensor, kind: str, severity: int, *, seed: int = 0) -> torch.Tensor:
    """The pictures (N, 3, H, W) in [0, 1], corrupted; the originals don't change.

    `kind` is one of CORRUPTIONS and `severity` 1 (slight) to 5 (strong); 0 changes nothing. Only noise is random, drawn
    from `seed`. The severities are ours, chosen for pictures of about 100 pixels; the kinds come from Hendrycks and
    Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations" (2019).
    Raises UnknownName for another kind, DataError for another severity or pictures outside [0, 1].
    """
    if kind not in CORRUPTIONS:
        raise UnknownName.of("corruption", kind, CORRUPTIONS)
    if severity not in (0, *SEVERITIES):
        raise DataError(f"severity={severity!r} is not allowed; it is a whole number from 0 to {SEVERITIES[-1]}")
    if pictures.ndim != 4 or not pictures.is_floating_point() or pictures.min() < 0 or pictures.max() > 1:
        raise DataError(
            f"pictures are float (N, 3, H, W) in [0, 1], not {tuple(pictures.shape)} of {pictures.dtype}; corrupt them "
            "before they are normalised"
        )
    if severity == 0:
        return pictures.clone()
    generator = torch.Generator().manual_seed(seed)
    return CORRUPTIONS[kind](pictures, severity, generator).clamp(0, 1)


def _noise(x: torch.Tensor, severity: int, generator: torch.Generator) -> torch.Tensor:
    return x + (0.04, 0.08, 0.14, 0.22, 0.32)[severity - 1] * torch.randn(x.shape, generator=generator).to(x.device)


def _blur(x: torch.Tensor, severity: int, _: torch.Generator) -> torch.Tensor:
    """A Gaussian whose width grows with the picture: 1 % to 5 % of its side."""
    sigma = (0.008, 0.013, 0.02, 0.03, 0.045)[severity - 1] * x.shape[-1]
    radius = max(1, round(3 * sigma))
    offset = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-((offset / sigma) ** 2) / 2)
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, -1)  # (3, 1, 2 radius + 1)
    x = F.pad(x, (radius, radius, radius, radius), mode="replicate")
    x = F.conv2d(x, kernel[..., None], groups=x.shape[1])
    return F.conv2d(x, kernel[:, :, None], groups=x.shape[1])


def _fog(x: torch.Tensor, severity: int, _: torch.Generator) -> torch.Tensor:
    density = (0.2, 0.35, 0.5, 0.65, 0.8)[severity - 1]
    return (1 - density) * x + density * 0.9


def _contrast(x: torch.Tensor, severity: int, _: torch.Generator) -> torch.Tensor:
    middle = x.mean((1, 2, 3), keepdim=True)
    return middle + (0.7, 0.5, 0.35, 0.22, 0.12)[severity - 1] * (x - middle)


def _pixelate(x: torch.Tensor, severity: int, _: torch.Generator) -> torch.Tensor:
    side = max(1, round(x.shape[-1] * (0.6, 0.4, 0.28, 0.2, 0.14)[severity - 1]))
    coarse = F.interpolate(x, size=(side, side), mode="area")
    return F.interpolate(coarse, size=x.shape[-2:], mode="nearest")


CORRUPTIONS: dict[str, Callable[[torch.Tensor, int, torch.Generator], torch.Tensor]] = {
    "noise": _noise,
    "blur": _blur,
    "fog": _fog,
    "contrast": _contrast,
    "pixelate": _pixelate,
}
