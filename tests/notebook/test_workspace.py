"""Work in a copy of a notebook is safe from updates, and no result is seen before it is run."""

import errno
import os
import re
import shutil
import stat
import sys
from datetime import date
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

import course
from course.errors import SetupError
from course.files import cannot_write
from course.notebook import notebook_files, workspace
from tests.conftest import ROOT

NAME = "00_a.ipynb"
TODAY = date.today().isoformat()


@pytest.fixture
def notebooks(tmp_path, home):
    folder = tmp_path / "notebooks"
    for name, source in (("00_a", "1 + 1"), ("01_b", "2 + 2")):
        write(folder / f"{name}.ipynb", source)
    return folder


@pytest.fixture
def mine(notebooks):
    """The learner's folder, with copies in it."""
    folder = notebooks.parent / "mine"
    assert workspace.prepare(notebooks, folder) == []
    return folder


def write(path, source, said="a result\n", id="sum"):
    cell = new_code_cell(source, id=id, outputs=[new_output("stream", text=said)], execution_count=1)
    notebook_files.write(new_notebook(cells=[cell], metadata=notebook_files.METADATA), path)


def add(path, source):
    """Add a cell to a copy, as a learner does."""
    nb = notebook_files.read(path)
    nb.cells.append(new_code_cell(source))
    notebook_files.write(nb, path)


def sources(path):
    return [cell.source for cell in notebook_files.read(path).cells]


def earlier(folder):
    return sorted(path.name for path in (folder / workspace.EARLIER).glob("*"))


def test_copies_have_no_results_and_the_originals_keep_theirs(notebooks, tmp_path):
    before = {path: path.read_bytes() for path in notebooks.glob("*")}
    folder = tmp_path / "a" / "new place"
    assert workspace.prepare(notebooks, folder) == []
    assert sorted(path.name for path in folder.iterdir()) == [NAME, "01_b.ipynb"]
    for path in folder.iterdir():
        nb = notebook_files.read(path)
        nbformat.validate(nb)
        assert nb.cells[0].outputs == [] and nb.cells[0].execution_count is None
        assert nb.cells[0].source == notebook_files.read(notebooks / path.name).cells[0].source
    assert {path: path.read_bytes() for path in notebooks.glob("*")} == before


def test_a_copy_is_left_alone_while_its_original_has_not_changed(notebooks, mine):
    add(mine / NAME, "mine")
    before = (mine / NAME).read_bytes()
    assert workspace.prepare(notebooks, mine) == []
    write(notebooks / NAME, "1 + 1", said="the same, measured again\n")
    assert workspace.prepare(notebooks, mine) == []
    assert (mine / NAME).read_bytes() == before


def test_a_copy_without_work_is_renewed_without_a_word(notebooks, mine):
    nb = notebook_files.read(mine / NAME)
    nb.cells[0].outputs, nb.cells[0].execution_count = [new_output("stream", text="2")], 1
    notebook_files.write(nb, mine / NAME)
    write(notebooks / NAME, "1 + 1 + 1")
    write(notebooks / "01_b.ipynb", "2 + 2 + 2")
    write(notebooks / "02_c.ipynb", "3 + 3")
    assert workspace.prepare(notebooks, mine) == []
    assert sources(mine / NAME) == ["1 + 1 + 1"] and notebook_files.read(mine / NAME).cells[0].outputs == []
    assert sources(mine / "01_b.ipynb") == ["2 + 2 + 2"] and (mine / "02_c.ipynb").exists()
    assert earlier(mine) == []


def test_work_is_moved_into_the_new_notebook_and_the_old_file_is_kept(notebooks, mine):
    add(mine / NAME, "mine")
    before = (mine / NAME).read_bytes()
    write(notebooks / NAME, "1 + 1 + 1")
    (line,) = workspace.prepare(notebooks, mine)
    assert line.startswith(f"{NAME} was updated. Moved into it: 1 cell that you added.")
    assert sources(mine / NAME) == ["1 + 1 + 1", "mine"]
    backup = mine / workspace.EARLIER / f"00_a (before {TODAY}).ipynb"
    assert backup.read_bytes() == before and str(backup) in line
    assert workspace.prepare(notebooks, mine) == [], "said once"


def test_no_earlier_version_is_replaced_by_another_of_the_same_day(notebooks, mine):
    add(mine / NAME, "mine")
    for source in ("1 + 1 + 1", "1 + 1 + 1 + 1", "4"):
        write(notebooks / NAME, source)
        assert len(workspace.prepare(notebooks, mine)) == 1
    assert earlier(mine) == [f"00_a (before {TODAY}{which}).ipynb" for which in ("", ", 2", ", 3")]
    kept = [sources(mine / workspace.EARLIER / name)[0] for name in earlier(mine)]
    assert sorted(kept) == ["1 + 1", "1 + 1 + 1", "1 + 1 + 1 + 1"]
    assert sources(mine / NAME) == ["4", "mine"]


def test_a_renamed_notebook_stays_and_a_new_copy_is_made_beside_it(notebooks, mine):
    add(mine / NAME, "mine")
    (mine / NAME).rename(mine / "my first.ipynb")
    write(notebooks / NAME, "1 + 1 + 1")
    assert workspace.prepare(notebooks, mine) == []
    assert sources(mine / "my first.ipynb") == ["1 + 1", "mine"] and sources(mine / NAME) == ["1 + 1 + 1"]


@pytest.mark.parametrize(
    "text",
    ["half a file", "", "[]", "{}", '{"cells": [3], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
     '{"cells": null, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
     '{"cells": [], "metadata": [], "nbformat": 4, "nbformat_minor": 5}'],
)  # fmt: skip
def test_a_damaged_copy_is_left_alone_and_named_in_one_line(notebooks, mine, text):
    (mine / NAME).write_text(text)
    (line,) = workspace.prepare(notebooks, mine)
    assert line.startswith(f"{NAME} cannot be read") and "rename it" in line and "\n" not in line
    assert (mine / NAME).read_text() == text


def test_a_notebook_of_the_learners_own_is_left_alone_and_named(notebooks, mine):
    write(mine / NAME, "my_thesis = 1", id="thesis")
    (line,) = workspace.prepare(notebooks, mine)
    assert line.startswith(f"{NAME} is not the course's notebook") and sources(mine / NAME) == ["my_thesis = 1"]


@pytest.mark.parametrize("failing", ["backup", "copy"])
def test_a_file_that_cannot_be_replaced_is_left_as_it_was_and_the_next_try_succeeds(
    notebooks, mine, monkeypatch, failing
):
    add(mine / NAME, "mine")
    before = (mine / NAME).read_bytes()
    write(notebooks / NAME, "1 + 1 + 1")
    replace = os.replace

    def refuse(source, target):
        if (Path(target).parent.name == workspace.EARLIER) is (failing == "backup") and "00_a" in str(target):
            raise PermissionError(errno.EACCES, "it is open elsewhere", str(target))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        (line,) = workspace.prepare(notebooks, mine)
    assert "was not updated" in line and "it is open elsewhere" in line and "close it" in line
    assert (mine / NAME).read_bytes() == before
    assert len(workspace.prepare(notebooks, mine)) == 1 and sources(mine / NAME) == ["1 + 1 + 1", "mine"]
    assert earlier(mine) == [f"00_a (before {TODAY}).ipynb"], "and the same file isn't kept twice"
    assert sorted(path.name for path in mine.iterdir()) == [NAME, "01_b.ipynb", workspace.EARLIER]


def test_a_full_disk_loses_nothing(notebooks, mine, monkeypatch):
    add(mine / NAME, "mine")
    write(notebooks / NAME, "1 + 1 + 1")

    def full(nb, path):
        raise cannot_write(path, OSError(errno.ENOSPC, "No space left on device"))

    monkeypatch.setattr(notebook_files, "write", full)
    (line,) = workspace.prepare(notebooks, mine)
    assert "free some space" in line and sources(mine / NAME) == ["1 + 1", "mine"]


def test_glossary_and_topics_lie_beside_the_copies_and_lead_to_them(notebooks, mine):
    page = notebooks.parent / "docs" / "glossary.md"
    page.parent.mkdir()
    page.write_text("**logit**: see [A](../notebooks/00_a.ipynb) and the [topics](topics.md)")
    workspace.prepare(notebooks, mine)
    copy = mine / "glossary.md"
    assert copy.read_text() == f"{workspace.REPLACED}**logit**: see [A](00_a.ipynb) and the [topics](topics.md)"
    page.write_text("**loss**")
    workspace.prepare(notebooks, mine)
    assert copy.read_text() == f"{workspace.REPLACED}**loss**"


def test_pages_for_instructors_and_maintainers_are_not_copied(notebooks, mine):
    docs = notebooks.parent / "docs"
    docs.mkdir()
    for name in (*workspace.PAGES, "instructors.md", "inside.md"):
        (docs / name).write_text("a page")
    workspace.prepare(notebooks, mine)
    assert sorted(path.name for path in mine.glob("*.md")) == sorted(workspace.PAGES)


def test_every_link_of_the_real_pages_leads_to_a_copy(tmp_path, home):
    workspace.prepare(ROOT / "notebooks", tmp_path)
    for page in workspace.PAGES:
        links = re.findall(r"\]\(([^)#:]+)", (tmp_path / page).read_text(encoding="utf-8"))
        assert len(links) > 20 and all((tmp_path / link).is_file() for link in links)


def test_a_folder_that_cannot_be_made_is_an_error_that_offers_another_way(notebooks, tmp_path):
    (tmp_path / "taken").write_text("a file in its place")
    with pytest.raises(SetupError, match=r"cannot be written.*course lab --to"):
        workspace.prepare(notebooks, tmp_path / "taken")


def test_in_a_clone_the_originals_are_its_notebooks_wherever_one_is(tmp_path, monkeypatch):
    write(tmp_path / "notebooks" / "my_thesis.ipynb", "1")
    monkeypatch.chdir(tmp_path)
    assert workspace.find_originals() == ROOT / "notebooks"


def package(folder, monkeypatch):
    """Pretend that the course is installed in this folder."""
    (folder / "course").mkdir(parents=True)
    monkeypatch.setattr(course, "__file__", str(folder / "course" / "__init__.py"))


def test_a_project_that_is_not_the_course_is_no_clone(tmp_path, monkeypatch):
    package(tmp_path, monkeypatch)
    write(tmp_path / "notebooks" / "my_thesis.ipynb", "1")
    for text in ('[project]\nname = "thesis"', "half a [file", '[tool]\nname = "pretrained-course"'):
        (tmp_path / "pyproject.toml").write_text(text)
        with pytest.raises(SetupError, match="install the course again"):
            workspace.find_originals()
    write(tmp_path / "course" / "learner_files" / "notebooks" / NAME, "1")
    assert workspace.find_originals() == tmp_path / "course" / "learner_files" / "notebooks"


def test_the_folder_that_was_used_last_is_the_default_while_it_exists(notebooks, mine):
    assert workspace.default_folder() == mine.resolve()
    shutil.rmtree(mine)
    assert workspace.default_folder() == ROOT / workspace.NAME


@pytest.mark.parametrize("text", ["half a file", "[]", '{"folder": 3}', '{"folder": "\\u0000"}'])
def test_a_damaged_memory_of_the_folder_is_ignored(home, text):
    home.mkdir()
    (home / workspace.REMEMBERED).write_text(text)
    assert workspace.default_folder() == ROOT / workspace.NAME


def test_without_a_clone_the_default_is_here_or_at_home_whichever_can_be_written(tmp_path, home, monkeypatch):
    package(tmp_path / "site-packages", monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert workspace.default_folder() == tmp_path / workspace.NAME
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    assert workspace.default_folder() == Path.home() / workspace.NAME


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a folder that its owner can't write")
def test_a_clone_that_cannot_be_written_is_left_for_the_current_folder(tmp_path, home, monkeypatch):
    package(tmp_path / "clone", monkeypatch)
    (tmp_path / "clone" / "pyproject.toml").write_text('[project]\nname = "pretrained-course"')
    (tmp_path / "clone").chmod(stat.S_IRUSR | stat.S_IXUSR)
    monkeypatch.chdir(tmp_path)
    assert workspace.default_folder() == tmp_path / workspace.NAME


def test_the_copies_are_kept_out_of_git():
    assert f"{workspace.NAME}/" in (ROOT / ".gitignore").read_text().splitlines()
