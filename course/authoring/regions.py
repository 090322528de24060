"""From a solution to what a learner gets: each solution region becomes one `raise NotImplementedError`."""

from __future__ import annotations

import ast
import copy
import re

from nbformat import NotebookNode

from course.errors import AuthoringError, MarkerError

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"
STUB = "raise NotImplementedError  # replace this line with your code"

# Looks meant as a marker; unless it is exactly one, the answer below it would reach the learner.
_ALMOST = re.compile(r"#\s*(begin|end)[\W_]*solution", re.IGNORECASE)


def release(nb: NotebookNode, name: str) -> NotebookNode:
    """A copy of the normalised notebook `name` without answers and without outputs.

    Raises MarkerError where a marker is unpaired, nested, misspelt or outside an exercise cell, and AuthoringError
    where what is left of an exercise cell is not Python.
    """
    released = copy.deepcopy(nb)
    for cell in released.cells:
        where = f"solutions/{name}.ipynb, cell {cell.id}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        found = regions(cell.source, where)
        if not cell.metadata.get("nbgrader", {}).get("solution"):
            if found:
                raise MarkerError(
                    f'{where}: a solution marker outside an exercise cell; begin that with "# exercise: NN-verb-phrase"'
                )
            continue
        if not found:
            raise MarkerError(
                f"{where}: an exercise without a solution region; put the answer between {BEGIN} and {END}"
            )
        cell.source = without_regions(cell.source, found)
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            raise AuthoringError(
                f"{where}: without its solution regions it is not Python ({error.msg}, line {error.lineno}); "
                "a region must hold whole statements of one block"
            ) from error
    return released


def regions(source: str, where: str) -> list[tuple[int, int]]:
    """(first, last) line, from 0 and markers included, of each solution region. Raises MarkerError naming `where`."""
    found: list[tuple[int, int]] = []
    begun: int | None = None
    for number, line in enumerate(source.splitlines()):
        here = f"{where}, line {number + 1}"
        marker = line.strip()
        if marker == BEGIN:
            if begun is not None:
                raise MarkerError(f"{here}: {BEGIN} inside the region begun in line {begun + 1}; end that one first")
            begun = number
        elif marker == END:
            if begun is None:
                raise MarkerError(f"{here}: {END} without {BEGIN} above it")
            if number == begun + 1:
                raise MarkerError(f"{here}: the region is empty; put the answer between the markers")
            found.append((begun, number))
            begun = None
        elif _ALMOST.search(line):
            raise MarkerError(f"{here}: {marker!r} is almost a marker; write {BEGIN!r} or {END!r}, alone in its line")
    if begun is not None:
        raise MarkerError(f"{where}, line {begun + 1}: {BEGIN} without {END} below it")
    return found


def without_regions(source: str, found: list[tuple[int, int]]) -> str:
    """The source with each region replaced by the stub, indented as its first marker."""
    lines = source.splitlines()
    for first, last in reversed(found):
        indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
        lines[first : last + 1] = [indent + STUB]
    return "\n".join(lines)
