"""The header of a safetensors file, read and checked before any tensor is made: https://github.com/huggingface/safetensors

The library that reads the tensors afterwards is written in Rust and safe, but what it says of a wrong file is for
programmers, of two tensors with one name it keeps the last, and it believes a header of 100 MB.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import Any

from course.errors import WeightsCorrupt

MAX_HEADER = 2**20  # bytes; that of a model with 2,000 tensors takes 200 KB
SIZES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
AGAIN = "make the file again with course.capstone.hand_in"
_PICKLE, _ZIP = b"\x80", b"PK\x03\x04"


@dataclass(frozen=True)
class Header:
    """What a file says of itself: its metadata, and for each tensor its kind of number ("F32") and its shape."""

    metadata: dict[str, str]
    tensors: dict[str, tuple[str, tuple[int, ...]]]


def read_header(content: bytes, name: str) -> Header:
    """The header of a file's bytes. Raises WeightsCorrupt, naming the file, for all that is not as it must be."""
    if content.startswith((_PICKLE, _ZIP)):
        raise WeightsCorrupt(
            f"{name} is a pickle, as torch.save writes it, whatever it is called: it could run code, so nothing in it "
            f"was read; {AGAIN}"
        )
    (length,) = struct.unpack("<Q", content[:8]) if len(content) >= 8 else (0,)
    if not 2 <= length <= MAX_HEADER or length > len(content) - 8:
        raise WeightsCorrupt(
            f"{name} has {len(content):,} bytes and claims a header of {length:,}: it is cut off or no safetensors "
            f"file; {AGAIN}"
        )
    try:
        entries = json.loads(content[8 : 8 + length].decode("utf-8"), object_pairs_hook=_once)
        metadata = _checked_metadata(entries.pop("__metadata__", {}))
        return Header(metadata, _checked_tensors(entries, len(content) - 8 - length))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsCorrupt(
            f"{name} has a damaged header ({str(error)[:200]}): it is no safetensors file; {AGAIN}"
        ) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise ValueError(f"{twice[:80]!r} stands in it twice")
    return entries


def _checked_metadata(metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are not texts")
    return metadata


def _checked_tensors(entries: dict[str, Any], size: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Kinds and shapes; ValueError unless the tensors fill the file's `size` bytes, one after the other."""
    tensors, places = {}, []
    for name, entry in entries.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"the entry of {name[:80]!r} is not a kind, a shape and a place")
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        if kind not in SIZES or not all(type(number) is int and number >= 0 for number in (*shape, start, end)):
            raise ValueError(f"{name[:80]!r} has an unknown kind or an impossible shape")
        if len(shape) > 8 or end - start != math.prod(shape) * SIZES[kind]:
            raise ValueError(f"the place of {name[:80]!r} is not as large as its shape")
        places.append((start, end))
        tensors[name] = kind, tuple(shape)
    ends = 0
    for start, end in sorted(places):
        if start != ends:
            raise ValueError("its tensors leave gaps or lie on each other")
        ends = end
    if ends != size:
        raise ValueError(f"its tensors take {ends:,} bytes and {size:,} are there")
    return tensors
