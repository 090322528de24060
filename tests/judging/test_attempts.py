"""An answer in a file is judged in a shell as in the grader: what it needs runs, and the real cause is named."""

import json

import pytest

from course.errors import MachineBusy
from course.grading.run import worker
from course.grading.run.reading import read_attempts
from course.judging import attempts, check_notebook
from course.judging.results import Result
from tests.grading.run.test_worker import notebook

FREEZE = "02-freeze-backbone"
HEAD = f"# exercise: {FREEZE}\n"
LOOP = "    for p in module.parameters(): p.requires_grad = False\n    return module\n"
RIGHT = f"{HEAD}def freeze(module):\n{LOOP}"


def checked(tmp_path, *cells, **changes):
    """What `course check` says of the answer in the last of these cells."""
    path = tmp_path / "answers.ipynb"
    path.write_text(json.dumps(json.loads(notebook(*cells)) | changes))
    (result,) = (one for one in check_notebook(path) if one.id == FREEZE)
    return result


@pytest.fixture
def graded(monkeypatch):
    """What the grader says of the answer, run in this process."""
    monkeypatch.setattr(worker.sys, "platform", "darwin")
    machine = worker.Machine(worker.Settings("a secret", "trusted"))

    def grade(*cells, **changes):
        content = json.dumps(json.loads(notebook(*cells)) | changes).encode()
        return machine.grade_attempt("submission", read_attempts(content).attempts[0], "judges")

    return grade


@pytest.fixture
def judged(tmp_path, graded):
    """The result of `course check`, with which the grader agrees."""

    def judge(*cells, **changes):
        result, grade = checked(tmp_path, *cells, **changes), graded(*cells, **changes)
        assert (result.status, result.message) == (grade.status, grade.failure.message if grade.failure else "")
        assert grade.score == (result.score if result.is_scored else None)
        return result

    return judge


NEEDS_A_FILE = "import json\nCONFIG = json.load(open('config.json'))"


def test_a_data_file_that_is_not_there_is_named(judged):
    result = judged(NEEDS_A_FILE, f"{HEAD}def freeze(module):\n    module.requires_grad_(CONFIG['flag'])")
    assert (result.status, result.score) == ("error", 0)
    assert result.message.startswith("`freeze` raised NameError: name 'CONFIG' is not defined; `CONFIG = json.load(")
    assert "did not run: FileNotFoundError: [Errno 2] No such file or directory: 'config.json'" in result.message


def test_no_misconception_is_named_while_something_did_not_run(judged):
    cells = (
        "from torch import nn\nKINDS = []\nKINDS.append(nn.NoSuchLayer)",
        (
            f"{HEAD}def freeze(module):\n    for m in module.modules():\n        if isinstance(m, tuple(KINDS)):\n"
            "            m.requires_grad_(False)"
        ),
    )
    result = judged(*cells)
    assert (result.status, result.score) == ("graded", 0)
    reasons = {outcome.because for outcome in result.outcomes}
    assert len(reasons) == 1 and "nothing was frozen" not in str(reasons)
    assert "`KINDS.append(nn.NoSuchLayer)` did not run: AttributeError" in reasons.pop()


def test_an_experiment_that_fails_beside_a_wrong_answer_does_not_hide_the_misconception(judged):
    result = judged(f"{HEAD}def freeze(module):\n    return module\nfreeze(no_such_model)")
    assert all("nothing was frozen" in outcome.because for outcome in result.outcomes)


@pytest.mark.parametrize(
    "cells",
    [
        (f"{HEAD}from no_such_library import off\ndef freeze(module):\n    off(module)",),
        ("from no_such_library import off", f"{HEAD}def freeze(module):\n    off(module)"),
        (f"{HEAD}def freeze(module):\n    from no_such_library.deep import off",),
        (f"{HEAD}import no_such_library.nn as other\n@other.wraps\ndef freeze(module):\n{LOOP}",),
    ],
    ids=["in its cell", "in another", "in the function", "in a decorator"],
)
def test_a_missing_library_is_named_and_has_no_score(judged, cells):
    result = judged(*cells)
    assert (result.status, result.is_scored, result.lacks) == ("error", False, "no_such_library")
    assert result.message.startswith("`no_such_library` is not installed where this was judged; install it there")
    assert result.headline == f"… {FREEZE}: cannot be checked here (3 points)"
    assert not result.passed


def test_a_right_answer_that_hardly_needs_a_missing_library_has_its_marks(judged):
    annotated = f"{HEAD}from no_such_library import Float\ndef freeze(module, x: Float['a'] = None):\n{LOOP}"
    tried = f"{HEAD}try:\n    import no_such_library\nexcept ImportError:\n    no_such_library = None\n{RIGHT}"
    assert judged(annotated).passed and judged(tried).passed and judged(f"import no_such_library\n{RIGHT}").passed


def test_a_name_that_a_statement_left_out_defines_makes_the_notebook_run_once(judged):
    above = "def bring(): globals()['FL' + 'AG'] = False\nbring()"
    assert judged(above, f"{HEAD}def freeze(module):\n    module.requires_grad_(FLAG)\n    return module").passed


def test_a_name_that_nothing_defines_is_the_learner_s_own_mistake(judged, monkeypatch):
    monkeypatch.setattr(attempts, "WHOLE_LIMIT_S", None)  # nothing is run with it
    result = judged("x = print(1)", f"{HEAD}def freeze(module):\n    modul.requires_grad_(False)")
    assert (result.message, result.score) == ("`freeze` raised NameError: name 'modul' is not defined", 0)


def test_an_answer_whose_definition_fails_was_attempted(judged):
    result = judged(f"{HEAD}def freeze(module, x=undefined_here):\n{LOOP}")
    assert result.status == "error"
    assert "`def freeze(module, x=undefined_here):` did not run: NameError" in result.message


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_a_cell_that_was_turned_into_text_is_told_so(judged, kind):
    cells = [
        {"cell_type": kind, "id": FREEZE, "metadata": {}, "source": RIGHT},
        {"cell_type": "code", "id": "x", "metadata": {}, "source": "def set_train(m): return m", "outputs": []},
        {"cell_type": "code", "id": "y", "metadata": {}, "source": 'check("02-set-train-mode")', "outputs": []},
    ]
    result = judged(cells=cells)
    assert (result.status, result.score) == ("error", 0)
    assert f"the cell of this exercise was turned into a {kind} cell, and nothing in it runs" in result.message


def test_a_cell_of_a_python_that_is_not_known_here_has_no_score(judged):
    language = {"language_info": {"name": "python", "version": "3.99.1"}}
    result = judged(f"{HEAD}def freeze(module) => module", metadata=language)
    assert (result.status, result.is_scored) == ("error", False)
    assert "this cell is written for Python 3.99 or newer, and is judged here with Python 3." in result.message
    assert judged(f"{HEAD}def freeze(module) => module").is_scored


def test_a_busy_machine_is_tried_once_more_and_then_nobodys_fault():
    tries = []

    def busy():
        tries.append(1)
        if len(tries) % 3:
            raise MachineBusy("too busy")
        return Result(FREEZE, "", "graded")

    with pytest.raises(MachineBusy):
        attempts.judge_twice_if_busy(busy)
    assert attempts.judge_twice_if_busy(busy).status == "graded" and len(tries) == 3
