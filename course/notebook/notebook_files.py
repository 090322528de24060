"""Notebooks on disk: read with a clear error, written so that the same notebook is always the same bytes."""

from __future__ import annotations

import json
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
    """The notebook in this file, with nbformat 4.5's cell ids. Raises AuthoringError if it is not a notebook."""
    try:
        nb = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except FileNotFoundError:
        raise AuthoringError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError, ValueError, AttributeError) as error:
        raise AuthoringError(f"{path} cannot be read as a notebook ({error}); convert it again") from error
    if (nb.nbformat, nb.nbformat_minor) < (4, 5):
        nb.nbformat_minor = 5
        for cell in nb.cells:
            cell.setdefault("id", nbformat.v4.new_raw_cell().id)
    return nb


def text(nb: NotebookNode) -> str:
    """What the file of this notebook holds: sorted keys, indented by one, ended by a newline."""
    nbformat.validate(nb)
    return nbformat.writes(nb, version=4).rstrip("\n") + "\n"


def write(nb: NotebookNode, path: Path) -> None:
    """Write the notebook in one step: a reader sees the old file or the new one, never half. Raises CannotWrite."""
    with replacing(path, parents=True) as unfinished:
        unfinished.write_text(text(nb), encoding="utf-8", newline="\n")


def content(nb: NotebookNode) -> dict[str, Any]:
    """What an author wrote, without outputs: metadata, and id, type, source and metadata of each cell."""
    cells = [
        {"id": cell.get("id"), "type": cell.cell_type, "source": cell.source, "metadata": cell.metadata}
        for cell in nb.cells
    ]
    return json.loads(json.dumps({"metadata": nb.metadata, "cells": cells}))
