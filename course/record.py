"""What the learner did, kept on this machine alone: one JSON line an event in record.jsonl, only ever appended to.

Each line holds `version`, `time` (UTC, ISO 8601), `kind` and the fields of its kind: "prediction", "quiz", "check",
"hint". Two kernels may write at once: a line goes out in a single write to a file opened for appending.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from course.runtime import home

VERSION = 1


def path() -> Path:
    """The file that holds the record."""
    return home() / "record.jsonl"


def append(kind: str, **fields: Any) -> bool:
    """True once the event is on the disk; False, with one printed line, when the disk is full or read-only.

    The fields must be what JSON can hold; TypeError otherwise.
    """
    event = {"version": VERSION, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), "kind": kind}
    line = json.dumps(event | fields).encode() + b"\n"
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        with open(path(), "a+b", buffering=0) as file:
            if _ends_torn(file):
                line = b"\n" + line
            written = file.write(line)
    except OSError as error:
        print(f"not remembered: {path()} cannot be written ({error.strerror}); set COURSE_HOME to a folder that can")
        return False
    if written != len(line):
        print(f"not remembered: the disk of {path()} is full; free some space or set COURSE_HOME to another folder")
        return False
    return True


def read() -> list[dict[str, Any]]:
    """All events, oldest first. Damaged lines and those of a newer version are left out, and stay in the file."""
    try:
        lines = path().read_bytes().split(b"\n")
    except OSError:
        return []
    events = (_parse(line) for line in lines)
    return [event for event in events if event is not None]


def latest(kind: str, id: str) -> dict[str, Any] | None:
    """The newest event of this kind whose field `id` is `id`, or None."""
    return next((event for event in reversed(read()) if event["kind"] == kind and event.get("id") == id), None)


def _ends_torn(file: Any) -> bool:
    """True when the last writer was stopped within a line, so that the next one must begin a new line."""
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or event.get("version") != VERSION or not isinstance(event.get("kind"), str):
        return None
    return event
