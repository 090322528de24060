"""Plain data and tensors to bytes and back: one safetensors file, with the tree of values as JSON in its header.

Never a pickle. `decode` trusts nothing: sizes, depth, dtypes and shapes are checked before anything is allocated.
Every JSON object in the tree has exactly one key, which says what it is:

    {"$dict": {...}}  {"$tensor": "3"}  {"$float": "nan"}  {"$other": {"type": "generator", "text": "<generator ...>"}}
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors.torch
import torch

from course.errors import WireError

MAX_BYTES = 64 * 2**20
MAX_HEADER = 2**20  # bytes of JSON, which takes many times as much memory and time once parsed
MAX_DEPTH = 32
MAX_VALUES = 200_000
MAX_TEXT = 20_000  # characters of one string
MAX_BITS = 1000  # of one whole number
_DTYPES = {
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
}


@dataclass(frozen=True)
class Other:
    """A value that is not plain data: its type's name and the beginning of its repr, for the message alone."""

    type: str
    text: str

    def __str__(self) -> str:
        return f"{self.text} (a {self.type})"


def encode(value: Any) -> bytes:
    """The bytes of a value made of None, bool, int, float, str, list, dict (text keys), tensors and arrays.

    Tuples become lists, arrays become tensors, anything else an `Other`: sparse, complex and meta tensors, numbers of
    over MAX_BITS. Longer texts are cut at MAX_TEXT. Raises WireError when it is too large or breaks on being read.
    """
    tensors: dict[str, torch.Tensor] = {}
    try:
        tree = json.dumps(_Encoder(tensors).encode(value, MAX_DEPTH))
    except WireError:
        raise
    except Exception as error:  # a learner's class may raise anything when its values are read
        raise WireError(f"what came back cannot be read ({type(error).__name__}); return plain values") from error
    if len(tree) > MAX_HEADER:
        raise WireError(f"{len(tree):,} characters came back besides tensors; {MAX_HEADER:,} is the limit")
    return safetensors.torch.save(tensors, metadata={"tree": tree})


def decode(blob: bytes) -> Any:
    """The value that `encode` was given. Raises WireError for anything that `encode` could not have written."""
    header = _header(blob)
    try:
        tree = json.loads(header["__metadata__"]["tree"], parse_constant=_no_constant)
        decoder = _Decoder(safetensors.torch.load(blob))
        value = decoder.decode(tree, MAX_DEPTH)
    except WireError:
        raise
    except Exception as error:  # the bytes may come from an attacker: whatever breaks is their fault
        raise WireError(f"the reply is not what the course writes ({type(error).__name__})") from error
    if decoder.tensors:
        raise WireError("the reply carries tensors that nothing in it refers to")
    return value


def _header(blob: bytes) -> dict[str, Any]:
    if not 8 <= len(blob) <= MAX_BYTES + 2 * MAX_HEADER:
        raise WireError(f"the reply has {len(blob):,} bytes; between 8 and {MAX_BYTES:,} are allowed")
    (size,) = struct.unpack("<Q", blob[:8])
    if size > min(len(blob) - 8, 2 * MAX_HEADER):
        raise WireError(f"the reply claims a header of {size:,} bytes and has {len(blob):,} in all")
    try:
        header = json.loads(blob[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise WireError("the reply's header is not JSON") from error
    if not isinstance(header, dict):
        raise WireError("the reply's header is not a JSON object")
    return header


def _no_constant(name: str) -> None:
    raise WireError(f"the reply holds the bare number {name}")


class _Encoder:
    def __init__(self, tensors: dict[str, torch.Tensor]):
        self.tensors = tensors
        self.values = 0
        self.bytes = 0

    def encode(self, value: Any, depth: int) -> Any:
        self.values += 1
        if depth == 0 or self.values > MAX_VALUES:
            raise WireError(f"the value is nested over {MAX_DEPTH} deep or has over {MAX_VALUES:,} parts; return less")
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            small = int(value).bit_length() <= MAX_BITS
            return (
                int(value)
                if small
                else _other("int", f"a number of about {int(value).bit_length() // 3.33:,.0f} digits")
            )
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, (list, tuple)):
            return [self.encode(item, depth - 1) for item in value]
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return {"$dict": {self._text(key): self.encode(item, depth - 1) for key, item in value.items()}}
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            return self._array(value)
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        return _other(type(value).__name__, _short(value))

    def _text(self, value: str) -> str:
        text = _text(value)
        self._spend(len(text))
        return text

    def _array(self, array: np.ndarray) -> Any:
        self._spend(array.nbytes)
        native = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")  # a copy, which torch may write to
        self._spend(-array.nbytes)
        try:
            return self._tensor(torch.from_numpy(native))
        except TypeError:  # a kind of number that torch lacks
            return _other("ndarray", f"an array of shape {array.shape}, {array.dtype}")

    def _tensor(self, tensor: torch.Tensor) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            if tensor.layout != torch.strided or tensor.is_nested or tensor.is_meta or tensor.dtype not in _DTYPES:
                what = "meta (without values)" if tensor.is_meta else tensor.layout
                return _other("Tensor", f"a tensor of shape {tuple(tensor.shape)}, {tensor.dtype}, {what}")
            if _claims_too_much(tensor):
                return _other("Tensor", f"a tensor of shape {tuple(tensor.shape)}")
            self._spend(tensor.numel() * tensor.element_size())
            # A plain copy of its own storage: safetensors refuses shared memory, and subclasses stay behind.
            plain = tensor.detach().resolve_neg().cpu().clone(memory_format=torch.contiguous_format)
            name = str(len(self.tensors))
            self.tensors[name] = plain.as_subclass(torch.Tensor)
        return {"$tensor": name}

    def _spend(self, count: int) -> None:
        """Count before anything is copied: an expanded tensor of one number may claim to be of any size."""
        self.bytes += count
        if self.bytes > MAX_BYTES:
            raise WireError(f"{self.bytes:,} bytes came back and {MAX_BYTES:,} is the limit; return less")


class _Decoder:
    def __init__(self, tensors: dict[str, torch.Tensor]):
        self.tensors = tensors
        self.values = 0

    def decode(self, tree: Any, depth: int) -> Any:
        self.values += 1
        if depth == 0 or self.values > MAX_VALUES:
            raise WireError(f"the reply is nested over {MAX_DEPTH} deep or has over {MAX_VALUES:,} parts")
        if tree is None or isinstance(tree, bool):
            return tree
        if isinstance(tree, (int, float)):
            if not math.isfinite(tree) or abs(tree) >= 2**MAX_BITS:
                raise WireError("the reply holds a number that is too large")
            return tree
        if isinstance(tree, str):
            return _checked(tree)
        if isinstance(tree, list):
            return [self.decode(item, depth - 1) for item in tree]
        ((kind, content),) = tree.items()
        if kind == "$dict":
            return {_checked(key): self.decode(item, depth - 1) for key, item in content.items()}
        if kind == "$tensor":
            return self._tensor(content)
        if kind == "$float" and content in ("nan", "inf", "-inf"):
            return float(content)
        if kind == "$other" and content.keys() == {"type", "text"}:
            return Other(_checked(content["type"]), _checked(content["text"]))
        raise WireError(f"the reply holds a value of an unknown kind {_text(kind)!r:.60}")

    def _tensor(self, name: str) -> torch.Tensor:
        tensor = self.tensors.pop(name)  # each is referred to once
        if tensor.dtype not in _DTYPES:
            raise WireError(f"tensor {name} is of {tensor.dtype}")
        if _claims_too_much(tensor):
            raise WireError(f"tensor {name} has the shape {tuple(tensor.shape)}")
        return tensor


def _claims_too_much(tensor: torch.Tensor) -> bool:
    """True for a tensor of no elements with a dimension so long that listing its rows would run out of memory."""
    return not tensor.numel() and math.prod(max(size, 1) for size in tensor.shape) > MAX_BYTES


def _other(kind: str, text: str) -> dict[str, Any]:
    return {"$other": {"type": _text(kind), "text": _text(text)}}


def _text(text: str) -> str:
    """The text without lone surrogates, cut at MAX_TEXT characters."""
    return str(text)[:MAX_TEXT].encode("utf-8", "replace").decode("utf-8")


def _checked(text: Any) -> str:
    if not isinstance(text, str) or text != _text(text):
        raise WireError("the reply holds a text that is too long or not valid Unicode")
    return text


def _short(value: Any) -> str:
    try:
        return _text(repr(value)[:200])
    except Exception:  # a learner's __repr__ may raise anything
        return f"<{_text(type(value).__name__)}>"
