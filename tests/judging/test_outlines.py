"""The notebooks say the same about exercises and points as the exercises do, and links lead to headings that exist."""

import json
from urllib.parse import urlsplit

import pytest

from course.errors import SetupError
from course.judging import outlines
from course.judging.exercise import exercises_of, notebook_numbers
from course.judging.outlines import read_outlines
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def read():
    return {outline.number: outline for outline in read_outlines()}


def test_there_is_one_for_each_chapter(read):
    assert set(notebook_numbers()) <= set(read)


@pytest.mark.parametrize("number", notebook_numbers())
def test_a_notebook_has_the_exercises_and_points_of_its_chapter(read, number):
    found = {task.id: task.points for task in read[number].exercises}
    assert found == {exercise.id: exercise.points for exercise in exercises_of(number)}


@pytest.mark.parametrize("number", notebook_numbers())
def test_each_exercise_and_question_is_linked_to_a_place_in_its_notebook(read, number):
    outline = read[number]
    cells = json.loads((ROOT / "notebooks" / outline.file).read_text(encoding="utf-8"))["cells"]
    places = {f"cell-id={cell['id']}" for cell in cells}
    lines = [line for cell in cells if cell["cell_type"] == "markdown" for line in "".join(cell["source"]).split("\n")]
    places |= {line.lstrip("#").strip().replace("`", "").replace("*", "").replace(" ", "-") for line in lines}
    tasks = [*outline.exercises, *outline.questions]
    assert tasks and outline.minutes
    for task in tasks:
        assert urlsplit(outline.link(task.id)).fragment in places


def test_a_heading_that_a_link_cannot_hold_is_reached_by_its_cell():
    assert outlines._anchor("Exercise: call `fit` *once* (4 points)") == "Exercise:-call-fit-once-(4-points)"
    assert outlines._anchor("Exercise: see [the paper](https://x.y)") == "Exercise:-see-the-paper"
    for heading in ("Is 80 % enough?", "Müller", 'A "word"'):
        assert outlines._anchor(heading) == ""


def test_without_notebooks_there_are_exercises_and_no_links(monkeypatch):
    def missing():
        raise SetupError("no notebooks")

    monkeypatch.setattr("course.notebook.workspace.find_originals", missing)
    chapters = read_outlines()
    assert [outline.number for outline in chapters] == notebook_numbers()
    assert chapters[0].points > 0 and chapters[0].link(chapters[0].exercises[0].id) == ""
