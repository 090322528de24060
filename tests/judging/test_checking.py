"""`check` never breaks a notebook: not for the learner's mistakes, not for ours; strict only when asked."""

import json

import nbformat
import pytest
import typer
from nbclient import NotebookClient

from course.cli.learning import check as check_command
from course.errors import CheckFailed, ExerciseError, UnknownName
from course.judging import checking
from course.judging.checking import check, check_notebook
from course.judging.exercise import find_exercise
from course.judging.hints import hint
from course.notebook import record

ID = "02-freeze-backbone"
POINTS = find_exercise(ID).points
RIGHT = "def freeze(module):\n    return module.requires_grad_(False)\n"
PARTLY = """def freeze(module):
    for child in module.children():
        for part in child.children():
            part.requires_grad_(False)
"""
WRONG = "def freeze(module):\n    module.requires_grad = False\n"
STUB = "def freeze(module):\n    raise NotImplementedError\n"


def checked(source, exercise_id=ID):
    """What `check` returns in a namespace with this answer."""
    namespace = {"check": check}
    exec(source, namespace)
    return eval(f"check({exercise_id!r})", namespace)


@pytest.fixture(autouse=True)
def own_home(home, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (RIGHT, f"✓ {ID}: {POINTS} of {POINTS} points"),
        (WRONG, "only sets an attribute on the module"),
        ("", "not attempted yet"),
        ("freeze = 3", "`freeze` is not a function or class but an int"),
        ("def freeze(): pass", "`freeze` is called as `freeze(module)`"),
        ("def freeze(module): exit()", "called exit()"),
        ("def freeze(module): raise KeyboardInterrupt", "was interrupted"),
        ("from course.models import freeze", "course.models.freeze does what this exercise asks you to write"),
        ("import warnings\ndef freeze(module): warnings.warn('w')", "UserWarning: w"),
    ],
)
def test_check_says_what_it_found_and_returns_nothing(source, words, capfd):
    assert checked(source) is None
    out, err = capfd.readouterr()
    assert words in out and err == ""


def test_a_syntax_error_in_the_cell_is_told_and_the_answer_before_it_is_not_judged(capfd):
    # `In` is where a kernel keeps the cells that were run; the broken one left the right answer in place.
    broken = f"# exercise: {ID}\ndef freeze(module)\n    return module"
    checked(f"{RIGHT}\nIn = ['', {broken!r}, 'check()']")
    said = capfd.readouterr().out
    assert "did not run: line 2 is not valid Python" in said and f"0 of {POINTS} points" in said


def test_an_unknown_id_offers_the_nearest(capfd):
    assert checked(RIGHT, "02-freeze-bakbone") is None
    assert "did you mean '02-freeze-backbone'" in capfd.readouterr().out


def test_a_mistake_of_ours_is_owned_and_does_not_raise(monkeypatch, capfd):
    def broken(*args):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(checking, "judge_exercise", broken)
    assert checked(RIGHT) is None
    out, err = capfd.readouterr()
    assert "the course's fault, not yours" in out and "ZeroDivisionError: ours" in out and err == ""
    assert record.read() == []


@pytest.mark.parametrize("source", [WRONG, PARTLY, "", "freeze = 3"])
def test_strict_raises_for_less_than_full_marks(source, monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(CheckFailed, match=ID):
        checked(source)
    with pytest.raises(UnknownName):
        checked(source, "02-x")
    assert checked(RIGHT) is None


@pytest.mark.parametrize("strict", ["1", None])
def test_nbgrader_gets_a_number_for_partial_marks_and_an_exception_for_none(strict, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    if strict:
        monkeypatch.setenv("COURSE_STRICT", strict)
    partial = checked(PARTLY)
    assert isinstance(partial, float) and 0 < partial < POINTS
    assert checked(RIGHT) is None
    for source in ("def freeze(module): 1 / 0", STUB, ""):
        with pytest.raises(CheckFailed):
            checked(source)


def test_what_was_checked_is_remembered():
    checked(PARTLY)
    (event,) = record.read()
    assert (event["kind"], event["id"], event["points"], event["status"]) == ("check", ID, POINTS, "graded")


def test_a_digest_tells_a_new_answer_from_the_same_one_run_again(tmp_path):
    for source in (PARTLY, PARTLY + "\n", RIGHT, STUB):
        cell = f"# exercise: {ID}\n{source}"
        checked(f"{source}\nIn = ['', {cell!r}, 'check()']")
    first, again, right, stub = [event["answer"] for event in record.read()]
    assert first == again and len({first, right, stub}) == 3
    check_notebook(notebook(tmp_path, f"# exercise: {ID}\n{RIGHT}"))
    assert record.read()[-1]["answer"] == right, "from a shell as in the notebook"
    checked(f"exec(compile({RIGHT!r}, 'nowhere', 'exec'))")
    assert record.read()[-1]["answer"] is None, "where the source is not kept"


def test_hints_come_one_by_one_then_the_idea_and_are_remembered(capsys):
    exercise = find_exercise(ID)
    hints = [f"hint {n} of 3: {text}" for n, text in enumerate(exercise.hints, 1)]
    steps = [*hints, f"the idea: {exercise.idea}"]
    for number in (1, 2, 3, 4, 4):
        hint(ID)
        lines = capsys.readouterr().out.splitlines()
        assert lines == steps[:number][::-1], "the newest first"
    assert [event["step"] for event in record.read()] == [1, 2, 3, 4]
    hint("02-x")
    assert "there is no exercise called '02-x'" in capsys.readouterr().out


def notebook(tmp_path, *sources):
    path = tmp_path / "mine.ipynb"
    cells = [{"cell_type": "code", "source": source} for source in sources]
    path.write_text(json.dumps({"cells": cells}))
    return path


def test_a_notebook_file_is_judged_and_copies_are_noted(tmp_path):
    head = f"# exercise: {ID}\n"
    (result,) = check_notebook(notebook(tmp_path, head + WRONG, head + RIGHT, "1 / 0"))
    assert result.passed and result.notes == ("2 cells hold this exercise; the last one counts",)
    assert "last one counts" in str(result)
    (result,) = check_notebook(notebook(tmp_path, head + STUB))
    assert result.status == "not attempted"


def test_a_syntax_error_in_an_answer_is_an_error_with_its_line(tmp_path):
    source = (
        f"# exercise: {ID}\ndef freeze(module):\n    for p in module.parameters()\n        p.requires_grad_(False)\n"
    )
    (result,) = check_notebook(notebook(tmp_path, source))
    assert (result.status, result.score, result.points) == ("error", 0, POINTS)
    assert "line 3 is not valid Python: expected ':', in `for p in module.parameters()`" in str(result)


OLD = "from course.overlap import VOID\n"
USES_OLD = "def freeze(module):\n    assert VOID == 255\n    return module.requires_grad_(False)\n"
NOTE = (
    "`course.overlap` is now `course.applications.iou`; your import still counted, but Jupyter needs "
    "`from course.applications.iou import VOID`"
)


@pytest.mark.parametrize(
    "cells",
    [
        (OLD, f"# exercise: {ID}\n{USES_OLD}"),
        (f"# exercise: {ID}\n{OLD}{USES_OLD}",),
        (f"# exercise: {ID}\n" + USES_OLD.replace("    assert", f"    {OLD}    assert"),),
    ],
    ids=["in another cell", "at the top", "in the function"],
)
def test_an_old_import_in_a_notebook_file_counts_and_is_noted(tmp_path, cells):
    (result,) = check_notebook(notebook(tmp_path, *cells))
    assert result.passed and result.notes == (NOTE,)
    assert NOTE in str(result)


def test_the_command_names_an_old_import_and_what_to_write(tmp_path, capsys):
    with pytest.raises(typer.Exit) as ended:
        check_command(notebook(tmp_path, OLD, f"# exercise: {ID}\n{USES_OLD}"))
    assert ended.value.exit_code == 0
    said = capsys.readouterr().out
    assert f"{POINTS} of {POINTS} points" in said and NOTE in said


def test_an_old_import_that_the_answer_has_no_use_for_is_noted_where_it_stops_the_cell(tmp_path):
    (result,) = check_notebook(notebook(tmp_path, f"# exercise: {ID}\n{OLD}{RIGHT}"))
    assert result.passed and result.notes == (NOTE,)
    (result,) = check_notebook(notebook(tmp_path, OLD, f"# exercise: {ID}\n{RIGHT}"))
    assert result.passed and result.notes == ()


def test_a_notebook_without_exercises_is_refused_with_advice(tmp_path):
    with pytest.raises(ExerciseError, match="holds no exercise of the course"):
        check_notebook(notebook(tmp_path, "x = 1"))


KERNEL_CELLS = {
    "import": "import logging, sys, torch\nfrom torch import nn\nfrom course import check\nlogging.basicConfig()",
    "nothing": f'check("{ID}")',
    "stub": "import torch\n@torch.no_grad()\ndef freeze(module: nn.Module) -> nn.Module:\n"
    f'    """Doc."""\n    raise NotImplementedError  # here\ncheck("{ID}")',
    "class stub": "class freeze(nn.Module):\n    def __init__(self, module):\n        super().__init__()\n"
    f'        raise NotImplementedError\ncheck("{ID}")',
    "noisy": "import warnings\ndef freeze(m):\n    warnings.warn('w'); logging.error('l'); print('', file=sys.stderr)\n"
    f'    return m.requires_grad_(False)\ncheck("{ID}")',
    "wrong": f'def freeze(module):\n    return 1 / 0\ncheck("{ID}")',
}


@pytest.fixture(scope="module")
def kernel_outputs():
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in KERNEL_CELLS.values()])
    NotebookClient(nb, timeout=300, kernel_name="python3").execute()
    return {name: cell.outputs for name, cell in zip(KERNEL_CELLS, nb.cells, strict=True)}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "not attempted yet"),
        ("stub", "not attempted yet"),
        ("class stub", "not attempted yet"),
        ("noisy", f"{POINTS} of {POINTS} points"),
        ("wrong", "return 1 / 0"),
    ],
)
def test_in_a_kernel_the_source_is_found_and_stderr_stays_empty(kernel_outputs, name, words):
    (output,) = kernel_outputs[name]
    assert (output.output_type, output.name) == ("stream", "stdout")
    assert words in output.text


OLD_CELLS = {
    "import": "from course import check",
    "another cell": OLD,
    "its answer": f'{USES_OLD}check("{ID}")',
    "at the top": f"# exercise: {ID}\nfrom course import overlap\n{RIGHT}",
    "its check": f'check("{ID}")',
    "in the function": f'# exercise: {ID}\ndef freeze(module):\n    from course.overlap import VOID\ncheck("{ID}")',
    "written anew": f'# exercise: {ID}\nfrom course.applications.iou import VOID\n{USES_OLD}check("{ID}")',
}


def test_in_a_kernel_an_old_import_is_explained_by_the_next_check():
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in OLD_CELLS.values()])
    NotebookClient(nb, timeout=300, kernel_name="python3", allow_errors=True).execute()
    outputs = {name: cell.outputs for name, cell in zip(OLD_CELLS, nb.cells, strict=True)}
    assert [name for name, found in outputs.items() if found and found[0].output_type == "error"] == [
        "another cell",
        "at the top",
    ]
    text = {name: found[-1].get("text", "") for name, found in outputs.items() if found}
    instead = "`course.overlap` is now `course.applications.iou`; write `from course.applications"
    assert "NameError" in text["its answer"] and f"{instead}.iou import VOID`" in text["its answer"]
    assert f"did not run: {instead} import iou as overlap`; correct it" in text["its check"]
    assert (
        "raised ModuleNotFoundError: No module named 'course.overlap'; `course.overlap` is" in text["in the function"]
    )
    assert f"✓ {ID}: {POINTS} of {POINTS} points" in text["written anew"] and "course." not in text["written anew"]
