"""Sources on the command line that must be a mistake: refused before anything is read, with a suggestion."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Sequence
from pathlib import Path

from course.errors import SubmissionError
from course.grading.submissions.found import NOTEBOOK_ENDINGS, WEIGHTS_ENDING, is_ignored

_GRADED = (*NOTEBOOK_ENDINGS, WEIGHTS_ENDING, ".zip")
_MOST = 3  # folders that are named


def refuse_mistyped(sources: Sequence[str | Path]) -> None:
    """Raise SubmissionError where every source is a file that cannot be graded, or where one is not there but folders
    beside it hold notebooks."""
    paths = [Path(os.path.expanduser(os.fspath(source))) for source in sources]
    if paths and all(os.path.isfile(path) and not path.name.lower().endswith(_GRADED) for path in paths):
        what = "is not a notebook, zip or capstone.safetensors"
        raise SubmissionError(f"{paths[0]} {what}; name one, or the folder with what was handed in")
    for path in paths:
        if not os.path.lexists(path) and not glob.glob(str(path), recursive=True) and (near := _with_notebooks(path)):
            shown = ", ".join(map(str, near[:_MOST])) + (f" and {len(near) - _MOST} more" if len(near) > _MOST else "")
            raise SubmissionError(f"{path} matches nothing; notebooks or zips are in {shown}: name what you mean")


def _with_notebooks(path: Path) -> list[Path]:
    """The folders beside a path that hold notebooks, or folders of notebooks: the most similar names first."""
    try:
        beside = [one for one in sorted(path.parent.iterdir()) if one.is_dir() and not is_ignored(one.name)]
        found = [one for one in beside if any(next(one.glob(p), None) for p in ("*.ipynb", "*/*.ipynb", "*.zip"))]
    except (OSError, ValueError):
        return []
    return sorted(found, key=lambda one: -difflib.SequenceMatcher(None, one.name, path.name).ratio())
