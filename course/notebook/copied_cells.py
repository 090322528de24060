"""Whose each cell of a learner's copy is: the course's as it was copied, one that the learner edited, or a new one.

A copy's metadata holds the digest of its original and, by id, of each cell. Copies of the first edition hold only the
former: there, first_edition_cells.txt says what the course wrote. Colab drops the ids: then a cell is recognised by
its source, and an exercise by its first line.
"""

from __future__ import annotations

import ast
import hashlib
import re
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from course.notebook import notebook_files
from course.notebook.notebook_files import exercise_of

KEY = "pretrained-course"  # in a copy's metadata, which Jupyter preserves
_NEW = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
Kind = Literal["untouched", "edited", "answer", "added"]


@dataclass(frozen=True)
class Piece:
    """A cell of a copy; `id` is the exercise's, or that of the course's cell, even if the cell has lost it."""

    kind: Kind
    cell: NotebookNode
    id: str = ""


class Course:
    """What the course wrote: the cells of an original, and those that a copy was made from."""

    def __init__(self, original: NotebookNode, record: dict[str, Any]) -> None:
        self.cells = {cell.id: cell for cell in original.cells}
        self.exercises = {cell.id for cell in original.cells if exercise_of(cell)}
        self.copied = _texts(record.get("cells"))
        self._written = {*(self.copied.values() or first_edition()), *(digest(cell.source) for cell in original.cells)}
        self._by_digest = {digest(cell.source): cell.id for cell in original.cells}
        self._by_digest |= {of_source: id for id, of_source in self.copied.items()}
        self._parameters = assigned_names(self.cells["parameters"].source) if "parameters" in self.cells else None

    def pieces(self, copy: NotebookNode) -> list[Piece]:
        """The cells of a copy in their order, without empty ones. A cell claims an id before any other its source."""
        cells = [cell for cell in map(_clean, copy.cells) if cell is not None]
        exercises = [self._exercise(cell) for cell in cells]
        claimed: dict[int, str] = {}
        for name in (self._known_id, self._id_by_content):
            for at, cell in enumerate(cells):
                found = "" if exercises[at] or at in claimed else name(cell)
                if found and found not in claimed.values():
                    claimed[at] = found
        return [
            self._piece(cell, exercises[at], claimed.get(at, ""))
            for at, cell in enumerate(cells)
            if cell.source.strip()
        ]

    def wrote(self, source: str) -> bool:
        """True if this is a cell of the course as it was copied, or as it is now."""
        return digest(source) in self._written

    def changed(self, id: str) -> bool:
        """True unless the original's cell is the one that was copied; in a copy of the first edition, one like it."""
        new = digest(self.cells[id].source)
        return self.copied.get(id) != new if self.copied else new not in first_edition()

    def _piece(self, cell: NotebookNode, exercise: str, id: str) -> Piece:
        written = self.wrote(cell.source)
        if exercise:
            return Piece("untouched" if written else "answer", cell, exercise)
        if id:
            return Piece("untouched" if written else "edited", cell, id)
        if self.copied:
            return Piece("added", cell)
        # A copy of the first edition. No editor makes up an id of words, so this cell was the course's.
        of_words = re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", cell.id) and not notebook_files.is_made_up(cell.id)
        return Piece("untouched" if written else "edited" if of_words else "added", cell)

    def _exercise(self, cell: NotebookNode) -> str:
        """The exercise that a cell answers, by nbgrader's metadata, its id or its first line; "" for other cells."""
        if cell.cell_type != "code":
            return ""
        nbgrader = cell.metadata.get("nbgrader")
        graded = nbgrader.get("grade_id") if isinstance(nbgrader, dict) and nbgrader.get("solution") else None
        own = cell.id if cell.id in self.exercises else None
        found = (id for id in (graded, own, exercise_of(cell)) if isinstance(id, str))
        return next((id for id in found if re.fullmatch(r"\d\d(-[a-z0-9]+)+", id)), "")

    def _known_id(self, cell: NotebookNode) -> str:
        tags = cell.metadata.get("tags")
        if isinstance(tags, list) and "parameters" in tags and "parameters" in self.cells:
            return "parameters"
        found = [id for id in (cell.id, cell.metadata.get("id")) if isinstance(id, str)]
        return next((id for id in found if id in self.cells or id in self.copied), "")

    def _id_by_content(self, cell: NotebookNode) -> str:
        if found := self._by_digest.get(digest(cell.source)):
            return found
        names = assigned_names(cell.source) if cell.cell_type == "code" else None
        return "parameters" if self._parameters and names and names >= self._parameters else ""


def digest(source: str) -> str:
    """A short hash of a cell's source."""
    return hashlib.sha256(source.encode(errors="replace")).hexdigest()[:8]


def notebook_digest(nb: NotebookNode) -> str:
    """A hash of what a learner reads and runs in a notebook: its outputs don't matter."""
    return hashlib.sha256(repr(notebook_files.content(nb)["cells"]).encode()).hexdigest()[:16]


def record_of(original: NotebookNode) -> dict[str, Any]:
    """What a copy's metadata says about its original, under KEY."""
    return {
        "copied_from": notebook_digest(original),
        "cells": {cell.id: digest(cell.source) for cell in original.cells},
    }


def record_in(copy: NotebookNode) -> dict[str, Any]:
    """What a copy's metadata says about its original; empty if it says nothing."""
    record = copy.metadata.get(KEY)
    return dict(record) if isinstance(record, dict) else {}


@cache
def first_edition() -> frozenset[str]:
    """The digests of all cells of the first edition."""
    lines = Path(__file__).with_name("first_edition_cells.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(found for line in lines if not line.startswith("#") for found in line.split())


def assigned_names(source: str) -> frozenset[str] | None:
    """The names that a cell of nothing but assignments sets; None for any other cell."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    targets = [node.targets[0] for node in statements if isinstance(node, ast.Assign)]
    names = frozenset(target.id for target in targets if isinstance(target, ast.Name))
    return names if names and len(targets) == len(statements) else None


def _texts(value: Any) -> dict[str, str]:
    """The texts in what should be a dictionary of texts; nobody but the course should have written there."""
    return {key: text for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}


def _clean(cell: NotebookNode) -> NotebookNode | None:
    """The cell without outputs, valid whatever an editor made of it; None if there is nothing to be saved in it."""
    if cell.get("cell_type") not in _NEW or not isinstance(cell.get("source"), str):
        return None
    clean = _NEW[cell.cell_type](cell.source)
    if isinstance(cell.get("metadata"), dict):
        clean.metadata = deepcopy(cell.metadata)
    if isinstance(cell.get("attachments"), dict) and cell.cell_type != "code":
        clean.attachments = cell.attachments
    if isinstance(cell.get("id"), str) and re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", cell.id):
        clean.id = cell.id
    return clean
