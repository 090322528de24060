"""Wrong answers that attack the grader score 0, learn nothing, and leave everybody else's grades as they were."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from course.grading.gradebook.book import Gradebook
from course.grading.run.class_run import Options, grade_class
from tests.hostile.attacks import FREEZE, all_attacks, freeze
from tests.hostile.holding import wrongs
from tests.hostile.trial import MARK, Machine, as_bytes, needs_a_sandbox, notebook

pytestmark = needs_a_sandbox

# One attack of each kind is in the fast tier.
KINDS = {
    "objects that lie about themselves": "a tensor that equals everything is compared outside, as plain numbers",
    "a patched library": "the bytes that a patched encoder sends are what is judged",
    "printed verdicts": "printed scores are text",
    "exits that look like success": "leaving with exit code 0 is no pass",
    "tensors that cost the judge": "a tensor of a thousand million copies of one number is not unfolded",
    "forged replies": "a forged reply that claims full marks",
    "damaged replies": "artefacts that are no safetensors",
    "replies without end": "half a frame, and silence",
    "reading files": "no file beside Python's own can be read",
    "reading memory": "the heap that the warm process left holds no secret",
    "reading judges": "no source in the sandbox holds a judge or an expected value",
    "killing": "it kills every process that it sees",
    "living on": "detached children are ended with their sandbox",
    "crashing": "a segmentation fault is a crash",
    "system calls": "system calls that watch, mount, load and reconfigure are refused",
    "the network": "no network, no name service, no socket of another kind",
    "writing": "only its own folders take a file",
    "time": "an endless loop",
    "processes": "a fork bomb",
    "memory": "3 GB in one piece",
    "output": "a hundred million characters",
    "files": "a full disk",
    "forged modules": "an import hook that forges modules",
    "other cells": "a decorator that ends the process",
    "code that no compiler takes": "an expression too deep for the compiler",
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("redteam"), limit_s=1.0)
    yield machine
    machine.close()


def attacks():
    names = {attack.name for attack in all_attacks()}
    assert set(KINDS.values()) <= names, set(KINDS.values()) - names
    marks = dict.fromkeys(KINDS.values(), ())
    return [pytest.param(one, id=one.name, marks=marks.get(one.name, pytest.mark.slow)) for one in all_attacks()]


@pytest.mark.parametrize("attack", attacks())
def test_an_attack_is_held_off(machine, attack):
    assert wrongs(machine, attack, thorough=False) == []


def test_files_beside_a_notebook_are_never_loaded_and_pages_show_what_was_said_as_text(tmp_path):
    """A class as it may be handed in: modules beside notebooks that stand in for others, HTML in names and texts."""
    evil = "import os\nopen(os.path.expanduser('/tmp/" + MARK + "'), 'w').write('x')\nos._exit(0)\n"
    attack = freeze(
        "print('<script>alert(1)</script>', '\\x1b[2J\\u202e')\nraise ValueError('<img src=x onerror=alert(1)>')"
    )
    books = {"<b>ada</b>": as_bytes(notebook()), "=cmd|' 'x": as_bytes(notebook({FREEZE: attack}))}
    for learner, content in books.items():
        folder = tmp_path / "handed-in" / learner
        folder.mkdir(parents=True)
        for name in (
            "torch.py",
            "course.py",
            "sitecustomize.py",
            "usercustomize.py",
            "conftest.py",
            "numpy/__init__.py",
        ):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(evil)
        (folder / "02_freeze_the_backbone.ipynb").write_bytes(content)
    told: list[str] = []
    summary = grade_class([tmp_path / "handed-in"], tmp_path / "out", Options(jobs=1), tell=told.append)
    assert (summary.statuses["graded"], summary.statuses["error"], summary.failures) == (11, 1, []), (summary, told)
    with Gradebook.open(tmp_path / "out" / "gradebook.sqlite") as book:
        scores = {row.learner: row.score == row.points for row in book.standings()}
        secret = book.secret
    assert sorted(scores.values()) == [False, True]
    assert not Path("/tmp", MARK).exists()
    pages = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.html")}
    assert len(pages) == 5
    for path, page in pages.items():
        assert secret.encode() not in page, path
        assert b"<script>alert" not in page and b"<img src=x" not in page and b"\x1b" not in page, path
        assert b"<b>ada" not in page, path


def test_modules_in_the_folder_that_grading_is_started_in_are_never_loaded(tmp_path):
    """`course grade .` among the submissions: no process of the grader's own looks for modules there."""
    folder, mark = tmp_path / "handed-in", tmp_path / "ran"
    folder.mkdir()
    evil = f"import os\nopen({str(mark)!r}, 'a').write(__name__ + chr(10))\nos._exit(0)\n"
    for name in ("torch", "course", "json", "multiprocessing", "socket", "numpy", "sitecustomize"):
        (folder / f"{name}.py").write_text(evil)
    (folder / "02_ada.ipynb").write_bytes(as_bytes(notebook()))
    command = [sys.executable, "-P", "-m", "course", "grade", ".", "--out", "../out", "--jobs", "1"]
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert not mark.exists(), mark.read_text()
    assert "exercises: 6 new (6 graded)" in done.stdout, done.stdout + done.stderr
