"""Notebooks on disk: read with clear errors, written so that the same notebook always gives the same bytes."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from course.errors import AuthoringError
from course.files import replacing

# No version of Python and no date: the file must not change with the machine that built it.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read(path: Path) -> NotebookNode:
    """The notebook in this file, with cell ids as in nbformat 4.5. Raises AuthoringError if it isn't a notebook."""
    try:
        nb = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except FileNotFoundError:
        raise AuthoringError(f"{path} does not exist") from None
    except (OSError, ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError) as error:
        raise AuthoringError(f"{path} is not a valid notebook ({error}); save or convert it again") from error
    if (nb.nbformat, nb.nbformat_minor) < (4, 5):
        nb.nbformat_minor = 5
        for cell in nb.cells:
            cell.setdefault("id", nbformat.v4.new_raw_cell().id)
    return nb


def text(nb: NotebookNode) -> str:
    """The notebook as the text of its file: keys sorted, indented by one space, with a newline at the end."""
    nbformat.validate(nb)
    return nbformat.writes(nb, version=4).rstrip("\n") + "\n"


def write(nb: NotebookNode, path: Path) -> None:
    """Replace the file in one step: a reader sees the old notebook or the new one, never a part. Raises CannotWrite."""
    with replacing(path, parents=True) as unfinished:
        unfinished.write_text(text(nb), encoding="utf-8", newline="\n")


def exercise_of(cell: NotebookNode) -> str | None:
    """The id in the first line of an exercise cell, as written; None for every other cell."""
    if cell.cell_type != "code":
        return None
    match = re.match(r"#\s*exercise\s*:[ \t]*(.*?)[ \t]*(\n|$)", cell.source)
    return match[1] if match else None


def is_made_up(cell_id: str) -> bool:
    """True for an id as editors make them up: eight hexadecimal digits by nbformat, a UUID by JupyterLab."""
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}", cell_id) is not None


def without_outputs(nb: NotebookNode) -> NotebookNode:
    """A copy of the notebook that has not been run."""
    bare = copy.deepcopy(nb)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return bare


def content(nb: NotebookNode) -> dict[str, Any]:
    """What an author wrote, without outputs: metadata, and id, type, source and metadata of each cell."""
    cells = [
        {"id": cell.get("id"), "type": cell.cell_type, "source": cell.source, "metadata": cell.metadata}
        for cell in nb.cells
    ]
    return json.loads(json.dumps({"metadata": nb.metadata, "cells": cells}))
