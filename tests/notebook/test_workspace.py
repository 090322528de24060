"""Work in a copy of a notebook is safe from updates, and no result is seen before it is run."""

import re
import shutil

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from course.errors import SetupError
from course.notebook import notebook_files, workspace
from tests.conftest import ROOT


@pytest.fixture
def notebooks(tmp_path):
    folder = tmp_path / "notebooks"
    for name, source in (("00_a", "1 + 1"), ("01_b", "2 + 2")):
        write(folder / f"{name}.ipynb", source)
    return folder


def write(path, source, said="a result\n"):
    cell = new_code_cell(source, id="sum", outputs=[new_output("stream", text=said)], execution_count=1)
    notebook_files.write(new_notebook(cells=[cell], metadata=notebook_files.METADATA), path)


def test_copies_have_no_results_and_the_originals_keep_theirs(notebooks):
    before = {path: path.read_bytes() for path in notebooks.glob("*")}
    folder, outdated = workspace.prepare(notebooks)
    assert (folder, outdated) == (notebooks.parent / "my-notebooks", [])
    assert sorted(path.name for path in folder.iterdir()) == ["00_a.ipynb", "01_b.ipynb"]
    for path in folder.iterdir():
        nb = notebook_files.read(path)
        nbformat.validate(nb)
        assert nb.cells[0].outputs == [] and nb.cells[0].execution_count is None
        assert nb.cells[0].source == notebook_files.read(notebooks / path.name).cells[0].source
    assert {path: path.read_bytes() for path in notebooks.glob("*")} == before


def test_work_is_never_overwritten_and_an_original_that_changed_is_named(notebooks):
    folder, _ = workspace.prepare(notebooks)
    mine = notebook_files.read(folder / "00_a.ipynb")
    mine.cells[0].source = "my answer"
    notebook_files.write(mine, folder / "00_a.ipynb")
    assert workspace.prepare(notebooks)[1] == []
    write(notebooks / "00_a.ipynb", "1 + 1", said="the same, measured again\n")
    assert workspace.prepare(notebooks)[1] == []
    write(notebooks / "00_a.ipynb", "1 + 1 + 1")
    write(notebooks / "02_c.ipynb", "3 + 3")
    assert workspace.prepare(notebooks)[1] == ["00_a.ipynb"]
    assert notebook_files.read(folder / "00_a.ipynb").cells[0].source == "my answer"
    assert (folder / "02_c.ipynb").exists()


def test_glossary_and_map_lie_beside_the_copies_and_lead_to_them(notebooks):
    page = notebooks.parent / "docs" / "glossary.md"
    page.parent.mkdir()
    page.write_text("**logit**: see [A](../notebooks/00_a.ipynb) and the [topics](topics.md)")
    folder, _ = workspace.prepare(notebooks)
    copy = folder / "glossary.md"
    assert copy.read_text() == f"{workspace.REPLACED}**logit**: see [A](00_a.ipynb) and the [topics](topics.md)"
    page.write_text("**loss**")
    workspace.prepare(notebooks)
    assert copy.read_text() == f"{workspace.REPLACED}**loss**"


def test_pages_for_instructors_and_maintainers_are_not_copied(notebooks):
    docs = notebooks.parent / "docs"
    docs.mkdir()
    for name in ("glossary.md", "topics.md", "instructors.md", "inside.md"):
        (docs / name).write_text("a page")
    folder, _ = workspace.prepare(notebooks)
    assert sorted(path.name for path in folder.glob("*.md")) == ["glossary.md", "topics.md"]


def test_every_link_of_the_real_pages_leads_to_a_copy(tmp_path):
    for name in ("notebooks", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    folder, _ = workspace.prepare(tmp_path / "notebooks")
    for page in workspace.PAGES:
        links = re.findall(r"\]\(([^)#:]+)", (folder / page).read_text(encoding="utf-8"))
        assert len(links) > 20 and all((folder / link).is_file() for link in links)


def test_a_damaged_copy_is_left_alone(notebooks):
    folder, _ = workspace.prepare(notebooks)
    (folder / "00_a.ipynb").write_text("half a file")
    assert workspace.prepare(notebooks)[1] == []
    assert (folder / "00_a.ipynb").read_text() == "half a file"


def test_a_folder_that_cannot_be_made_is_an_error_that_offers_another_way(notebooks):
    (notebooks.parent / "my-notebooks").write_text("a file in its place")
    with pytest.raises(SetupError, match=r"cannot be written.*course lab"):
        workspace.prepare(notebooks)


def test_the_copies_are_kept_out_of_git():
    assert f"{workspace.NAME}/" in (ROOT / ".gitignore").read_text().splitlines()
