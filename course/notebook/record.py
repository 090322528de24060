"""What the learner did, kept on this machine only: one JSON line per event in record.jsonl, which is only appended to.

Each line holds `version`, `time` (UTC, ISO 8601), `kind` and the fields of its kind: "prediction", "outcome", "seen",
"quiz", "check", "hint". Two kernels may write at the same time: a line is a single write to a file opened for
appending.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from course.runtime import home

VERSION = 1


def path() -> Path:
    """The file that holds the record."""
    return home() / "record.jsonl"


def append(kind: str, **fields: Any) -> bool:
    """True if the event was saved; False, with one printed line, if the disk is full or read-only.

    Raises TypeError unless JSON can represent the fields.
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
        print(f"not saved: {path()} cannot be written ({error.strerror}); set COURSE_HOME to a folder that can")
        return False
    if written != len(line):
        print(f"not saved: the disk of {path()} is full; free some space or set COURSE_HOME to another folder")
        return False
    return True


class Content(NamedTuple):
    """The record's events, oldest first, and one line about what could not be read, or an empty text."""

    events: list[dict[str, Any]]
    complaint: str


def content() -> Content:
    """The record's content. Damaged lines and those of a newer version are skipped, counted, and stay in the file."""
    try:
        lines = path().read_bytes().split(b"\n")
    except FileNotFoundError:
        return Content([], "")
    except OSError as error:
        return Content([], f"{path()} cannot be read ({error.strerror}); set COURSE_HOME to a folder that can")
    parsed = [_parse(line) for line in lines if line]
    events = [event for event in parsed if event and event.get("version") == VERSION]
    newer = sum(event is not None and event.get("version") != VERSION for event in parsed)
    return Content(events, _complaint(len(parsed) - len(events) - newer, newer))


def read() -> list[dict[str, Any]]:
    """All events that can be read, oldest first."""
    return content().events


def latest(kind: str, id: str) -> dict[str, Any] | None:
    """The newest event of this kind whose field `id` is `id`, or None."""
    return next((event for event in reversed(read()) if event["kind"] == kind and event.get("id") == id), None)


def _ends_torn(file: Any) -> bool:
    """True if the last writer was stopped within a line, so that the next one must start a new line."""
    if _ends_within_a_line(file):
        time.sleep(0.05)  # another kernel may be writing it right now
        return _ends_within_a_line(file)
    return False


def _ends_within_a_line(file: Any) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _parse(line: bytes) -> dict[str, Any] | None:
    """The event, of this version or a newer one, or None for a damaged line."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or not isinstance(event.get("kind"), str):
        return None
    version = event.get("version")
    return event if isinstance(version, int) and version >= VERSION else None


def _complaint(damaged: int, newer: int) -> str:
    """One line about skipped lines, and what to do; empty if there are none."""
    parts = []
    if damaged:
        parts.append(f"{_lines(damaged)} damaged, by a crash or another program")
    if newer:
        parts.append(f"{_lines(newer)} from a newer version of the course: update this one to see what they hold")
    return f"of {path()}, {', and '.join(parts)}; nothing was deleted, the rest counts" if parts else ""


def _lines(number: int) -> str:
    return "1 line is" if number == 1 else f"{number} lines are"
