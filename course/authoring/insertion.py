"""The cells of an exercise put into a chapter: after its last exercise, with the points that this class gives."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Mapping

from nbformat import NotebookNode

from course.judging.exercise import find_exercise
from course.notebook.notebook_files import exercise_of

_STANDARD = ("parameters", "setup")
_HEADING = re.compile(r"^### Exercise: .+$", re.MULTILINE)


def insert_exercises(nb: NotebookNode, of: NotebookNode) -> NotebookNode:
    """A copy of a chapter with the cells of another notebook, but for its first two, after the last exercise.

    A cell whose id is taken gets another one; those of exercises and checks stay.
    """
    extended = copy.deepcopy(nb)
    added = [copy.deepcopy(cell) for cell in of.cells if cell.id not in _STANDARD]
    taken = {cell.id for cell in extended.cells}
    for cell in added:
        cell.id = next(id for id in itertools.chain([cell.id], _others(cell.id)) if id not in taken)
        taken.add(cell.id)
    checks = [index for index, cell in enumerate(extended.cells) if cell.metadata.get("nbgrader", {}).get("grade")]
    at = checks[-1] + 1 if checks else len(extended.cells)
    while at < len(extended.cells) and extended.cells[at].cell_type != "markdown":  # the hint below a check
        at += 1
    extended.cells[at:at] = added
    return extended


def _others(id: str) -> itertools.chain[str]:
    return itertools.chain(f"{id}-{count}" for count in itertools.count(2))


def with_titles_and_points(nb: NotebookNode, titles: Mapping[str, str]) -> NotebookNode:
    """A copy in which check cells and headings say the points that the exercises have here.

    `titles` are those of the exercises that a class changes, by id; other headings stay as they are.
    """
    changed = copy.deepcopy(nb)
    heading: NotebookNode | None = None
    for cell in changed.cells:
        if cell.cell_type == "markdown":
            heading = cell if _HEADING.search(cell.source) else heading
        elif heading is not None and (id := exercise_of(cell) or "") in titles:
            line = f"### Exercise: {titles[id]} ({_points(find_exercise(id).points)})"
            found = _HEADING.search(heading.source)
            heading.source = heading.source.replace(found[0], line, 1) if found else heading.source
        grading = cell.metadata.get("nbgrader", {})
        if grading.get("grade"):
            grading["points"] = find_exercise(grading["grade_id"].removesuffix("-check")).points
    return changed


def _points(count: int) -> str:
    return f"{count} point" if count == 1 else f"{count} points"
