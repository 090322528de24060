"""The learner's own copies of the notebooks: created without outputs, and updated without losing work.

Work in a copy survives an update of the course and `course build`: see `course.notebook.updating`.
The glossary and the topics are copied too, with links to the copies; these two are replaced every time.
"""

from __future__ import annotations

import itertools
import json
import os
import tomllib
from contextlib import suppress
from datetime import date
from pathlib import Path

from nbformat import NotebookNode, ValidationError

import course
from course.errors import AuthoringError, CannotWrite, SetupError
from course.files import replacing
from course.notebook import notebook_files, updating
from course.runtime import home

NAME = "my-notebooks"
SHIPPED = "learner_files"  # inside the installed package: notebooks/ and docs/, put there when the wheel is built
EARLIER = "earlier versions"  # beside the copies
REMEMBERED = "workspace.json"  # in COURSE_HOME
PAGES = ("glossary.md", "topics.md")  # of docs/: those that a learner reads beside a notebook
REPLACED = "<!-- Replaced by every `course lab`: keep notes in another file. -->\n\n"
_TO_GET_ANEW = "to get the course's notebook, rename it and run this command again"


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

    A copy that the learner never edited is renewed without a word. One that was edited gets a line, and the file as it
    was stays in `earlier versions`. A copy that cannot be read or replaced is left as it is, which is a line too.
    Raises SetupError if the folder cannot be written.
    """
    lines = []
    for path in sorted(originals.glob("*.ipynb")):
        original, copy = notebook_files.read(path), folder / path.name
        if copy.exists():
            lines += _update(original, copy)
            continue
        try:
            notebook_files.write(updating.fresh_copy(original), copy)
        except CannotWrite as error:
            raise SetupError(
                f"{folder} cannot be written ({error.strerror}); choose another folder: course lab --to FOLDER"
            ) from error
    _replace_pages(originals, folder)
    _remember(folder)
    return lines


def _update(original: NotebookNode, path: Path) -> list[str]:
    """Bring a copy up to date if its original has changed; at most one line about it."""
    try:
        copy = notebook_files.read(path)
        if updating.is_current(original, copy):
            return []
        if not updating.is_copy(original, copy):
            return [f"{path.name} is not the course's notebook of this name, and was left as it is; {_TO_GET_ANEW}"]
        today = date.today()
        update = updating.update(original, copy, today)
        if not update.keeps_work:
            notebook_files.write(update.notebook, path)
            return []
        backup = _back_up(path, today)
        update.announce(f"{EARLIER}/{backup.name}", today)
        notebook_files.write(update.notebook, path)
    except (AuthoringError, AttributeError, TypeError, ValidationError) as error:
        return [
            f"{path.name} cannot be read as a notebook ({_first_line(error)}), and was left as it is; {_TO_GET_ANEW}"
        ]
    except CannotWrite as error:
        return [
            f"{path.name} has changed in the course and was not updated: {error}. If it is open, close it; try again"
        ]
    return [" ".join([f"{path.name} was updated.", *update.sentences(), f"As it was: {backup}"])]


def _back_up(path: Path, today: date) -> Path:
    """Copy the file as it is to `earlier versions` and return the copy; no earlier copy is ever replaced."""
    content = path.read_bytes()
    for number in itertools.count(1):
        which = f"before {today.isoformat()}" + (f", {number}" if number > 1 else "")
        backup = path.parent / EARLIER / f"{path.stem} ({which}){path.suffix}"
        if not backup.exists():
            with replacing(backup, parents=True) as unfinished:
                unfinished.write_bytes(content)
            break
        if backup.read_bytes() == content:  # of an update that failed after it
            break
    return backup


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]


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
