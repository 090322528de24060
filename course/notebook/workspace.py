"""The learner's own copies of the notebooks: created once, without saved outputs, and never overwritten.

Work in a copy survives an update of the course and `course build`, and there is no output yet below a prediction.
The glossary and the map are copied too, with links to the copies; these two are replaced every time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from contextlib import suppress
from pathlib import Path

from nbformat import NotebookNode

import course
from course.errors import CannotWrite, SetupError
from course.files import replacing
from course.notebook import notebook_files
from course.runtime import home

NAME = "my-notebooks"
SHIPPED = "learner_files"  # inside the installed package: notebooks/ and docs/, put there when the wheel is built
REMEMBERED = "workspace.json"  # in COURSE_HOME
PAGES = ("glossary.md", "map.md")  # of docs/: those that a learner reads beside a notebook
REPLACED = "<!-- Replaced by every `course lab`: keep notes in another file. -->\n\n"
_KEY = "pretrained-course"  # in a copy's metadata, which Jupyter preserves


def find_originals() -> Path:
    """The folder with the course's own notebooks: those of a clone, else those inside the installed package.

    What lies in the current folder doesn't matter. Raises SetupError if there are none.
    """
    package = Path(course.__file__).resolve().parent
    folders = [package / SHIPPED / "notebooks"]
    if clone := _clone():
        folders.insert(0, clone / "notebooks")
    for folder in folders:
        if any(folder.glob("*.ipynb")):
            return folder
    raise SetupError(
        f"the course's notebooks are not in {' or '.join(map(str, folders))}; install the course again, or open a "
        "folder of your own: course lab FOLDER"
    )


def default_folder() -> Path:
    """Where the learner's copies go, unless they asked for another folder.

    The folder that was used last, if it still exists; else `my-notebooks` in a clone, in the current folder or in
    the home folder, whichever is the first that can be written.
    """
    remembered = _remembered_folder()
    if remembered and remembered.is_dir():
        return remembered
    places = [place for place in (_clone(), Path.cwd()) if place and os.access(place, os.W_OK)]
    return (places[0] if places else Path.home()) / NAME


def prepare(originals: Path, folder: Path) -> list[str]:
    """Create or update the learner's copies in `folder`; the lines to print, of which most days there are none.

    Raises SetupError if the folder cannot be written.
    """
    lines = []
    for original in sorted(originals.glob("*.ipynb")):
        nb, copy = notebook_files.read(original), folder / original.name
        digest = _digest(nb)
        if not copy.exists():
            try:
                _copy(nb, copy, digest)
            except CannotWrite as error:
                raise SetupError(
                    f"{folder} cannot be written ({error.strerror}); choose another folder: course lab --to FOLDER"
                ) from error
        elif _copied_from(copy) not in (None, digest):
            lines.append(f"{original.name} has changed since you began it")
    _replace_pages(originals, folder)
    _remember(folder)
    return lines


def _clone() -> Path | None:
    """The folder of the clone that this package lies in; None for an installed package."""
    folder = Path(course.__file__).resolve().parents[1]
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return None
    return folder if project.get("name") == "pretrained-course" else None


def _remembered_folder() -> Path | None:
    try:
        return Path(json.loads((home() / REMEMBERED).read_text(encoding="utf-8"))["folder"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _remember(folder: Path) -> None:
    with suppress(CannotWrite), replacing(home() / REMEMBERED, parents=True, durable=False) as unfinished:
        unfinished.write_text(json.dumps({"folder": str(folder.resolve())}) + "\n", encoding="utf-8")


def _replace_pages(notebooks: Path, folder: Path) -> None:
    """Copy the glossary and the map of a clone, for JupyterLab; if that fails, nothing else does."""
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
