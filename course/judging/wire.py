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
MAX_DEPTH = 32
MAX_VALUES = 200_000
MAX_TEXT = 20_000  # characters of one string
_DTYPES = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"}


@dataclass(frozen=True)
class Other:
    """A value that is not plain data: its type's name and the beginning of its repr, for the message alone."""

    type: str
    text: str

    def __str__(self) -> str:
        return f"{self.text} (a {self.type})"


def encode(value: Any) -> bytes:
    """The bytes of a value made of None, bool, int, float, str, list, dict (text keys), tensors and arrays.

    Tuples become lists, arrays become tensors, anything else an `Other`. Raises WireError when it is too large.
    """
    tensors: dict[str, torch.Tensor] = {}
    tree = _Encoder(tensors).encode(value, MAX_DEPTH)
    blob = safetensors.torch.save(tensors, metadata={"tree": json.dumps(tree)})
    if len(blob) > MAX_BYTES:
        raise WireError(f"{len(blob):,} bytes came back and {MAX_BYTES:,} is the limit; return less")
    return blob


def decode(blob: bytes) -> Any:
    """The value that `encode` was given. Raises WireError for anything that `encode` could not have written."""
    header = _header(blob)
    try:
        metadata = header.pop("__metadata__")
        tree = json.loads(metadata["tree"])
        for name, entry in header.items():
            if entry["dtype"] not in _DTYPES:
                raise WireError(f"tensor {name} is of dtype {entry['dtype']}")
        tensors = safetensors.torch.load(blob)
        return _Decoder(tensors).decode(tree, MAX_DEPTH)
    except WireError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, safetensors.SafetensorError) as error:
        raise WireError(f"the reply is not what the course writes ({type(error).__name__})") from error


def _header(blob: bytes) -> dict[str, Any]:
    if not 8 <= len(blob) <= MAX_BYTES:
        raise WireError(f"the reply has {len(blob):,} bytes; between 8 and {MAX_BYTES:,} are allowed")
    (size,) = struct.unpack("<Q", blob[:8])
    if size > len(blob) - 8:
        raise WireError(f"the reply claims a header of {size:,} bytes and has {len(blob):,} in all")
    try:
        header = json.loads(blob[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise WireError("the reply's header is not JSON") from error
    if not isinstance(header, dict):
        raise WireError("the reply's header is not a JSON object")
    return header


class _Encoder:
    def __init__(self, tensors: dict[str, torch.Tensor]):
        self.tensors = tensors
        self.values = 0

    def encode(self, value: Any, depth: int) -> Any:
        self.values += 1
        if depth == 0 or self.values > MAX_VALUES:
            raise WireError(f"the value is nested over {MAX_DEPTH} deep or has over {MAX_VALUES:,} parts")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, (list, tuple)):
            return [self.encode(item, depth - 1) for item in value]
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return {"$dict": {_text(key): self.encode(item, depth - 1) for key, item in value.items()}}
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            value = torch.from_numpy(np.ascontiguousarray(value))
        if isinstance(value, torch.Tensor) and value.layout == torch.strided:
            return {"$tensor": self._keep(value)}
        return {"$other": {"type": _text(type(value).__name__), "text": _short(value)}}

    def _keep(self, tensor: torch.Tensor) -> str:
        name = str(len(self.tensors))
        # A plain copy of its own storage: safetensors refuses shared memory, and subclasses stay behind.
        self.tensors[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format).as_subclass(torch.Tensor)
        return name


class _Decoder:
    def __init__(self, tensors: dict[str, torch.Tensor]):
        self.tensors = tensors
        self.values = 0

    def decode(self, tree: Any, depth: int) -> Any:
        self.values += 1
        if depth == 0 or self.values > MAX_VALUES:
            raise WireError(f"the reply is nested over {MAX_DEPTH} deep or has over {MAX_VALUES:,} parts")
        if tree is None or isinstance(tree, (bool, int, float, str)):
            return tree
        if isinstance(tree, list):
            return [self.decode(item, depth - 1) for item in tree]
        ((kind, content),) = tree.items()
        if kind == "$dict":
            return {key: self.decode(item, depth - 1) for key, item in content.items()}
        if kind == "$tensor":
            return self.tensors[content]
        if kind == "$float" and content in ("nan", "inf", "-inf"):
            return float(content)
        if kind == "$other":
            return Other(_text(content["type"]), _text(content["text"]))
        raise WireError(f"the reply holds a value of an unknown kind {_text(str(kind))!r}")


def _text(text: str) -> str:
    """The text without lone surrogates, cut at MAX_TEXT characters."""
    return str(text)[:MAX_TEXT].encode("utf-8", "replace").decode("utf-8")


def _short(value: Any) -> str:
    try:
        return _text(repr(value)[:200])
    except Exception:  # a learner's __repr__ may raise anything
        return f"<{_text(type(value).__name__)}>"
