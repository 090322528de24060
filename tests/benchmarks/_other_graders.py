"""nbgrader and otter-grader on the exercise that freezes a backbone: seconds for a batch, and who gets full marks.

Each grades in the way that its own documentation names for many notebooks on one machine, in this process, with the
visible judges as its tests. What is installed is not what is paid for: imports are done before the clock starts.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
import os
import sysconfig
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course import authoring
from course.judging.exercise import find_exercise
from course.notebook import notebook_files
from tests.authoring.test_nbgrader import kernel_of_this_interpreter, succeed
from tests.benchmarks._submissions import solutions

EXERCISE = "02-freeze-backbone"
NAME = "02_freeze_things"
IMPORTS = "import torch\nfrom torch import nn\n\nfrom course import check"
OTTER_TEST = f"""\
OK_FORMAT = True
test = {{
    "name": "freeze",
    "points": 1,
    "suites": [{{
        "cases": [{{"code": '''
>>> from course.judging import LocalRunner, find_exercise, judge_exercise
>>> judge_exercise(find_exercise("{EXERCISE}"), LocalRunner(globals())).passed
True
''', "hidden": False, "locked": False}}],
        "scored": True,
        "setup": "",
        "teardown": "",
        "type": "doctest",
    }}],
}}
"""

Marks = Mapping[str, bool]  # who got all there was to get


def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def one_exercise() -> nbformat.NotebookNode:
    """A solution with one exercise and its check, as the course's own notebooks are made."""
    cells = [new_markdown_cell("# Freeze things")]
    cells += map(new_code_cell, [IMPORTS, solutions("02")[EXERCISE], f'check("{EXERCISE}")'])
    return authoring.normalise(new_notebook(cells=cells), NAME)


def nbgrader(root: Path, answers: Mapping[str, str]) -> tuple[float, Marks, dict[str, Path]]:
    """Seconds for `nbgrader autograde` of the batch, the marks, and the files that were handed in."""
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.db_url = f"sqlite:///{root / 'gradebook.db'}"
    config.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
    config.Execute.timeout = 300
    notebook_files.write(one_exercise(), root / "source" / "chapter" / f"{NAME}.ipynb")
    with _environment(root):
        api = NbGraderAPI(config=config)
        succeed(api.generate_assignment("chapter"))
        released = notebook_files.read(root / "release" / "chapter" / f"{NAME}.ipynb")
        handed_in = {learner: root / "submitted" / learner / "chapter" / f"{NAME}.ipynb" for learner in answers}
        for learner, source in answers.items():
            notebook_files.write(_answered(released, source, learner), handed_in[learner])
        started = time.perf_counter()
        succeed(api.autograde("chapter", "*"))
        seconds = time.perf_counter() - started
    with Gradebook(config.CourseDirectory.db_url) as book:
        found = {one.student.id: one for one in book.assignment_submissions("chapter")}
        marks = {learner: found[learner].score == find_exercise(EXERCISE).points for learner in answers}
    return seconds, marks, handed_in


def otter(root: Path, handed_in: Mapping[str, Path]) -> tuple[float, Marks]:
    """Seconds for otter's `grade_submission` of each, in one process."""
    from otter.api import grade_submission

    archive = root / "autograder.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("otter_config.json", json.dumps({"lang": "python", "kernel_name": "python3"}))
        made.writestr("tests/freeze.py", OTTER_TEST)
    marks = {}
    with _environment(root), contextlib.chdir(root):
        started = time.perf_counter()
        for learner, path in handed_in.items():
            results = grade_submission(str(path), str(archive), quiet=True)
            marks[learner] = results.total == results.possible > 0
        return time.perf_counter() - started, marks


def _answered(released: nbformat.NotebookNode, source: str, learner: str) -> nbformat.NotebookNode:
    book = nbformat.from_dict(released)
    for cell in book.cells:
        if cell.id == EXERCISE:
            cell.source = source
    book.cells[0].source += f"\n\nHanded in by {learner}."
    return book


@contextlib.contextmanager
def _environment(root: Path) -> Iterator[None]:
    """What the peers' kernels find: this interpreter, no memory of earlier runs, no words on the screen."""
    before = dict(os.environ)
    kernels = root / "jupyter"
    os.environ.update(
        COURSE_STRICT="1",
        COURSE_HOME=str(root / "home"),
        OMP_NUM_THREADS="1",
        JUPYTER_PATH=str(kernels if kernels.exists() else kernel_of_this_interpreter(kernels)),
        PATH=os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"])),  # nbgrader calls alembic by name
    )
    logging.disable(logging.WARNING)
    screen = os.dup(2)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stderr(io.StringIO()),
            Path(os.devnull).open("w") as nowhere,
        ):
            warnings.simplefilter("ignore")
            os.dup2(nowhere.fileno(), 2)  # a kernel's own
            yield
    finally:
        os.dup2(screen, 2)
        os.close(screen)
        logging.disable(logging.NOTSET)
        os.environ.clear()
        os.environ.update(before)
