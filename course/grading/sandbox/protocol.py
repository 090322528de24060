"""What the grader and the process behind the sandbox say to each other: one request, then one reply per case.

A message is a JSON object and bytes, each with its length before it. Both sides' limits are checked before anything is
read into memory; what comes out of the sandbox may have been written by the answer itself.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from course.errors import WireError
from course.judging import wire
from course.judging.results import Failure, Reply

_SIZES = struct.Struct(">II")
MAX_WORDS = 256 * 1024  # bytes of a reply's JSON
MAX_REPLY = wire.MAX_BYTES + 2 * wire.MAX_HEADER
KINDS = ("error", "timeout", "interrupted", "withheld", "unusable", "missing")
_SHOWN = 4_000  # characters of a text that are kept


def pack(words: dict[str, Any], blob: bytes = b"") -> bytes:
    """A message as bytes."""
    text = json.dumps(words).encode()
    return _SIZES.pack(len(text), len(blob)) + text + blob


def unpack(read: Callable[[int], bytes], *, words: int = 2**30, blob: int = 2**30) -> tuple[dict[str, Any], bytes]:
    """A message, from a function that returns exactly so many bytes. Raises WireError if there is none."""
    sizes = _SIZES.unpack(read(_SIZES.size))
    if sizes[0] > words or sizes[1] > blob:
        raise WireError(f"a message of {sum(sizes):,} bytes came back; {words + blob:,} are allowed")
    try:
        said = json.loads(read(sizes[0]))
    except (ValueError, RecursionError) as error:
        raise WireError("a message came back that is not JSON") from error
    if not isinstance(said, dict):
        raise WireError("a message came back that is not a JSON object")
    return said, read(sizes[1])


def pack_reply(reply: Reply) -> bytes:
    """A reply as bytes, inside the sandbox."""
    failure = asdict(reply.failure) if reply.failure else None
    return pack({"failure": failure, "printed": reply.printed}, reply.artefacts or b"")


def unpack_reply(read: Callable[[int], bytes]) -> Reply:
    """A reply, outside. Raises WireError for anything that `pack_reply` could not have written."""
    said, artefacts = unpack(read, words=MAX_WORDS, blob=MAX_REPLY)
    if said.keys() != {"failure", "printed"} or not isinstance(said["printed"], str):
        raise WireError("a reply came back that lacks its parts")
    printed = _clean(said["printed"])
    if said["failure"] is None:
        wire.decode(artefacts)  # once more in the judge, for each its own copy
        return Reply(artefacts, None, printed)
    failure = said["failure"]
    texts = ("kind", "message", "traceback")
    if not isinstance(failure, dict) or failure.keys() != set(texts) or artefacts:
        raise WireError("a reply came back with a failure that lacks its parts")
    if not all(isinstance(failure[name], str) for name in texts) or failure["kind"] not in KINDS:
        raise WireError("a reply came back with a failure of an unknown kind")
    return Reply(None, Failure(**{name: _clean(failure[name]) for name in texts}), printed)


def _clean(text: str) -> str:
    return text[:_SHOWN].encode("utf-8", "replace").decode("utf-8")
