"""docs/write-an-exercise.md, followed from the first command to the last: what it promises comes out."""

import csv
import json
import subprocess
import sys
import zipfile

import pytest

from course.grading.sandbox import bubblewrap
from tests.conftest import ROOT, needs_program
from tests.documents import Document
from tests.walkthrough import PAGE, Walk


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    return Walk(tmp_path_factory.mktemp("walk"))


@pytest.fixture(scope="module")
def tried(walk):
    """The walk as far as the answers are tried."""
    walk.upto("course check")
    return walk


@pytest.fixture(scope="module")
def graded(tried):
    """The walk to its end, and what is in the folder then."""
    needs_program("bwrap")
    bubblewrap.namespaces()
    tried.upto("course export")
    return tried


def test_every_file_that_the_page_lists_is_written_at_the_beginning(tried):
    (listing,) = Document(PAGE).blocks("text")
    top, *files = [line.split()[0] for line in listing.text.splitlines()]
    assert all((tried.folder / top / file).is_file() for file in files) and len(files) == 4


def test_right_answers_pass_and_wrong_ones_fail(tried):
    (said,) = (said for command, said in tried.said.items() if command.startswith("course try-exercise"))
    assert said.count("✓ right") == 2 and said.count("✓ wrong") == 3 and "✗" not in said
    (said,) = (said for command, said in tried.said.items() if command.startswith("course check"))
    assert said.endswith("2 of 2 points\n")


@pytest.mark.slow
def test_the_three_submissions_get_what_the_page_says(graded):
    with (graded.folder / "grades.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["exercise"] == "02-share-frozen"]
    assert {row["learner"]: (float(row["score"]), float(row["points"])) for row in rows} == {
        "ada": (5, 5),
        "ben": (0, 5),
        "cleo": (0, 5),
    }
    page = (graded.folder / "grades" / "index.html").read_text(encoding="utf-8")
    assert "Report the share that is frozen" in page and "you counted tensors" in page


@pytest.mark.slow
def test_a_class_gets_the_exercise_and_not_its_answers(graded):
    (wheel,) = (graded.folder / "class" / "notebooks").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        changes = archive.read("course/exercises/class.toml").decode()
    assert "course/exercises/nb02_our_exercises/share_frozen.py" in names
    assert not [name for name in names if "hidden/" in name or "wrong/" in name or "solutions/" in name]
    assert "no_parameter_of_the_module_moves = 3" in changes and "freezes_a_transformer" not in changes
    notebook = graded.folder / "class" / "notebooks" / "02_freeze_the_backbone.ipynb"
    cells = {cell["id"]: cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]}
    assert cells["02-share-frozen-check"]["metadata"]["nbgrader"]["points"] == 4
    assert "raise NotImplementedError" in "".join(cells["02-share-frozen"]["source"])
    headings = ["".join(cell["source"]).split("\n")[0] for cell in cells.values()]
    assert "### Exercise: Freeze what you are given (4 points)" in headings


@pytest.mark.slow
def test_a_learner_who_installs_the_wheel_checks_the_exercise_with_nothing_set(graded, tmp_path):
    (wheel,) = (graded.folder / "class" / "notebooks").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    path = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})"
    code = f"{path}; from course import check; check('02-share-frozen')"
    run = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert "`share_frozen` is not defined here" in run.stdout, run.stdout + run.stderr


@pytest.mark.slow
def test_gradescope_gets_the_judges_and_solutions_of_both(graded):
    command = f"course release --gradescope 02 --out autograder.zip --exercises {graded.folder / 'our-exercises'}"
    graded.run(command)
    with zipfile.ZipFile(graded.folder / "autograder.zip") as archive:
        secret = {name for name in archive.namelist() if name.startswith("solutions/")}
        assert "Autograder points: 35" in archive.read("README.txt").decode()
    assert secret == {
        "solutions/02_freeze_the_backbone.ipynb",
        "solutions/02_share_frozen.ipynb",
        "solutions/hidden/class.toml",
        "solutions/hidden/nb02_freeze_the_backbone.py",
        "solutions/hidden/nb02_share_frozen.py",
    }


def test_the_page_is_linked_from_where_somebody_looks_for_it():
    for page in ("README.md", "CONTRIBUTING.md", "docs/instructors.md", "docs/inside.md"):
        assert "write-an-exercise.md" in (ROOT / page).read_text(encoding="utf-8")
