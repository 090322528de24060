"""Files are written whole or not at all: on a disk that fills up, beside other processes, and where one is killed."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from course.errors import CannotWrite, ModelError
from course.files import replacing, replacing_folder
from tests.small_disk import WAYS, on_a_disk_that_fills_up

posix = pytest.mark.skipif(os.name != "posix", reason="needs Unix's permissions and signals")

# What each has written before is to be as it was when it fails on a full disk.
PROGRAMS = {
    "a file": """
from course.files import replacing
def write(text):
    with replacing(folder / "what") as unfinished:
        unfinished.write_text(text)
before, after = lambda: write("old"), lambda: write("new" * 1000)
unchanged = lambda: (folder / "what").read_text() == "old"
""",
    "a folder": """
from course.files import replacing_folder
def write(text):
    with replacing_folder(folder / "what") as unfinished:
        (unfinished / "file").write_text(text)
before, after = lambda: write("old"), lambda: write("new" * 1000)
unchanged = lambda: (folder / "what" / "file").read_text() == "old"
""",
    "a notebook": """
from nbformat.v4 import new_markdown_cell, new_notebook
from course.notebook.notebook_files import read, write
before = lambda: write(new_notebook(cells=[new_markdown_cell("old", id="a")]), folder / "what")
after = lambda: write(new_notebook(cells=[new_markdown_cell("new" * 1000, id="a")]), folder / "what")
unchanged = lambda: read(folder / "what").cells[0].source == "old"
""",
    "a checkpoint": """
import torch
from course.training.checkpoints import read_checkpoint, write_checkpoint
before = lambda: write_checkpoint(folder / "what", {"model": torch.zeros(1000)})
after = lambda: write_checkpoint(folder / "what", {"model": torch.ones(100_000)})
unchanged = lambda: read_checkpoint(folder / "what")["model"].sum() == 0
""",
    "an export": """
import os
from pathlib import Path
from course.grading.exports.export import export
from course.grading.gradebook.book import Gradebook
from course.grading.grades import Submission
book = Gradebook.open(os.environ["BOOK"])
book.add_submission(Submission("ada", Path("x.ipynb")), "1" * 64, notebook="02", exercises=["02-freeze-backbone"])
before, after = lambda: export(book, "csv", folder / "what"), lambda: export(book, "csv-wide", folder / "what")
unchanged = lambda: (folder / "what").read_text().startswith("learner,notebook,exercise,")
""",
    "an autograder": """
from course.grading.release.autograder import release_gradescope
before = lambda: (folder / "what").write_text("old")
after = lambda: release_gradescope(folder / "what", "02")
unchanged = lambda: (folder / "what").read_text() == "old"
""",
    "a report": """
from course.grading.reports.files import write_if_changed
before = lambda: write_if_changed(folder / "what", "old")
after = lambda: write_if_changed(folder / "what", "new" * 1000)
unchanged = lambda: (folder / "what").read_text() == "old"
""",
    "a predictor": """
from course.applications.predictor import Predictor
from course.models import image_transform, load_backbone, replace_head
def before():
    global predictor
    (folder / "model.safetensors").write_text("old")
    model = load_backbone("efficientnet_lite0")
    replace_head(model, 2)
    predictor = Predictor(model, ["cat", "dog"], image_transform(model))
after = lambda: predictor.save(folder)
unchanged = lambda: (folder / "model.safetensors").read_text() == "old"
""",
}
FIT = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from course.training.checkpoints import read_checkpoint
from course.training.loop import fit

def run(epochs):
    torch.manual_seed(0)
    x = torch.randn(24, 4)
    loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=8)
    options = {"checkpoint": folder / "run.pt", "device": "cpu", "verbose": False}
    report["epochs"] = len(fit(nn.Linear(4, 2), loader, loader, epochs=epochs, **options))
"""
FITS = {
    "fit from its start": FIT + "before, after, unchanged = (lambda: None), (lambda: run(1)), (lambda: True)",
    "fit later": FIT
    + """
before, after = lambda: run(1), lambda: run(3)
unchanged = lambda: len(read_checkpoint(folder / "run.pt")["rows"]) == 1
""",
}


@pytest.fixture(scope="module", params=WAYS)
def disk(request, tmp_path_factory):
    """What each program reported of a disk that became full after its first half."""
    folder = tmp_path_factory.mktemp("small")
    book = str(folder / "gradebook.sqlite")
    return on_a_disk_that_fills_up(request.param, folder / "disk", {**PROGRAMS, **FITS}, BOOK=book)


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_full_disk_is_an_error_that_says_so_and_changes_nothing(disk, what):
    found = disk[what]
    assert found["of_the_course"], found
    assert any(reason in found["message"] for reason in ("No space left on device", "File too large")), found
    assert "free some space" in found["message"] or "make room" in found["message"], found
    assert found["unchanged"], found
    assert found["left"] in (["what"], ["what", "what/file"], ["model.safetensors"]), found


def test_fit_on_a_full_disk_stops_before_it_trains_and_leaves_nothing(disk):
    found = disk["fit from its start"]
    assert found["error"] == "CannotWrite" and "free some space" in found["message"]
    assert found["left"] == [] and "epochs" not in found


def test_a_disk_that_fills_up_while_fit_trains_costs_the_checkpoint_alone(disk):
    found = disk["fit later"]
    assert (found["epochs"], found["left"], found["unchanged"]) == (3, ["run.pt"], True)
    for epoch in (2, 3):
        assert f"epoch {epoch} could not be kept; training goes on" in found["printed"]


@posix
def test_a_new_file_has_what_the_umask_gives_and_a_replaced_one_keeps_its_own(tmp_path):
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "new") as unfinished:
            unfinished.write_text("1")
        (tmp_path / "old").write_text("0")
        (tmp_path / "old").chmod(0o604)
        with replacing(tmp_path / "old") as unfinished:
            unfinished.write_text("1")
        with replacing_folder(tmp_path / "folder") as folder:
            assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700, "nobody else looks into it before it is done"
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "old", "folder")}
    assert modes == {"new": 0o640, "old": 0o604, "folder": 0o750}


@posix
def test_a_private_file_is_its_owners_alone_from_the_first_byte(tmp_path):
    (tmp_path / "secret").write_text("0")
    with replacing(tmp_path / "secret", private=True) as unfinished:
        unfinished.write_text("1")
        assert stat.S_IMODE(unfinished.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize("durable", [True, False])
def test_the_content_is_on_the_disk_before_the_name_is(tmp_path, monkeypatch, durable):
    calls = []
    for name in ("fsync", "replace"):
        system = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, system=system: calls.append(name) or system(*a))
    with replacing(tmp_path / "file", durable=durable) as unfinished:
        unfinished.write_text("1")
    assert calls == (["fsync", "replace", "fsync"] if durable else ["replace"])  # the second is the folder's


@pytest.mark.parametrize("error", [ModelError("ours"), KeyboardInterrupt(), ZeroDivisionError()], ids=lambda e: str(e))
def test_an_error_on_the_way_is_passed_on_as_it_is_and_leaves_nothing(tmp_path, error):
    (tmp_path / "file").write_text("old")
    for manager in (replacing, replacing_folder):
        with pytest.raises(type(error)) as raised, manager(tmp_path / "file"):
            raise error
        assert raised.value is error
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_text() == "old"


def test_a_place_where_nothing_can_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    for parents in (False, True):
        writing = replacing(tmp_path / "file" / "new", parents=parents)
        with pytest.raises(CannotWrite, match=r"new cannot be written: .*choose a place") as raised, writing as new:
            new.write_text("1")
        assert raised.value.errno and raised.value.strerror and isinstance(raised.value, OSError)


def test_a_folder_takes_the_place_of_an_older_one_whole(tmp_path):
    for number in range(2):
        with replacing_folder(tmp_path / "folder") as unfinished:
            (unfinished / f"{number}.txt").write_text("")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["folder", "folder/1.txt"]


KILLED = """
import os, signal, sys
from pathlib import Path
from course.files import replacing, replacing_folder
if sys.argv[2] == "file":
    with replacing(Path(sys.argv[1]), alone=True) as unfinished:
        unfinished.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
with replacing_folder(Path(sys.argv[1]), alone=True) as unfinished:
    (unfinished / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@posix
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_one_writer_removes_what_it_left_when_it_was_killed(tmp_path, kind):
    path = tmp_path / "a"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), kind])
    assert done.returncode == -signal.SIGKILL and len(list(tmp_path.iterdir())) == 1 and not path.exists()
    if kind == "file":
        with replacing(path, alone=True) as unfinished:
            unfinished.write_text("whole")
    else:
        with replacing_folder(path, alone=True) as unfinished:
            (unfinished / "whole").write_text("")
    assert list(tmp_path.iterdir()) == [path]


def test_many_writers_of_one_file_never_mix(tmp_path):
    path = tmp_path / ("é" * 100)  # a name that leaves no room for a longer one
    program = (
        "import sys\nfrom pathlib import Path\nfrom course.files import replacing\nfor _ in range(50):\n"
        "    with replacing(Path(sys.argv[1]), durable=False) as unfinished:\n"
        "        unfinished.write_text(sys.argv[2] * 100_000)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), letter]) for letter in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen.add(path.read_text())
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen <= {"a" * 100_000, "b" * 100_000} and seen and [*tmp_path.iterdir()] == [path]
