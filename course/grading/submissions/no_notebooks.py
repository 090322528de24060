"""Error messages for sources that contain no notebook: what there is instead, and what to name."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path, PurePath

from course.errors import SubmissionError
from course.grading.submissions.found import NOTEBOOK_ENDINGS, Source, is_ignored

_MOST = 4  # kinds of files that are counted


def nothing_at(text: str) -> str:
    """Of a source that matches nothing: what is in the folder where it would be, if there is that folder."""
    folder = Path(text).parent
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.is_dir() and not is_ignored(entry.name))
    except (OSError, ValueError):
        names = []
    if not names:
        return f"{text} matches nothing; name a folder, a zip or a notebook that exists"
    notebooks = any(name.lower().endswith(NOTEBOOK_ENDINGS) for name in names)
    advice = f"name the folder itself, {folder}" if notebooks else _advice(folder, names)
    return (
        f"{text} matches nothing, and the folder {folder} holds {_counted(names)}; {advice or 'name one that exists'}"
    )


def refuse_without_notebooks(source: Source) -> None:
    """Raise SubmissionError for a folder that holds no notebook, but zips that should have been named themselves.

    A zip beside others' notebooks is one learner's; where there is no notebook, the zips are what a system exported.
    """
    names = [found.parts[-1] for found in source.files if len(found.parts) == 1]
    if source.path.is_file() or len(names) < len(source.files) or any(found.is_work for found in source.files):
        return
    if advice := _advice(source.path, names):
        raise SubmissionError(f"the folder {source.path} holds no notebook, only {_counted(names)}; {advice}")


def _advice(folder: Path, names: list[str]) -> str:
    zips = [name for name in names if name.lower().endswith(".zip")]
    if not zips:
        return ""
    return f"name the zip itself, {folder / zips[0]}" if len(zips) == 1 else f"name the zips, {folder / '*.zip'}"


def _counted(names: list[str]) -> str:
    """The kinds of files, by the endings of their names: "2 .zip, 1 .csv"."""
    counts = Counter(PurePath(name).suffix.lower() or "without an ending" for name in names)
    kinds = [f"{count} {ending}" for ending, count in sorted(counts.items(), key=lambda kind: (-kind[1], kind[0]))]
    return ", ".join([*kinds[:_MOST], *(["others"] if len(kinds) > _MOST else [])])
