"""The chapters as their notebooks present them: exercises, points, minutes, and links to each exercise and question.

Read from the notebook files, because importing the exercises themselves takes seconds (they load torch).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from course.errors import SetupError
from course.judging.exercise import exercises_of, notebook_numbers, notebook_title
from course.judging.exercise_folders import others_folders

_EXERCISE = re.compile(r"#\s*exercise:\s*(\d\d-[a-z0-9-]+)")
_QUIZ = re.compile(r"""^quiz\(\s*["'](\d\d-[a-z0-9-]+)["']""", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_MINUTES = re.compile(r"\*\*Time:\*\*[^.;]*?(\d+) minutes")
# In the address of a link a browser would encode any other character, and JupyterLab compares without decoding.
_SAFE_ANCHOR = re.compile(r"[\w.,:;!?()'/+*&=$@~-]+", re.ASCII)


@dataclass(frozen=True)
class Task:
    """An exercise, or a question that is asked again. `anchor` is where it stands in the file of its chapter."""

    id: str
    points: int = 0
    anchor: str = ""


@dataclass(frozen=True)
class Outline:
    """One chapter. `file` is the notebook's name, and empty if the notebook is not at hand; `minutes` may be None."""

    number: str
    title: str
    exercises: tuple[Task, ...]
    questions: tuple[Task, ...] = ()
    file: str = ""
    minutes: int | None = None

    @property
    def points(self) -> int:
        return sum(exercise.points for exercise in self.exercises)

    def link(self, id: str = "") -> str:
        """The relative address of the notebook, or of one exercise or question in it; empty without a file."""
        anchors = [task.anchor for task in (*self.exercises, *self.questions) if task.id == id and task.anchor]
        return f"{self.file}#{anchors[0]}" if self.file and anchors else self.file


def read_outlines() -> tuple[Outline, ...]:
    """The chapters in order, from the course's own notebooks; from the exercises, without links, if there are none."""
    from course.notebook import workspace  # with nbformat: seconds that importing `progress` doesn't need

    try:
        folder = workspace.find_originals()
    except SetupError:
        return tuple(_from_exercises(number) for number in notebook_numbers())
    chapters = tuple(map(_from_notebook, sorted(folder.glob("[0-9][0-9]_*.ipynb"))))
    return tuple(map(_with_others, chapters)) if others_folders() else chapters


def _with_others(outline: Outline) -> Outline:
    """The chapter with exercises that its notebook does not hold yet, and with the points that this class gives."""
    anchors = {task.id: task.anchor for task in outline.exercises}
    places = {id: place for place, id in enumerate(anchors)}
    found = sorted(exercises_of(outline.number), key=lambda one: places.get(one.id, len(places)))
    return replace(outline, exercises=tuple(Task(one.id, one.points, anchors.get(one.id, "")) for one in found))


def _from_exercises(number: str) -> Outline:
    tasks = tuple(Task(exercise.id, exercise.points) for exercise in exercises_of(number))
    return Outline(number, notebook_title(number), tasks)


def _from_notebook(path: Path) -> Outline:
    cells = [(cell, "".join(cell["source"])) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    tasks = list(_tasks(cells))
    number, start = path.name[:2], cells[0][1] if cells else ""
    minutes = _MINUTES.search(start)
    return Outline(
        number,
        notebook_title(number),
        exercises=tuple(task for task in tasks if task.points),
        questions=tuple(task for task in tasks if not task.points),
        file=path.name,
        minutes=int(minutes[1]) if minutes else None,
    )


def _tasks(cells: list[tuple[dict[str, Any], str]]) -> Iterator[Task]:
    """The exercises, which have points, and the questions of a notebook."""
    points = dict(_points(cell) for cell, _ in cells)
    anchor = ""
    for cell, source in cells:
        if cell["cell_type"] == "markdown" and (headings := _HEADING.findall(source)):
            anchor = _anchor(headings[-1]) or f"cell-id={cell['id']}"
        elif exercise := _EXERCISE.match(source):
            yield Task(exercise[1], points.get(f"{exercise[1]}-check", 0), anchor)
        elif quiz := _QUIZ.search(source):
            yield Task(quiz[1], anchor=f"cell-id={cell['id']}")


def _points(cell: dict[str, Any]) -> tuple[str, int]:
    grading = cell["metadata"].get("nbgrader", {})
    return grading.get("grade_id", ""), grading.get("points", 0)


def _anchor(heading: str) -> str:
    """The anchor that JupyterLab gives to a heading: its text with spaces as dashes. Empty if a link can't hold it."""
    text = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).replace(" ", "-")
    return text if _SAFE_ANCHOR.fullmatch(text) else ""
