"""Progress bars, shown only if somebody watches."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from course.runtime import is_live

Item = TypeVar("Item")

# Anything shorter ends before a bar could be read.
DELAY_S = 2.0


def progress_bar(iterable: Iterable[Item], description: str, *, total: int | None = None) -> Iterable[Item]:
    """The items of `iterable`, with a progress bar that appears after two seconds and disappears at the end.

    `total` is the number of items if `iterable` has no length. When nobody watches (see `runtime.is_live`) the iterable
    itself is returned and nothing is shown.
    """
    if not is_live():
        return iterable
    from tqdm.auto import tqdm

    return tqdm(iterable, desc=description, total=total, delay=DELAY_S, leave=False)


def is_watched() -> bool:
    """Whether somebody watches a notebook (see `runtime.is_live`) or a terminal."""
    return is_live() or (sys.stderr.isatty() and not {"COURSE_LIVE", "CI"} & set(os.environ))


def download_bar(total: int | None, start: int, description: str) -> Any:
    """A tqdm bar over the bytes of a download, of which `start` are there already; `update(n)` adds n bytes."""
    from tqdm.auto import tqdm

    return tqdm(
        total=total, initial=start, desc=description, unit="B", unit_scale=True, delay=DELAY_S, leave=False,
        disable=not is_watched(),
    )  # fmt: skip
