"""The learner's own copies of the notebooks: made once, without saved results, never overwritten.

Work in a copy survives an update of the course and `course build`, and no result stands below a prediction already.
Beside them lie glossary and map, whose links lead to the copies; these two are written anew every time.
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
PAGES = ("glossary.md", "map.md")  # of docs/: those that a learner reads beside a notebook
RENEWED = "<!-- Written anew by every `course lab`: keep notes in another file. -->\n\n"
_OURS = "pretrained-course"  # our key in a copy's metadata, which Jupyter keeps


def prepare(notebooks: Path) -> tuple[Path, list[str]]:
    """(folder of the copies, names of those whose original has changed since), with every missing copy made.

    The folder is `my-notebooks` beside `notebooks`. Raises SetupError where it cannot be written.
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
                    f"{folder} cannot be written ({error.strerror}); open the originals, or a copy that you made: "
                    f"course lab {notebooks}"
                ) from error
        elif _copied_from(copy) not in (None, digest):
            outdated.append(original.name)
    _renew_pages(notebooks, folder)
    return folder, outdated


def _renew_pages(notebooks: Path, folder: Path) -> None:
    """The glossary and the map of a clone, for JupyterLab; without them, or where nothing can be written, no harm."""
    for page in (notebooks.parent / "docs" / name for name in PAGES):
        if not page.is_file():
            continue
        text = RENEWED + page.read_text(encoding="utf-8").replace(f"../{notebooks.name}/", "")
        with suppress(CannotWrite), replacing(folder / page.name, durable=False) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


def _copy(nb: NotebookNode, copy: Path, digest: str) -> None:
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nb.metadata[_OURS] = {"copied_from": digest}
    notebook_files.write(nb, copy)


def _digest(nb: NotebookNode) -> str:
    """What a learner reads and runs of a notebook, as a hash: results that were stored anew are no change."""
    content = notebook_files.content(nb)
    return hashlib.sha256(repr(content["cells"]).encode()).hexdigest()[:16]


def _copied_from(copy: Path) -> str | None:
    """The digest of the original that this copy was made from; None if the file no longer says."""
    try:
        return notebook_files.read(copy).metadata.get(_OURS, {}).get("copied_from")
    except (notebook_files.AuthoringError, AttributeError):  # damaged: JupyterLab will say so, and keep it
        return None
