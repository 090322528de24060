"""The files in a source, a folder or a zip: listed, and none of them extracted, followed or opened."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from course.grading.grades import MAX_NOTEBOOK
from course.notebook.workspace import EARLIER

WEIGHTS_ENDING = ".safetensors"
NOTEBOOK_ENDINGS = (".ipynb", ".ipynb.txt", ".ipynb.json")  # the last two: as some browsers save it
MAX_DIRECTORY = 10 * 2**20  # bytes of a zip's table of contents: a class of 1,000 with 100 files each
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_IGNORED = ("__macosx", "__pycache__", EARLIER)
_EXTENDED_TIME = 0x5455  # a field of a zip's member with the time in UTC


@dataclass(frozen=True)
class Found:
    """A file in a source. `parts` are its folders and its name below the source; `problem` as in Submission."""

    parts: tuple[str, ...]
    path: Path
    member: str = ""
    changed: datetime | None = None  # in UTC
    problem: str = ""

    @property
    def is_notebook(self) -> bool:
        return self.parts[-1].lower().endswith(NOTEBOOK_ENDINGS)

    @property
    def is_weights(self) -> bool:
        return self.parts[-1].lower().endswith(WEIGHTS_ENDING)

    @property
    def is_work(self) -> bool:
        """True for what is graded: a notebook, or a capstone's weights."""
        return self.is_notebook or self.is_weights


@dataclass(frozen=True)
class Source:
    """What was named on the command line: a folder or a zip, and the files in it in a fixed order."""

    path: Path
    files: list[Found] = field(default_factory=list)
    clones: frozenset[str] = frozenset()  # folders of its own that are clones of a git repository

    @property
    def name(self) -> str:
        """What it is called, without the ending of a zip."""
        return self.path.stem if self.path.is_file() else self.path.name


def is_ignored(name: str) -> bool:
    """True for the name of a hidden file, of what computers leave behind, and of a learner's earlier versions."""
    return name.startswith(".") or name.lower() in _IGNORED


def in_folder(folder: Path, below: Path | None = None) -> Source:
    """The files of a folder and those below it, or only those at or below one path in it. Links are not followed."""
    if below is not None and (below.is_symlink() or not below.is_dir()):
        return Source(folder, [_file(below, below.relative_to(folder).parts)])
    files, clones = [], set()
    waiting = [below or folder]
    while waiting:
        here = waiting.pop()
        parts = here.relative_to(folder).parts
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            files.append(Found((*parts, here.name), here, problem=f"the folder cannot be read ({error.strerror})"))
            continue
        for entry in entries:
            if entry.name == ".git" and len(parts) == 1:
                clones.add(parts[0])
            if is_ignored(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(here / entry.name)
            else:
                files.append(_file(here / entry.name, (*parts, entry.name)))
    return Source(folder, sorted(files, key=lambda found: found.parts), frozenset(clones))


def _file(path: Path, parts: tuple[str, ...]) -> Found:
    try:
        status = path.lstat()
    except OSError as error:
        return Found(parts, path, problem=f"it cannot be read ({error.strerror})")
    if stat.S_ISLNK(status.st_mode):
        # Not even within the class: it might lead to another learner's answers.
        return Found(parts, path, problem="it is a link to another file, which is not followed")
    if not stat.S_ISREG(status.st_mode):
        return Found(parts, path, problem="it is not an ordinary file")
    problem = "" if status.st_size <= MAX_NOTEBOOK else _too_large(status.st_size, path.name)
    return Found(parts, path, changed=_utc(status.st_mtime), problem=problem)


def _too_large(size: int, name: str) -> str:
    weights = name.lower().endswith(WEIGHTS_ENDING)
    remedy = "no architecture of the capstone takes as much" if weights else "its outputs must be cleared"
    return f"it takes {size / 2**20:.0f} MiB, and {MAX_NOTEBOOK // 2**20} MiB is the limit: {remedy}"


def in_zip(path: Path) -> Source:
    """The files of a zip, unopened. A zip that cannot be read at all is one file with a problem."""
    try:
        with path.open("rb") as stream, zipfile.ZipFile(_Bounded(stream)) as archive:
            members = archive.infolist()
    except _TooManyMembers as error:
        return Source(path, [Found((path.name,), path, problem=str(error))])
    except (
        OSError,
        zipfile.BadZipFile,
        ValueError,
        NotImplementedError,
        struct.error,
        OverflowError,
        EOFError,
    ) as error:
        return Source(path, [Found((path.name,), path, problem=f"the zip cannot be read ({error}): it is damaged")])
    seen: dict[str, Found] = {}
    for member in members:
        if member.is_dir():
            continue
        found = _member(path, member)
        if any(map(is_ignored, found.parts)):
            continue
        if member.filename in seen:
            found = Found(found.parts, path, member.filename, problem="the zip holds two files of this name")
        seen[member.filename] = found
    if not seen:
        return Source(path, [Found((path.name,), path, problem="the zip is empty")])
    return Source(path, sorted(seen.values(), key=lambda found: (found.parts, found.member)))


class _TooManyMembers(Exception):
    pass


class _Bounded:
    """A file that refuses to read a zip's table of contents when that would fill the memory."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY:
            raise _TooManyMembers(f"the zip's table of contents takes {size / 2**20:.0f} MiB: too many files")
        return self._stream.read(size)


def _member(path: Path, member: zipfile.ZipInfo) -> Found:
    name = _name(member)
    parts = tuple(part for part in name.split("/") if part not in ("", ".", "..")) or ("",)
    return Found(parts, path, member.filename, _member_time(member), _member_problem(name, member))


def _name(member: zipfile.ZipInfo) -> str:
    """The member's name with / between its folders; some programs write \\ there, or UTF-8 without saying so."""
    name = member.orig_filename.split("\0")[0]
    if not member.flag_bits & 0x800:
        with suppress(UnicodeEncodeError, UnicodeDecodeError):  # it is cp437 then
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _member_problem(name: str, member: zipfile.ZipInfo) -> str:
    if name.startswith("/") or ".." in name.split("/") or name[1:3] == ":/":
        return "its name in the zip leads out of the zip"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "it is a link to another file, which is not followed"
    if member.flag_bits & 0x1:
        return "it is encrypted"
    if member.compress_type not in _READABLE:
        return f"it is compressed by method {member.compress_type}, which cannot be read"
    return "" if member.file_size <= MAX_NOTEBOOK else _too_large(member.file_size, name)


def _member_time(member: zipfile.ZipInfo) -> datetime | None:
    for kind, content in _extra_fields(member.extra):
        if kind == _EXTENDED_TIME and len(content) >= 5 and content[0] & 1:
            return _utc(struct.unpack("<i", content[1:5])[0])
    try:
        return datetime(*member.date_time).astimezone(UTC)  # it names no time zone
    except (ValueError, OverflowError, OSError):
        return None


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        yield kind, extra[4 : 4 + length]
        extra = extra[4 + length :]


def _utc(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def common_folder(paths: Iterable[Path]) -> Path:
    """The innermost folder that holds all of these folders."""
    return Path(os.path.commonpath(list(paths)))
