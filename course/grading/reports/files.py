"""Names for files that are safe whatever a learner is called, and writing that never leaves half a file."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

from course.errors import GradingError
from course.files import replacing

_PLAIN = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")
_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d|index")  # devices of Windows, and the page of the class
_MAX_BYTES = 120  # a name may have 255, and some systems count a path's 260 in all
_OURS = (
    b"http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-"  # as base.html.j2 begins
)
_HASH = 10  # characters


def file_name(learner: str) -> str:
    """A name for the page of a learner, without its ending: always the same, and another for everyone else.

    A short plain name stays. Any other keeps its letters and digits, and gets a hash of the original, which also
    tells apart those that systems take for the same (`Anna` and `anna`).
    """
    if (
        _PLAIN.fullmatch(learner)
        and len(learner) <= 60
        and not _RESERVED.fullmatch(learner)
        and not _looks_hashed(learner)
    ):
        return learner
    digest = hashlib.sha256(learner.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    kept = "".join(char if char.isalnum() else "-" for char in unicodedata.normalize("NFC", learner[:400]))
    kept = re.sub("-+", "-", kept).strip("-").encode()[:_MAX_BYTES].decode("utf-8", "ignore")
    return f"{kept or 'learner'}-{digest}"


def _looks_hashed(name: str) -> bool:
    """True for a plain name that could be somebody else's name with its hash."""
    return re.fullmatch(rf".*-[0-9a-f]{{{_HASH}}}", name) is not None


def write_if_changed(path: Path, text: str) -> bool:
    """Write a file whole or not at all; False when it held this text already.

    Raises GradingError where it cannot be written; the older file is still there then.
    """
    content = text.encode("utf-8", "replace")
    try:
        if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
            return False
        with replacing(path, parents=True, durable=False) as unfinished:  # `course report` writes them again
            unfinished.write_bytes(content)
    except OSError as error:
        raise GradingError(
            f"the report {path} cannot be written ({error.strerror}); the grades are safe in the gradebook: "
            "make room or choose another folder, and run `course report`"
        ) from error
    return True


def remove_others(folder: Path, kept: Collection[str]) -> None:
    """Remove the pages of a folder whose names are not among these; other files stay.

    Raises GradingError where one cannot be removed.
    """
    for path in sorted(folder.glob("*.html")):
        try:
            if path.name not in kept and path.is_file() and _OURS in path.read_bytes()[:1000]:
                path.unlink()
        except OSError as error:
            raise GradingError(
                f"{path} is the page of a learner who is no longer there, and cannot be removed ({error.strerror}); "
                "remove it before you hand out the folder"
            ) from error
