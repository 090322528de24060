"""The learner's own copies of the notebooks: created once, without saved outputs, and never overwritten.

Work in a copy survives an update of the course and `course build`, and there is no output yet below a prediction.
The glossary and the topics are copied too, with links to the copies; these two are replaced every time.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from nbformat import NotebookNode

from course.errors import CannotWrite, SetupError
from course.files import replacing
from course.notebook import notebook_files

NAME = "my-notebooks"
PAGES = ("glossary.md", "topics.md")  # of docs/: those that a learner reads beside a notebook
REPLACED = "<!-- Replaced by every `course lab`: keep notes in another file. -->\n\n"
_KEY = "pretrained-course"  # in a copy's metadata, which Jupyter preserves


def prepare(notebooks: Path) -> tuple[Path, list[str]]:
    """(folder of the copies, names of those whose original has changed since); missing copies are created.

    The folder is `my-notebooks` beside `notebooks`. Raises SetupError if it cannot be written.
    """
    folder = notebooks.parent / NAME
    outdated = []
    for original in sorted(notebooks.glob("*.ipynb")):
        nb, copy = notebook_files.read(original), folder / original.name
        digest = _digest(nb)
        if not copy.exists():
            try:
                _copy(nb, copy, digest)
            except CannotWrite as error:
                raise SetupError(
                    f"{folder} cannot be written ({error.strerror}); open the originals, or your own copy of them: "
                    f"course lab {notebooks}"
                ) from error
        elif _copied_from(copy) not in (None, digest):
            outdated.append(original.name)
    _replace_pages(notebooks, folder)
    return folder, outdated


def _replace_pages(notebooks: Path, folder: Path) -> None:
    """Copy the glossary and the topics of a clone, for JupyterLab; if that fails, nothing else does."""
    for page in (notebooks.parent / "docs" / name for name in PAGES):
        if not page.is_file():
            continue
        text = REPLACED + page.read_text(encoding="utf-8").replace(f"../{notebooks.name}/", "")
        with suppress(CannotWrite), replacing(folder / page.name, durable=False) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


def _copy(nb: NotebookNode, copy: Path, digest: str) -> None:
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nb.metadata[_KEY] = {"copied_from": digest}
    notebook_files.write(nb, copy)


def _digest(nb: NotebookNode) -> str:
    """A hash of what a learner reads and runs in a notebook: its outputs don't matter."""
    content = notebook_files.content(nb)
    return hashlib.sha256(repr(content["cells"]).encode()).hexdigest()[:16]


def _copied_from(copy: Path) -> str | None:
    """The digest of the original that this copy was made from; None if the file doesn't contain it."""
    try:
        return notebook_files.read(copy).metadata.get(_KEY, {}).get("copied_from")
    except (notebook_files.AuthoringError, AttributeError):  # damaged: JupyterLab will report it
        return None
