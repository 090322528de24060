"""What judges say: what was tried, what came back, what was expected, and which misconception that shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from course.judging.wire import Other

MAX_SHOWN = 300  # characters of a value in a message


class Wrong(Exception):
    """A judge's verdict that an answer is wrong. `because` names the misconception, if one was recognised."""

    def __init__(self, *, tried: str, got: Any, expected: Any, because: str = ""):
        self.tried, self.got, self.expected, self.because = tried, show(got), show(expected), because
        super().__init__(f"{tried}: got {self.got}, expected {self.expected}" + (f" ({because})" if because else ""))


class Unusable(Exception):
    """Raised by a probe: what the answer returned cannot be examined. The text says why."""


def need(value: Any, kind: type | tuple[type, ...], what: str) -> Any:
    """The value, if it is of the kind; else raises `Unusable`. `what` is what the learner should return."""
    if value is None:
        raise Unusable(f"your answer returned None; return {what} (is the `return` missing?)")
    if not isinstance(value, kind):
        raise Unusable(f"your answer returned a {type(value).__name__}; return {what}")
    return value


def expect(holds: Any, *, tried: str, got: Any, expected: Any, because: str = "") -> None:
    """Raise `Wrong` unless `holds`."""
    if not bool(holds):
        raise Wrong(tried=tried, got=got, expected=expected, because=because)


def expect_equal(
    got: Any, expected: Any, *, tried: str, mistakes: Mapping[str, Any] | None = None, because: str = ""
) -> None:
    """Raise `Wrong` unless `got` equals `expected` exactly (values, shapes and, for tensors, kind of number).

    `mistakes` maps a misconception to the value that it produces; the one that matches is named, or else `because`.
    """
    expect_close(got, expected, tried=tried, rtol=0.0, atol=0.0, mistakes=mistakes, because=because)


def expect_close(
    got: Any,
    expected: Any,
    *,
    tried: str,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    mistakes: Mapping[str, Any] | None = None,
    because: str = "",
) -> None:
    """Raise `Wrong` unless `got` is `expected` up to |got - expected| <= atol + rtol |expected|, in shape as well.

    `because` is what to say where none of the `mistakes` matches.
    """
    if not _same(got, expected, rtol=rtol, atol=atol):
        because = _which(got, mistakes, rtol, atol) or because
        got, expected = _told_apart(got, expected, rtol, atol)
        raise Wrong(tried=tried, got=got, expected=expected, because=because)


def show(value: Any) -> str:
    """A value in one short line, as a learner would write it."""
    text = _show(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def _show(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, torch.Tensor):
        if value.ndim == 0:
            return show(value.item())
        if value.numel() <= 12:
            return f"tensor {show(value.tolist())}"
        return f"a tensor of shape {tuple(value.shape)}, {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and len(value) <= 12:
        return "[" + ", ".join(show(item) for item in value) + "]"
    return str(value) if isinstance(value, Other) else repr(value)


def _told_apart(got: Any, expected: Any, rtol: float, atol: float) -> tuple[Any, Any]:
    """Both values; tensors that would be shown alike as how many of their numbers differ, and the worst of them."""
    tensors = isinstance(got, torch.Tensor) and isinstance(expected, torch.Tensor) and got.shape == expected.shape
    if not tensors or got.numel() <= 12 or show(got) != show(expected):
        return got, expected
    one, other = got.double(), expected.double()
    apart = (one - other).abs().nan_to_num(math.inf)
    wrong = int((~torch.isclose(one, other, rtol=rtol, atol=atol)).sum())
    place = [int(i) for i in torch.unravel_index(apart.argmax(), apart.shape)]
    values = (
        f"{show(got)}: {wrong:,} of {apart.numel():,} numbers differ, the one at {place} most: {one[tuple(place)]:.4g}"
    )
    return values, f"{other[tuple(place)]:.4g} at {place}"


def _which(got: Any, mistakes: Mapping[str, Any] | None, rtol: float, atol: float) -> str:
    for because, value in (mistakes or {}).items():
        if _same(got, value, rtol=max(rtol, 1e-5), atol=max(atol, 1e-6)):
            return because
    return ""


def _same(got: Any, expected: Any, *, rtol: float, atol: float) -> bool:
    got, expected = _plain_number(got, expected), _plain_number(expected, got)
    if isinstance(expected, torch.Tensor) or isinstance(got, torch.Tensor):
        return _same_tensor(got, expected, rtol=rtol, atol=atol)
    if isinstance(expected, dict):
        return (
            isinstance(got, dict)
            and got.keys() == expected.keys()
            and all(_same(got[key], expected[key], rtol=rtol, atol=atol) for key in expected)
        )
    if isinstance(expected, (list, tuple)):
        return (
            isinstance(got, (list, tuple))
            and len(got) == len(expected)
            and all(_same(a, b, rtol=rtol, atol=atol) for a, b in zip(got, expected, strict=True))
        )
    if _is_number(expected) and _is_number(got):
        if got != got or expected != expected:  # NaN
            return got != got and expected != expected
        return got == expected or (math.isfinite(expected) and abs(got - expected) <= atol + rtol * abs(expected))
    return type(got) is type(expected) and got == expected


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _plain_number(value: Any, other: Any) -> Any:
    """A tensor of one number as that number, where the other side is a plain number."""
    is_scalar = isinstance(value, torch.Tensor) and value.ndim == 0 and isinstance(other, (bool, int, float))
    return value.item() if is_scalar else value


def _same_tensor(got: Any, expected: Any, *, rtol: float, atol: float) -> bool:
    if not (isinstance(got, torch.Tensor) and isinstance(expected, torch.Tensor)) or got.shape != expected.shape:
        return False
    if _kind(got) != _kind(expected):
        return False
    if rtol == atol == 0 and not got.is_floating_point():  # float64 cannot tell large whole numbers apart
        return torch.equal(got.long(), expected.long())
    return torch.allclose(got.double(), expected.double(), rtol=rtol, atol=atol, equal_nan=True)


def _kind(tensor: torch.Tensor) -> str:
    return "float" if tensor.is_floating_point() else "bool" if tensor.dtype == torch.bool else "int"
