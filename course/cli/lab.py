"""The commands `course lab` and `course home`: the learner's own notebooks, and the page that leads into them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from course.errors import SetupError

FIRST_NOTEBOOK = "00_start_here.ipynb"
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}
ACCEPTED = "a chapter such as 03, one of your notebooks, or a folder; or leave it out for your home page"
# Jupyter's options that take no value: what follows one of them is not its value.
FLAGS = ("--no-browser", "--allow-root", "--debug", "--collaborative", "--core-mode", "--dev-mode", "-y")

To = Annotated[Path | None, typer.Option("--to", metavar="FOLDER", help="Where your copies of the notebooks are kept.")]


def lab(context: typer.Context, to: To = None) -> None:
    """Open your notebooks in JupyterLab: course lab [WHAT] [--to FOLDER] [JUPYTER OPTIONS], such as --no-browser.

    WHAT is a chapter (03), one of your notebooks, or a folder to open as it is; without it, your home page is opened.
    Your notebooks are copies, which keep your work when the course is updated.
    """
    from course.cli import jupyter

    what, options = split(context.args)
    page = _in_another_folder(what, to) or _in_learners_folder(what, to)
    jupyter.open_lab(page, options)


def home(to: To = None) -> None:
    """Write your home page, home.md: points, open exercises and what is due for recall today, with links."""
    from course.cli.lookup import learners_folder
    from course.judging import home_page
    from course.notebook import workspace

    folder = learners_folder(to)
    if not folder.is_dir():
        workspace.prepare(workspace.find_originals(), folder)
    print(f"your page is {home_page.write(folder)}; to open it, run: course lab")


def split(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """(WHAT, or an empty text; the options): WHAT is the first argument that is neither an option nor its value."""
    before = ""
    for index, argument in enumerate(arguments):
        takes_value = before.startswith("-") and "=" not in before and before not in FLAGS
        if not argument.startswith("-") and not takes_value:
            return argument, [*arguments[:index], *arguments[index + 1 :]]
        before = argument
    return "", list(arguments)


def find_notebooks(folder: Path) -> Path:
    """The folder with the notebooks: the given one, or `notebooks` in it. Raises SetupError if there are none."""
    for place in (folder, folder / "notebooks"):
        if any(place.glob("*.ipynb")):
            return place.resolve()
    raise SetupError(f"there are no notebooks in {folder.resolve()}; give a folder that has some, or none for your own")


def first_notebook(folder: Path) -> Path:
    """The notebook that the course begins with, or else the first by name."""
    first = folder / FIRST_NOTEBOOK
    return first if first.exists() else min(folder.glob("*.ipynb"))


def _in_another_folder(what: str, to: Path | None) -> Path | None:
    """The page to open if a folder was named, which is opened as it is; None otherwise."""
    path = Path(what).expanduser()
    if not what or what.isdecimal() or not path.is_dir():
        return None
    if to:
        raise SetupError(f"{what} is a folder, which is opened as it is; leave it out, or leave out --to {to}")
    return first_notebook(find_notebooks(path))


def _in_learners_folder(what: str, to: Path | None) -> Path:
    """The page to open among the learner's notebooks, which are created or updated first; or a notebook elsewhere."""
    from course.cli.lookup import find_notebook, learners_folder, unknown
    from course.judging import home_page
    from course.notebook import workspace

    folder, originals = learners_folder(to), workspace.find_originals()
    if folder == originals.resolve():
        raise SetupError(f"{folder} holds the course's own notebooks; choose another folder for your copies")
    notebook = find_notebook(what, folder) if what else None
    if what and not notebook:
        raise unknown(what, folder, ACCEPTED)
    if notebook and notebook.parent != folder:
        return notebook
    lines = workspace.prepare(originals, folder)
    print("\n".join([f"your notebooks are in {folder}", *lines]))
    page = home_page.write(folder)
    return notebook or page
