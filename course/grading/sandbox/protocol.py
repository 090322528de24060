"""What the grader and the process behind the sandbox say to each other: one request, then one reply per case.

A message is a JSON object and bytes, each with its length before it. Both sides' limits are checked before anything is
read into memory; what comes out of the sandbox may have been written by the answer itself.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from course.errors import WireError
from course.judging import wire
from course.judging.results import Failure, NotRun, Reply

_SIZES = struct.Struct(">II")
MAX_WORDS = 256 * 1024  # bytes of a reply's JSON
MAX_REPLY = wire.MAX_BYTES + 2 * wire.MAX_HEADER
KINDS = ("error", "timeout", "interrupted", "withheld", "unusable", "missing")
_SHOWN = 4_000  # characters of a text that are kept
_MOST_NOT_RUN = 8  # statements that failed; the first says enough


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
    not_run = [asdict(one) | {"names": list(one.names)[:8]} for one in reply.not_run[:_MOST_NOT_RUN]]
    return pack({"failure": failure, "printed": reply.printed, "not_run": not_run}, reply.artefacts or b"")


def unpack_reply(read: Callable[[int], bytes]) -> Reply:
    """A reply, outside. Raises WireError for anything that `pack_reply` could not have written."""
    said, artefacts = unpack(read, words=MAX_WORDS, blob=MAX_REPLY)
    if said.keys() != {"failure", "printed", "not_run"} or not isinstance(said["printed"], str):
        raise WireError("a reply came back that lacks its parts")
    printed, not_run = _clean(said["printed"]), _statements(said["not_run"])
    if said["failure"] is None:
        wire.decode(artefacts)  # once more in the judge, for each its own copy
        return Reply(artefacts, None, printed, not_run)
    failure = said["failure"]
    if artefacts or not _has_texts(failure, [part.name for part in fields(Failure)]):
        raise WireError("a reply came back with a failure that lacks its parts")
    if failure["kind"] not in KINDS:
        raise WireError("a reply came back with a failure of an unknown kind")
    return Reply(None, Failure(**{name: _clean(text) for name, text in failure.items()}), printed, not_run)


def _statements(said: Any) -> tuple[NotRun, ...]:
    """The statements that failed. Raises WireError for anything that `pack_reply` could not have written."""
    texts = [part.name for part in fields(NotRun) if part.name not in ("names", "essential")]
    if not isinstance(said, list) or len(said) > _MOST_NOT_RUN:
        raise WireError("a reply came back whose statements are no list, or too many")
    return tuple(_statement(one, texts) for one in said)


def _statement(said: Any, texts: list[str]) -> NotRun:
    if not isinstance(said, dict) or not isinstance(said.get("essential"), bool):
        raise WireError("a reply came back with a statement that lacks its parts")
    names, rest = said.get("names"), {name: said[name] for name in said.keys() - {"names", "essential"}}
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not _has_texts(rest, texts):
        raise WireError("a reply came back with a statement that lacks its parts")
    cleaned = {name: _clean(text) for name, text in rest.items()}
    return NotRun(names=tuple(map(_clean, names)), essential=said["essential"], **cleaned)


def _has_texts(said: Any, names: list[str]) -> bool:
    return isinstance(said, dict) and said.keys() == set(names) and all(isinstance(said[name], str) for name in names)


def _clean(text: str) -> str:
    return text[:_SHOWN].encode("utf-8", "replace").decode("utf-8")
