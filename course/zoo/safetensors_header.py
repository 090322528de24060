"""The header of a safetensors file, read and checked before any tensor is made: https://github.com/huggingface/safetensors

The library that reads the tensors afterwards is written in Rust and safe, but its messages about a wrong file are for
programmers, of two tensors with the same name it keeps the last, and it accepts a header of 100 MB.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from course.errors import WeightsCorrupt

MAX_HEADER = 2**20  # bytes; a model with 2,000 tensors has a header of 200 KB
_KINDS = {8: "C64 F64 I64 U64", 4: "F32 I32 U32", 2: "F16 BF16 I16 U16", 1: "F8_E4M3 F8_E5M2 I8 U8 BOOL"}
ITEM_BYTES = {kind: size for size, kinds in _KINDS.items() for kind in kinds.split()}
AGAIN = "make the file again with course.capstone.handing_in.hand_in"
_PICKLE, _ZIP = b"\x80", b"PK\x03\x04"


@dataclass(frozen=True)
class Header:
    """A file's metadata, and for each tensor its dtype ("F32") and its shape."""

    metadata: dict[str, str]
    tensors: dict[str, tuple[str, tuple[int, ...]]]


def read_header(file: BinaryIO, name: str, advice: str = AGAIN) -> Header:
    """The header of an open file; nothing else of it is read. Raises WeightsCorrupt if anything in it is wrong.

    `name` is what messages call the file, and `advice` says what to do if it is wrong.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(8)
    if start.startswith((_PICKLE, _ZIP)):
        raise WeightsCorrupt(
            f"{name} is a pickle, as torch.save writes it, whatever its name: it could run code, so nothing in it was "
            f"read; {advice}"
        )
    (length,) = struct.unpack("<Q", start) if len(start) == 8 else (0,)
    if not 2 <= length <= MAX_HEADER or length > size - 8:
        raise WeightsCorrupt(
            f"{name} has {size:,} bytes and claims a header of {length:,}: it is truncated or not a safetensors file; "
            f"{advice}"
        )
    try:
        entries = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_without_duplicates)
        metadata = _checked_metadata(entries.pop("__metadata__", {}))
        return Header(metadata, _checked_tensors(entries, size - 8 - length))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsCorrupt(
            f"{name} has a damaged header ({str(error)[:200]}): it is not a valid safetensors file; {advice}"
        ) from error


def describe_mismatch(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """How the tensors found (name -> shape or another description) differ from those wanted; empty if they don't."""
    missing, extra = ([name for name in a if name not in b] for a, b in ((wanted, found), (found, wanted)))
    differences = [
        f"{len(names)} tensors are {what} ({names[0][:80]}, ...)"
        if names[1:]
        else f"1 tensor is {what} ({names[0][:80]})"
        for names, what in ((missing, "missing"), (extra, "unexpected"))
        if names
    ]
    unlike = [name for name in wanted if found.get(name, wanted[name]) != wanted[name]]
    differences += [f"{name} is {found[name]}, not {wanted[name]}" for name in unlike[:2]]
    return " and ".join(differences)


def shapes(tensors: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor, by name."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise ValueError(f"it contains {twice[:80]!r} twice")
    return entries


def _checked_metadata(metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are not strings")
    return metadata


def _checked_tensors(entries: dict[str, Any], size: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Dtypes and shapes; ValueError unless the tensors fill the file's `size` bytes, one after the other."""
    tensors, ranges = {}, []
    for name, entry in entries.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"the entry of {name[:80]!r} is not a dtype, a shape and offsets")
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        if kind not in ITEM_BYTES or not all(type(number) is int and number >= 0 for number in (*shape, start, end)):
            raise ValueError(f"{name[:80]!r} has an unknown dtype or an impossible shape")
        if len(shape) > 8 or end - start != math.prod(shape) * ITEM_BYTES[kind]:
            raise ValueError(f"the bytes of {name[:80]!r} do not match its shape")
        ranges.append((start, end))
        tensors[name] = kind, tuple(shape)
    position = 0
    for start, end in sorted(ranges):
        if start != position:
            raise ValueError("its tensors leave gaps or overlap")
        position = end
    if position != size:
        raise ValueError(f"its tensors take {position:,} bytes, but there are {size:,}")
    return tensors
