"""A notebook file, read as data: nothing in it is executed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.errors import ExerciseError
from course.judging.file_signatures import described

_MAX_BYTES = 50 * 2**20
_MAX_CELLS, _MAX_CODE = 2_000, 5_000_000  # of code in a notebook; the latter in characters


@dataclass(frozen=True)
class Notebook:
    """The code cells of a notebook, its other cells, and the Python that it was last run with, (3, 12) say, if known.

    A cell has "source" (joined), "id", "metadata" and "type".
    """

    cells: list[dict[str, Any]]
    texts: list[dict[str, Any]]
    python: tuple[int, ...] = ()


def open_notebook(path: Path) -> Notebook:
    """A notebook file. Raises ExerciseError for a file that is not one."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ExerciseError(f"{path} is over {_MAX_BYTES // 2**20} MiB; clear its outputs and save it again")
        content = path.read_bytes()
    except OSError as error:
        raise ExerciseError(f"{path} cannot be read ({error.strerror}); is it the right name?") from error
    return notebook_of(content, str(path))


def notebook_of(content: bytes, name: str) -> Notebook:
    """As `open_notebook`, of a notebook's bytes; `name` is what to call it in messages."""
    try:
        notebook = json.loads(content.decode(json.detect_encoding(content), errors="replace"))
        nbformat_3 = (
            [] if "cells" in notebook else [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
        )
        cells = notebook.get("cells", nbformat_3)
        everything = [_cell(cell) for cell in cells]
        found = [cell for cell in everything if cell["type"] == "code"]
        if len(found) > _MAX_CELLS or sum(len(cell["source"]) for cell in found) > _MAX_CODE:
            most = f"{_MAX_CELLS:,} cells or {_MAX_CODE:,} characters of code"
            raise ExerciseError(f"{name} holds over {most}; remove what is not an answer and save it again")
        return Notebook(found, [cell for cell in everything if cell["type"] != "code"], _python(notebook))
    except json.JSONDecodeError as error:
        if what := described(content):
            advice = "save the notebook in Jupyter and hand in its .ipynb file"
            raise ExerciseError(f"{name} cannot be read: it is {what}, not a notebook; {advice}") from error
        if Path(name).suffix not in ("", ".ipynb"):
            kind = f"its name ends in {Path(name).suffix}, and its content is not JSON"
            raise ExerciseError(f"{name} is not a notebook: {kind}; give the .ipynb file with your answers") from error
        place = f"it is damaged or not a notebook: the JSON ends or breaks in line {error.lineno}"
        raise ExerciseError(f"{name} cannot be read, {place}; download or export it again") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ExerciseError(f"{name} is not a Jupyter notebook; save it as .ipynb and hand in that file") from error


def _cell(cell: dict[str, Any]) -> dict[str, Any]:
    source = cell.get("source", cell.get("input", ""))
    metadata = cell.get("metadata")
    source = "".join(source) if isinstance(source, list) else str(source)
    kept = metadata if isinstance(metadata, dict) else {}
    return {"source": source, "id": cell.get("id"), "metadata": kept, "type": str(cell.get("cell_type"))}


def _python(notebook: dict[str, Any]) -> tuple[int, ...]:
    metadata = notebook.get("metadata")
    language = metadata.get("language_info") if isinstance(metadata, dict) else None
    version = language.get("version") if isinstance(language, dict) else None
    found = re.match(r"3\.(\d{1,3})\b", version) if isinstance(version, str) else None
    return (3, int(found[1])) if found else ()
