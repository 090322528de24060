"""Whether tensors moved as a reference did: what judges compare after a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

Tensors = Mapping[str, torch.Tensor]


def follows(got: torch.Tensor, expected: torch.Tensor, start: torch.Tensor, *, rtol: float = 0.02) -> bool:
    """True if `got` is where the reference came to from `start`, up to `rtol` of the way that it went."""
    way = (expected.double() - start.double()).norm()
    return got.shape == expected.shape and bool((got.double() - expected.double()).norm() <= rtol * way + 1e-6)


def diverged(got: Tensors, expected: Tensors, start: Tensors, names: Iterable[str], *, rtol: float = 0.02) -> list[str]:
    """Those of the names whose tensors did not follow the reference."""
    return [name for name in names if not follows(got[name], expected[name], start[name], rtol=rtol)]


def times_as_far(got: torch.Tensor, right: torch.Tensor, start: torch.Tensor) -> float | None:
    """How many times as far as `right` the tensor `got` lies from `start`, or None if in another direction."""
    moved, should = got - start, right - start
    along = float(moved @ should / (moved.norm() * should.norm()).clamp_min(1e-12))
    return float(moved.norm() / should.norm()) if along > 0.999 else None
