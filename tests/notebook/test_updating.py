"""An update of the course loses nothing that a learner wrote, and what comes out runs from top to bottom."""

from collections.abc import Callable
from copy import deepcopy
from datetime import date
from typing import NamedTuple

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from course.notebook import copied_cells, notebook_files, updating
from tests.conftest import ROOT

TODAY = date(2026, 12, 1)
SETUP_ENDS = "Running this cell replaces this message."


def exercise(id, name, arguments="x"):
    """An exercise cell and its check, as `course build` writes them."""
    stub = f"# exercise: {id}\ndef {name}({arguments}):\n    raise NotImplementedError"
    graded = {"solution": True, "grade": False, "locked": False, "grade_id": id}
    checks = {"solution": False, "grade": True, "locked": True, "grade_id": f"{id}-check"}
    return [
        new_code_cell(stub, id=id, metadata={"nbgrader": graded}),
        new_code_cell(f'check("{id}")', id=f"{id}-check", metadata={"nbgrader": checks}),
    ]


def original():
    cells = [
        new_markdown_cell("# A chapter", id="a-chapter"),
        new_code_cell('PROFILE = "auto"\nSEED = 0', id="parameters", metadata={"tags": ["parameters"]}),
        new_code_cell("import math", id="setup", metadata={"jupyter": {"source_hidden": True}}),
        new_markdown_cell("Train for a while.", id="train"),
        new_code_cell("epochs = 3", id="epochs"),
        new_code_cell("loss = math.exp(-epochs)", id="loss"),
        *exercise("00-add-one", "add_one"),
        *exercise("00-double", "double"),
        new_markdown_cell("The end.", id="the-end"),
    ]
    return new_notebook(cells=cells, metadata=deepcopy(notebook_files.METADATA))


def cell(nb, id):
    return next(cell for cell in nb.cells if cell.id == id)


def at(nb, id):
    return nb.cells.index(cell(nb, id))


def changed(nb):
    """The course as it is after an update: a text and a cell have changed, another text is new."""
    cell(nb, "train").source = "Train for longer."
    cell(nb, "epochs").source = "epochs = 5"
    nb.cells.insert(at(nb, "loss"), new_markdown_cell("Look at the loss.", id="look"))
    return nb


def answer(nb, id="00-add-one", source="# exercise: 00-add-one\ndef add_one(x):\n    return x + 1"):
    cell(nb, id).source = source
    return nb


def updated(edit, upstream=changed, **versions):
    """What becomes of a copy that was edited when its original has changed."""
    mine = edit(updating.fresh_copy(original()))
    before = deepcopy(mine)
    found = updating.update(upstream(original()), mine, TODAY)
    assert mine == before, "the copy that was read is left as it was"
    return found


def sources(nb):
    return [cell.source for cell in nb.cells]


def runs(nb):
    """Run the cells from top to bottom; the names that they leave."""
    names = {"check": lambda id: None}
    for cell in nb.cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
    return names


def without_ids(nb):
    """As Colab leaves a notebook: other ids, no metadata but its own."""
    for cell in nb.cells:
        cell.id, cell.metadata = new_raw_cell().id, NotebookNode()
    return nb


# Edits: each changes a copy and returns it.
def run_it(nb):
    for number, cell in enumerate(cell for cell in nb.cells if cell.cell_type == "code"):
        cell.outputs, cell.execution_count = [new_output("stream", text="a result")], number
    return nb


def delete_a_cell(nb):
    del nb.cells[at(nb, "loss")]
    return nb


def move_a_cell(nb):
    nb.cells.insert(1, nb.cells.pop(at(nb, "the-end")))
    return nb


def add(source, place, kind=new_code_cell):
    def edit(nb):
        nb.cells.insert(len(nb.cells) if place is None else place if place == 0 else at(nb, place) + 1, kind(source))
        return nb

    return edit


def edit_cell(id, source):
    def edit(nb):
        cell(nb, id).source = source
        return nb

    return edit


@pytest.mark.parametrize(
    "edit", [lambda nb: nb, run_it, delete_a_cell, move_a_cell, without_ids, add(" \n", None)],
    ids=["untouched", "run", "cell deleted", "cells moved", "ids lost", "empty cell added"],
)  # fmt: skip
def test_a_copy_without_any_work_in_it_becomes_a_fresh_one(edit):
    found = updated(edit)
    assert not found.keeps_work and found.sentences() == []
    assert found.notebook == updating.fresh_copy(changed(original()))


class Case(NamedTuple):
    """An edit, and where its source is afterwards: below the cell with this id, or in its place."""

    edit: Callable
    source: str
    below: str | None = None
    instead: str | None = None
    kind: str = "code"
    upstream: Callable = changed
    counted: str = "added"


def without_the_second_exercise(nb):
    nb = changed(nb)
    nb.cells = [cell for cell in nb.cells if not cell.id.startswith("00-double")]
    return nb


def exercises_swapped(nb):
    nb = changed(nb)
    first, end = at(nb, "00-add-one"), at(nb, "the-end")
    nb.cells[first:end] = [*nb.cells[first + 2 : end], *nb.cells[first : first + 2]]
    return nb


def without_the_first_text(nb):
    nb = changed(nb)
    del nb.cells[at(nb, "train")]
    return nb


def split_the_exercise(nb):
    """As JupyterLab does: both halves keep the metadata, and one the id."""
    place = at(nb, "00-add-one")
    half = new_code_cell("import cmath", metadata=deepcopy(nb.cells[place].metadata))
    answer(nb, source="# exercise: 00-add-one\ndef add_one(x):\n    return x + 1")
    nb.cells.insert(place, half)
    return nb


def split_off_a_trial(nb):
    """The half below the definition keeps the metadata as well."""
    answer(nb)
    place = at(nb, "00-add-one")
    nb.cells.insert(place + 1, new_code_cell("assert add_one(1) == 2", metadata=deepcopy(nb.cells[place].metadata)))
    return nb


def answer_twice(nb):
    answer(nb, source="# exercise: 00-add-one\ndef add_one(x):\n    return x")
    second = deepcopy(cell(nb, "00-add-one"))
    second.id, second.source = new_raw_cell().id, "# exercise: 00-add-one\ndef add_one(x):\n    return x + 1"
    nb.cells.append(second)
    nb.cells.append(deepcopy(cell(original(), "00-add-one")))  # and the stub once more
    nb.cells[-1].id = new_raw_cell().id
    return nb


CASES = {
    "answer": Case(answer, "# exercise: 00-add-one\ndef add_one(x):\n    return x + 1", instead="00-add-one",
                   counted="answers"),
    "answer, ids lost": Case(lambda nb: without_ids(answer(nb)),
                             "# exercise: 00-add-one\ndef add_one(x):\n    return x + 1", instead="00-add-one",
                             counted="answers"),
    "answer, exercise moved": Case(answer, "# exercise: 00-add-one\ndef add_one(x):\n    return x + 1",
                                   instead="00-add-one", upstream=exercises_swapped, counted="answers"),
    "answer without its first line": Case(lambda nb: answer(nb, source="def add_one(x): return x + 1"),
                                          "def add_one(x): return x + 1", instead="00-add-one", counted="answers"),
    "answered twice": Case(answer_twice, "# exercise: 00-add-one\ndef add_one(x):\n    return x + 1",
                           instead="00-add-one", counted="answers"),
    "exercise split": Case(split_the_exercise, "import cmath", below="loss"),
    "trial split off": Case(split_off_a_trial, "# exercise: 00-add-one\ndef add_one(x):\n    return x + 1",
                            instead="00-add-one", counted="answers"),
    "added in the middle": Case(add("mine = epochs", "epochs"), "mine = epochs", below="epochs"),
    "added at the end": Case(add("mine = loss", None), "mine = loss", below="the-end"),
    "added at the top": Case(add("mine = 1", 0), "mine = 1"),
    "a note": Case(add("I see.", "loss", new_markdown_cell), "I see.", below="loss", kind="markdown"),
    "added, ids lost": Case(lambda nb: without_ids(add("mine = loss", "loss")(nb)), "mine = loss", below="loss"),
    "added below a text that is gone": Case(add("mine = SEED", "train"), "mine = SEED", below="setup",
                                            upstream=without_the_first_text),
    "a copied cell of the course": Case(add('check("00-double")', None), 'check("00-double")', below="the-end"),
    "added below a copied exercise": Case(lambda nb: add("mine = 2", None)(answer_twice(nb)), "mine = 2",
                                          below="the-end"),
    "parameters": Case(edit_cell("parameters", 'PROFILE = "quick"\nSEED = 1'), 'PROFILE = "quick"\nSEED = 1',
                       instead="parameters", counted="edited"),
    "parameters, ids lost": Case(lambda nb: without_ids(edit_cell("parameters", 'PROFILE = "quick"\nSEED = 1')(nb)),
                                 'PROFILE = "quick"\nSEED = 1', instead="parameters", counted="edited"),
    "edited, and not changed": Case(edit_cell("loss", "loss = 0"), "loss = 0", instead="loss", counted="edited"),
    "edited and changed": Case(edit_cell("epochs", "epochs = 30"), "epochs = 30", below="epochs", kind="raw",
                               counted="quoted"),
    "edited and gone": Case(edit_cell("train", "Train for a while, **why?**"), "Train for a while, **why?**",
                            below="setup", kind="markdown", upstream=without_the_first_text, counted="quoted"),
    "text edited and changed": Case(edit_cell("train", "Train for a while, **why?**"), "Train for a while, **why?**",
                                    below="train", kind="markdown", counted="quoted"),
    "edited so that it fails": Case(edit_cell("epochs", "epochs = = 4"), "epochs = = 4", below="epochs", kind="raw",
                                    counted="quoted"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_what_the_learner_wrote_is_kept_where_it_belongs(case):
    found = updated(case.edit, case.upstream)
    nb = found.notebook
    nbformat.validate(nb)
    mine = [cell for cell in nb.cells if cell.source.endswith(case.source)][-1]
    assert mine.cell_type == case.kind
    if case.instead:
        assert mine.id == case.instead and mine.metadata == cell(original(), case.instead).metadata
    else:
        assert nb.cells.index(mine) == (at(nb, case.below) + 1 if case.below else 0)
    assert getattr(found, case.counted) and found.keeps_work and found.sentences()
    ours = {cell.id: cell for cell in case.upstream(original()).cells}
    assert [cell.id for cell in nb.cells if cell.id in ours] == list(ours), "the course's cells, in its order"
    for one in nb.cells:
        if one.id in ours and one.id != case.instead and one.id != "00-add-one":
            assert one.source == ours[one.id].source
    runs(nb)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_second_update_keeps_it_all_once_more(case):
    once = updated(case.edit, case.upstream).notebook

    def upstream(nb):
        nb = case.upstream(nb)
        cell(nb, "the-end").source = "That was it."
        return nb

    twice = updating.update(upstream(original()), once, TODAY).notebook
    expected = sources(once)
    expected[at(once, "the-end")] = "That was it."
    assert sources(twice) == expected
    assert updating.is_current(upstream(original()), twice)


def test_of_an_exercise_answered_twice_the_last_answer_counts_and_the_stub_does_not():
    nb = updated(answer_twice).notebook
    assert [cell.source for cell in nb.cells if "add_one(x)" in cell.source] == [
        "# exercise: 00-add-one\ndef add_one(x):\n    return x",
        "# exercise: 00-add-one\ndef add_one(x):\n    return x + 1",
    ]
    assert runs(nb)["add_one"](1) == 2
    graded = [cell.metadata.nbgrader.grade_id for cell in nb.cells if "nbgrader" in cell.metadata]
    assert len(graded) == len(set(graded)) == 4


def test_an_answer_to_an_exercise_that_is_gone_is_at_the_end_below_a_text_that_says_so():
    mine = "# exercise: 00-double\ndef double(x):\n    return 2 * x"
    found = updated(lambda nb: answer(nb, "00-double", mine), without_the_second_exercise)
    heading, last = found.notebook.cells[-2:]
    assert heading.cell_type == "markdown" and "no longer has" in heading.source
    assert last.source == mine and "nbgrader" not in last.metadata
    assert found.gone == ["00-double"] and "00-double" in " ".join(found.sentences())
    assert runs(found.notebook)["double"](2) == 4
    again = updating.update(original(), found.notebook, TODAY)
    assert cell(again.notebook, "00-double").source == mine and sources(again.notebook).count(heading.source) == 0
    later = updating.update(changed(original()), found.notebook, TODAY)
    assert later.answers == ["00-double"], "it counts again where the exercise has come back"


def test_a_stub_without_an_answer_goes_with_its_exercise():
    found = updated(answer, without_the_second_exercise)
    assert "double" not in "".join(sources(found.notebook))


def test_a_new_stub_follows_an_answer_that_defines_another_function():
    def upstream(nb):
        cell(nb, "00-add-one").source = "# exercise: 00-add-one\ndef add(x, y):\n    raise NotImplementedError"
        return nb

    found = updated(answer, upstream)
    place = at(found.notebook, "00-add-one")
    assert "return x + 1" in found.notebook.cells[place].source
    assert found.notebook.cells[place + 1].cell_type == "raw"
    assert "def add(x, y)" in found.notebook.cells[place + 1].source
    assert found.asks_anew == ["00-add-one"] and "00-add-one" in " ".join(found.sentences())


def test_parameters_that_miss_a_new_name_do_not_stop_the_notebook():
    def upstream(nb):
        cell(nb, "parameters").source += "\nSIZE = 3"
        cell(nb, "epochs").source = "epochs = SIZE"
        return nb

    found = updated(edit_cell("parameters", 'PROFILE = "quick"\nSEED = 1'), upstream)
    assert runs(found.notebook)["SIZE"] == 3
    assert found.quoted == 1 and "SEED = 1" in found.notebook.cells[at(found.notebook, "parameters") + 1].source


def test_cells_with_nothing_left_above_them_are_at_the_end():
    def upstream(nb):
        nb.cells = [new_markdown_cell("# Another chapter", id="another"), *nb.cells[4:]]
        return nb

    found = updated(add("mine = 1", "a-chapter"), upstream)
    assert found.notebook.cells[-1].source == "mine = 1" and found.at_the_end == 1


def test_the_setup_cell_says_what_happened_until_it_is_run():
    found = updated(lambda nb: add("mine = 1", None)(answer(nb)))
    found.announce("earlier versions/00_a (before 2026-12-01).ipynb", TODAY)
    (said,) = cell(found.notebook, "setup").outputs
    for part in ("1 December 2026", "1 answer, 1 cell that you added", "(before 2026-12-01).ipynb", SETUP_ENDS):
        assert part in said.text
    assert [cell.id for cell in found.notebook.cells if cell.get("outputs")] == ["setup"]
    nbformat.validate(found.notebook)


def test_the_kernel_that_the_learner_chose_stays_and_the_state_of_widgets_goes():
    def edit(nb):
        nb.metadata["kernelspec"] = {"name": "mine", "display_name": "Mine", "language": "python"}
        nb.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
        return nb

    metadata = updated(edit).notebook.metadata
    assert metadata["kernelspec"]["name"] == "mine" and "widgets" not in metadata


def first_edition(nb):
    nb.metadata[copied_cells.KEY] = {"copied_from": "of another original"}
    return nb


def test_in_a_copy_of_the_first_edition_answers_and_cells_of_ones_own_are_found(monkeypatch):
    known = frozenset(copied_cells.digest(cell.source) for cell in original().cells)
    monkeypatch.setattr(copied_cells, "first_edition", lambda: known)
    assert not updated(first_edition, without_the_first_text).keeps_work
    found = updated(lambda nb: first_edition(add("mine = 1", "train")(answer(nb))), without_the_first_text)
    assert (found.answers, found.added, found.quoted) == (["00-add-one"], 1, 0)
    found = updated(lambda nb: first_edition(edit_cell("train", "Why?")(nb)), without_the_first_text)
    assert found.quoted == 1 and "Why?" in sources(found.notebook)[at(found.notebook, "setup") + 1]


def test_in_a_copy_without_any_metadata_nothing_is_lost():
    def edit(nb):
        nb.metadata = NotebookNode()
        return without_ids(edit_cell("epochs", "epochs = 30")(answer(nb)))

    mine = edit(updating.fresh_copy(original()))
    assert not updating.is_current(changed(original()), mine) and updating.is_copy(changed(original()), mine)
    found = updated(edit)
    assert found.answers == ["00-add-one"] and "epochs = 30" in sources(found.notebook)
    runs(found.notebook)


def test_a_copy_without_metadata_is_current_if_it_holds_every_cell():
    mine = without_ids(answer(original()))
    assert updating.is_current(original(), mine)
    assert not updating.is_current(changed(original()), mine)


def test_another_notebook_of_the_same_name_is_no_copy():
    assert not updating.is_copy(original(), new_notebook(cells=[new_code_cell("my_thesis = 1")]))


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_chapter_with_its_answers_is_moved_as_a_whole(path):
    released = notebook_files.read(path)
    solved = notebook_files.read(ROOT / "solutions" / path.name)
    mine = updating.fresh_copy(released)
    answers = {one.id: one.source for one in solved.cells if notebook_files.exercise_of(one)}
    for id, source in answers.items():
        answer(mine, id, source)
    newer = deepcopy(released)
    newer.cells[0].source += "\n\nA new line."
    found = updating.update(newer, mine, TODAY)
    assert sorted(found.answers) == sorted(answers) and not (found.added or found.edited or found.quoted)
    expected = {**{one.id: one.source for one in newer.cells}, **answers}
    assert {one.id: one.source for one in found.notebook.cells} == expected
