"""The wheel is all that a learner needs: it holds the notebooks, not yet run, and never an answer."""

import os
import subprocess
import sys
import tarfile
import zipfile

import pytest

from course.authoring.regions import BEGIN
from course.notebook import notebook_files, workspace
from tests.conftest import ROOT

pytest.importorskip("hatchling", reason="builds a wheel: python -m pip install hatchling")

from course.grading.release.wheel import build_wheel

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel unpacked, as pip does."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_it_holds_the_notebooks_without_outputs_and_the_learners_pages(installed):
    folder = installed / "course" / "learner_files"
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    pages = [f"docs/{page}" for page in workspace.PAGES]
    assert names == sorted([*pages, *(f"notebooks/{path.name}" for path in NOTEBOOKS)])
    for path in NOTEBOOKS:
        bare = notebook_files.without_outputs(notebook_files.read(path))
        assert (folder / "notebooks" / path.name).read_text(encoding="utf-8") == notebook_files.text(bare)
    for page in pages:
        assert (folder / page).read_bytes() == (ROOT / page).read_bytes()


def test_it_holds_no_solution(installed):
    for path in installed.rglob("*"):
        assert not {"solutions", "hidden", "tests"} & set(path.relative_to(installed).parts)
        if path.suffix == ".ipynb":
            assert BEGIN not in path.read_text(encoding="utf-8")


def test_an_installed_course_makes_the_same_copies_as_a_clone(installed, tmp_path, home):
    program = (
        "import sys; from pathlib import Path; from course.notebook import workspace as w\n"
        "print(w.find_originals()); print(w.prepare(w.find_originals(), Path('mine')))"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    originals = installed / "course" / "learner_files" / "notebooks"
    assert done.stdout.splitlines() == [str(originals), "[]"], done.stderr
    workspace.prepare(ROOT / "notebooks", tmp_path / "from a clone")
    for path in (tmp_path / "from a clone").iterdir():
        assert (tmp_path / "mine" / path.name).read_bytes() == path.read_bytes()


def test_an_editable_installation_uses_the_notebooks_of_the_clone(tmp_path):
    pytest.importorskip("editables", reason="an editable wheel is built with it: python -m pip install editables")
    from hatchling.builders.wheel import WheelBuilder

    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["editable"])
    with zipfile.ZipFile(built) as archive:
        assert not any("learner_files" in name for name in archive.namelist())


def test_the_source_distribution_builds_the_same_wheel(wheel, tmp_path):
    from hatchling.builders.sdist import SdistBuilder

    (built,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(built) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert not (folder / "solutions").exists() and not (folder / "tests").exists()
    assert build_wheel(folder, tmp_path / "again").read_bytes() == wheel.read_bytes()
