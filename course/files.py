"""Atomic writes: files and folders that are written whole or not at all.

What is not finished lies beside its place, under a hidden name that ends in `.part`. It goes when an error stops the
writing. Only a process that is killed leaves it; where there is but one writer, the next one removes it, and elsewhere
it may be deleted by hand. (A download is different: what came of it is kept under the file's own name and `.part`, so
that the next try can go on from there.)
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from course.errors import CannotWrite, CourseError

DISK_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # a full disk, a full quota, a limit on the size of files


@contextmanager
def replacing(
    path: Path, *, parents: bool = False, private: bool = False, durable: bool = True, alone: bool = False
) -> Iterator[Path]:
    """A path beside `path` to write to; in the end it takes the place of `path`, in one step.

    Others see the old file or the new one. After an error the new one is gone and the old one as it was. The new file
    has the permissions of the old one, or those that the umask gives to any new file; a `private` one is readable by
    its owner alone, from the beginning. With `parents` the folders that are missing are made.

    The content is on the disk before the name is, so that a power cut leaves the old file or the new one and never an
    empty one. That takes milliseconds (fsync): `durable=False` leaves it to the system's own time, for files that are
    many and quickly made again. `alone` says that nobody else writes this file, so that what a killed process left of
    it can be removed.

    Raises CannotWrite where the disk is full or the place is not ours, and whatever else is raised while it is written.
    """
    unfinished = _beside(path, alone)
    try:
        with explained(path):
            if parents:
                path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.unlink(missing_ok=True)
            if private:
                os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            yield unfinished
            mode = None if private or not path.exists() else stat.S_IMODE(path.stat().st_mode)
            if durable:
                _flush(unfinished)
            if mode is not None:
                unfinished.chmod(mode)
            put(unfinished, path, durable=durable)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """As `replacing`, for a folder: an empty one to fill, which in the end takes the place of `path`.

    Until then nobody else can look into it. A folder that was there before is moved away first, so for a moment there
    is none, and comes back if the new one cannot be put in its place. Nothing is flushed to the disk: what holds many
    files has a list of them, with sizes or hashes, by which a reader finds out what a power cut took.
    """
    unfinished = _beside(path, alone)
    new, old = unfinished / "new", unfinished / "old"
    try:
        with explained(path):
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(mode=0o700)
            new.mkdir()
            yield new
            if path.exists():
                os.rename(path, old)
            try:
                put(new, path)
            except OSError:
                if old.exists():
                    os.rename(old, path)
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def put(finished: Path, path: Path, *, durable: bool = False) -> None:
    """Give what is finished its name, in one step; if `durable`, so that the name, too, survives a power cut."""
    os.replace(finished, path)
    if durable and os.name == "posix":
        with suppress(OSError):  # some network file systems cannot flush a folder
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raises CannotWrite for an OSError, and for what a library made of one when the disk was full."""
    try:
        yield
    except CourseError:
        raise
    except Exception as error:
        cause = error if isinstance(error, OSError) else _full_disk(error)
        if cause is None:
            raise
        raise cannot_write(path, cause) from error


def cannot_write(path: Path, cause: OSError) -> CannotWrite:
    """The error to raise when `path` cannot be written; it has the `errno` and `strerror` of its cause."""
    reason = cause.strerror or str(cause)
    if cause.errno in DISK_FULL_ERRORS:
        what = f"there is no room for it ({reason}); free some space, or choose another place"
    else:
        what = f"{reason}; choose a place that you may write to"
    error = CannotWrite(f"{path} cannot be written: {what}. What was there before is unchanged")
    error.errno, error.strerror = cause.errno, reason
    return error


def _full_disk(error: BaseException) -> OSError | None:
    """The OSError of a full disk that led to this error: torch, for one, raises a RuntimeError after it."""
    earlier = error.__cause__ or error.__context__
    if isinstance(earlier, OSError) and earlier.errno in DISK_FULL_ERRORS:
        return earlier
    return _full_disk(earlier) if earlier else None


def _beside(path: Path, alone: bool) -> Path:
    """What the unfinished is called: always the same for one that is alone, else as nothing is called yet."""
    return path.with_name(f".{path.name}.part" if alone else f".{path.name[:40]}-{uuid.uuid4().hex[:12]}.part")


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
