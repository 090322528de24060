"""`course check` takes what a learner would type, and says what there is where that is nothing."""

import subprocess
import sys

import nbformat
import pytest
from typer.testing import CliRunner

from course.cli import app
from course.errors import ExerciseError, SetupError, UnknownName
from course.notebook import workspace

RIGHT = """def freeze(module):
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module"""
WRONG = "def freeze(module):\n    module.requires_grad = False\n    return module"
UNTOUCHED = "def freeze(module):\n    raise NotImplementedError"


def check(what):
    return CliRunner().invoke(app.app, ["check", str(what)])


def notebook(path, answer):
    """A notebook file with one cell, which has the id of its exercise."""
    cell = nbformat.v4.new_code_cell(answer)
    cell.id = "02-freeze-backbone"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


@pytest.fixture
def mine(home, tmp_path, monkeypatch):
    """The learner's folder, without any copies yet."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setattr(workspace, "default_folder", lambda: folder)
    return folder


@pytest.mark.parametrize("answer, exit_code", [(UNTOUCHED, 0), (RIGHT, 0), (WRONG, 1)])
def test_check_fails_only_for_an_answer_that_was_tried_and_is_wrong(mine, answer, exit_code):
    path = notebook(mine / "02_freeze_the_backbone.ipynb", answer)
    result = check(path)
    assert result.exit_code == exit_code, result.output
    assert "02-freeze-backbone" in result.output
    assert result.output.splitlines()[-1].endswith("points")


@pytest.mark.parametrize("what", ["02", "2", "02_freeze_the_backbone", "02_freeze_the_backbone.ipynb"])
def test_a_number_or_a_name_means_the_learners_own_copy(mine, what):
    notebook(mine / "02_freeze_the_backbone.ipynb", RIGHT)
    result = check(what)
    assert result.exit_code == 0 and result.output.splitlines()[-1] == "3 of 3 points"


def test_a_copy_that_is_not_made_yet_is_said_with_the_command_that_makes_it(mine):
    error = check("02").exception
    assert isinstance(error, SetupError) and str(error).endswith("run: course lab 02")


def test_a_folder_is_checked_notebook_by_notebook_with_one_total(mine):
    notebook(mine / "02_freeze_the_backbone.ipynb", RIGHT)
    notebook(mine / "02_second try.ipynb", UNTOUCHED)
    result = check(mine)
    lines = result.output.splitlines()
    assert result.exit_code == 0 and lines[0] == "02_freeze_the_backbone.ipynb" and "02_second try.ipynb" in lines
    assert lines[-1] == "in all 2 notebooks: 3 of 6 points"


def test_a_notebook_in_a_folder_that_is_none_fails_and_the_others_are_checked(mine):
    notebook(mine / "02_freeze_the_backbone.ipynb", RIGHT)
    (mine / "00_damaged.ipynb").write_text("{")
    result = check(mine)
    assert result.exit_code == 1 and "damaged or not a notebook" in result.output
    assert result.output.splitlines()[-1] == "in all 2 notebooks: 3 of 3 points"


def test_a_folder_without_notebooks_says_what_is_accepted(mine):
    error = check(mine).exception
    assert isinstance(error, ExerciseError) and "no notebooks in" in str(error) and "such as 03" in str(error)


def test_a_wrong_name_says_what_is_accepted_and_what_there_is(mine):
    error = check("nothing-like-it").exception
    assert isinstance(error, UnknownName)
    assert "give a chapter such as 03, a notebook, a folder" in str(error) and "has 00_start_here.ipynb to" in str(
        error
    )
    assert "did you mean 03_replace_the_head.ipynb" in str(check("3_replace_head").exception)
    assert isinstance(check("77").exception, UnknownName)


def test_a_wrong_name_is_told_before_torch_is_loaded(tmp_path):
    code = (
        "import sys\nfrom course.cli.learning import check\nfrom course.errors import CourseError\n"
        "try:\n    check('nope.ipynb')\n"
        "except CourseError as error:\n    print('nope.ipynb' in str(error), 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert run.stdout == "True False\n"
