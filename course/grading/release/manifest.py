"""MANIFEST.json: the sha256 of every file of a release, and whether a folder still holds exactly these."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from course.errors import GradingError

NAME = "MANIFEST.json"
FORMAT = "pretrained-course release 1"


def write_manifest(folder: Path) -> tuple[str, ...]:
    """Write the manifest of a folder; the names of the files in it, in order."""
    files = {
        name: {"sha256": _sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in _names(folder)
    }
    content = {"format": FORMAT, "files": files}
    (folder / NAME).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return tuple(files)


def make_parent(out: Path) -> None:
    """Make the folder that a release is to lie in. Raises GradingError where that cannot be done."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GradingError(f"{out.parent} cannot be made ({error.strerror}); name another place: --out") from error


def is_release(folder: Path) -> bool:
    """True for a folder with a manifest of ours."""
    try:
        return bool(_read(folder))
    except GradingError:
        return False


def verify(folder: str | Path) -> list[str]:
    """One line for each file that is missing, changed or added since the release; empty when it is as released.

    Raises GradingError for a folder without a manifest. Hashes show accidents, and changes to a copy whose manifest
    you have from elsewhere; anyone who changes a file can change the manifest beside it too.
    """
    folder = Path(folder)
    files = _read(folder)["files"]
    lines = []
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            lines.append(f"{name} is missing")
        elif not isinstance(expected, dict) or _sha256(path) != expected.get("sha256"):
            lines.append(f"{name} was changed")
    return lines + [f"{name} was added" for name in _names(folder) if name not in files]


def _read(folder: Path) -> dict[str, Any]:
    path = folder / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise GradingError(
            f"{folder} is not a release: {NAME} cannot be read ({error}); name a released folder"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("files"), dict):
        raise GradingError(f"{path} is not the manifest of a release ({FORMAT!r}); name a released folder")
    return content


def _names(folder: Path) -> list[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return sorted(path.as_posix() for path in found if path.as_posix() != NAME)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
