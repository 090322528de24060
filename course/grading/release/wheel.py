"""The library as a wheel, built by hatchling in this process: needs no network, the same bytes for the same sources."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

from course.errors import GradingError
from course.extras import needed_for
from course.files import DISK_FULL_ERRORS, cannot_write

_EPOCH = "SOURCE_DATE_EPOCH"
_DATE = str(1_580_601_600)  # the one that hatchling takes by itself: early in 2020


def build_wheel(root: Path, folder: Path) -> Path:
    """The wheel's path in `folder`, built from the clone at `root`.

    Raises MissingExtra without hatchling, GradingError if it cannot be built, CannotWrite if there is no room for it.
    """
    with needed_for("building the wheel"):
        from hatchling.builders.wheel import WheelBuilder
    try:
        with _same_date(), contextlib.redirect_stdout(io.StringIO()):
            built = list(WheelBuilder(str(root)).build(directory=str(folder), versions=["standard"]))
    except (OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL_ERRORS:
            raise cannot_write(folder, error) from error
        raise GradingError(f"the wheel cannot be built ({error}); correct {root / 'pyproject.toml'}") from error
    return Path(built[0])


@contextlib.contextmanager
def _same_date() -> Iterator[None]:
    before = os.environ.get(_EPOCH)
    os.environ[_EPOCH] = before or _DATE
    try:
        yield
    finally:
        if before is None:
            del os.environ[_EPOCH]
