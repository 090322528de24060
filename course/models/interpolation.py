"""Models between two models of one architecture, on the straight line between their weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from course.errors import ModelError


def interpolate(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor], alpha: float) -> dict[str, torch.Tensor]:
    """The state (1 - alpha) a + alpha b, as new tensors: exactly `a` at 0 and `b` at 1.

    `a` and `b` are state dicts of models with the same layers. Integer tensors (counters, positions) can't be averaged:
    they are taken from `a`, or from `b` if alpha is above one half. Raises ModelError if keys or shapes differ.
    Wortsman et al., "Robust fine-tuning of zero-shot models" (WiSE-FT, 2022).
    """
    if a.keys() != b.keys() or any(a[name].shape != b[name].shape for name in a):
        unlike = sorted(a.keys() ^ b.keys()) or [name for name in a if a[name].shape != b[name].shape]
        raise ModelError(
            f"the two states belong to different models: they differ in {unlike[:3]}; pass states of one architecture"
        )
    nearer = a if alpha <= 0.5 else b
    between = {}
    for name in a:
        if alpha in (0, 1) or not a[name].is_floating_point():
            between[name] = nearer[name].detach().clone()
        else:
            between[name] = torch.lerp(a[name].detach(), b[name].detach(), alpha)
    return between
