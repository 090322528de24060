"""nbgrader's own `generate_assignment` and `autograde` give the points that `check` gives."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course import authoring
from course.judging import LocalRunner, find_exercise, judge_exercise
from course.notebook import notebook_files

NAME = "02_freeze_things"
STUB = "    raise NotImplementedError"
FREEZE = """\
# exercise: 02-freeze-backbone
def freeze(module):
    ### BEGIN SOLUTION
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    ### END SOLUTION"""
SET_TRAIN = """\
# exercise: 02-set-train-mode
def set_train(model):
    ### BEGIN SOLUTION
    for module in model.modules():
        parameters = list(module.parameters())
        frozen = bool(parameters) and not any(p.requires_grad for p in parameters)
        module.training = not frozen
    ### END SOLUTION"""
RIGHT = """\
    model.train()
    for module in model.modules():
        flags = [parameter.requires_grad for parameter in module.parameters()]
        if flags and not any(flags):
            module.eval()"""
FULL = {exercise: find_exercise(exercise).points for exercise in ("02-freeze-backbone", "02-set-train-mode")}

# What each learner writes into the two exercises.
SUBMISSIONS = {
    "ada": {"02-freeze-backbone": "    module.requires_grad_(False)", "02-set-train-mode": RIGHT},
    "ben": {
        "02-freeze-backbone": "    module.requires_grad = False",
        "02-set-train-mode": "    model.no_such_method()",
    },
    "cem": {"02-freeze-backbone": STUB, "02-set-train-mode": "    model.train()\n    model.backbone.eval()"},
}


@pytest.fixture(scope="module")
def grades(tmp_path_factory) -> dict[str, dict[str, float]]:
    """student -> grade_id -> points, after nbgrader graded every submission."""
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    root = tmp_path_factory.mktemp("class")
    source = root / "source" / "chapter" / f"{NAME}.ipynb"
    notebook_files.write(solution(), source)
    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.db_url = f"sqlite:///{root / 'gradebook.db'}"
    config.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
    config.Execute.timeout = 300
    with pytest.MonkeyPatch.context() as patch:
        # nbgrader calls `alembic` by name, whether the environment is activated or not.
        patch.setenv("PATH", sysconfig.get_path("scripts"), prepend=os.pathsep)
        patch.setenv("COURSE_STRICT", "1")
        patch.setenv("COURSE_HOME", str(root / "home"))
        patch.setenv("JUPYTER_PATH", str(kernel_of_this_interpreter(root / "jupyter")))
        nbgrader = NbGraderAPI(config=config)
        succeed(nbgrader.generate_assignment("chapter"))
        released = notebook_files.read(root / "release" / "chapter" / source.name)
        for student, bodies in SUBMISSIONS.items():
            notebook_files.write(answered(released, bodies), root / "submitted" / student / "chapter" / source.name)
            succeed(nbgrader.autograde("chapter", student))
    with Gradebook(config.CourseDirectory.db_url) as gradebook:
        return {
            student: {grade.name: grade.score for grade in graded_cells(gradebook, student)} for student in SUBMISSIONS
        }


def graded_cells(gradebook, student: str):
    return gradebook.find_submission("chapter", student).notebooks[0].grades


def solution() -> nbformat.NotebookNode:
    sources = [
        "from course import check",
        FREEZE,
        'check("02-freeze-backbone")',
        SET_TRAIN,
        'check("02-set-train-mode")',
    ]
    cells = [new_markdown_cell("# Freeze things"), *map(new_code_cell, sources)]
    return authoring.normalise(new_notebook(cells=cells), NAME)


def answered(released: nbformat.NotebookNode, bodies: dict[str, str]) -> nbformat.NotebookNode:
    """The release as a learner hands it in."""
    nb = nbformat.from_dict(released)
    for cell in nb.cells:
        if cell.id in bodies:
            assert STUB in cell.source and "SOLUTION" not in cell.source
            cell.source = cell.source.replace(STUB, bodies[cell.id])
    return nb


def kernel_of_this_interpreter(folder: Path) -> Path:
    kernel = folder / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python 3", "language": "python", "env": {"OMP_NUM_THREADS": "1"}}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    return folder


def succeed(outcome: dict) -> None:
    assert outcome["success"], f"{outcome.get('error')}\n{outcome.get('log')}"


def judged(exercise: str, body: str) -> float:
    """What the judges give for this body, without a notebook."""
    source = {"02-freeze-backbone": FREEZE, "02-set-train-mode": SET_TRAIN}[exercise].split("    ### BEGIN")[0] + body
    namespace: dict = {"__name__": "__main__"}
    exec(source, namespace)
    return judge_exercise(find_exercise(exercise), LocalRunner(namespace)).score


@pytest.mark.parametrize("student", SUBMISSIONS)
def test_nbgrader_gives_the_points_that_the_judges_give(grades, student):
    expected = {f"{exercise}-check": judged(exercise, body) for exercise, body in SUBMISSIONS[student].items()}
    assert grades[student] == expected


def test_right_answers_get_full_marks(grades):
    assert grades["ada"] == {f"{exercise}-check": points for exercise, points in FULL.items()}


def test_an_answer_that_raises_gets_nothing(grades):
    assert grades["ben"]["02-set-train-mode-check"] == 0


def test_an_untouched_exercise_gets_nothing(grades):
    assert grades["cem"]["02-freeze-backbone-check"] == 0


def test_a_partly_right_answer_gets_part_of_the_points(grades):
    assert 0 < grades["cem"]["02-set-train-mode-check"] < FULL["02-set-train-mode"]


def test_each_check_is_worth_what_its_judges_are_worth():
    marked = [cell.metadata.nbgrader for cell in solution().cells if "nbgrader" in cell.metadata]
    points = {nbgrader.grade_id: nbgrader.points for nbgrader in marked if nbgrader.grade}
    assert points == {f"{exercise}-check": worth for exercise, worth in FULL.items()}
