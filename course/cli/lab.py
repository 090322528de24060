"""The command `course lab`: the learner's own notebooks, opened in JupyterLab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import typer

import course
from course.errors import SetupError

FIRST_NOTEBOOK = "00_start_here.ipynb"
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}


def lab(context: typer.Context) -> None:
    """Open your notebooks in JupyterLab: course lab [FOLDER] [JUPYTER OPTIONS], such as --no-browser or --port 8890.

    They are copies in my-notebooks/, created the first time and never overwritten. FOLDER opens another folder instead.
    """
    options = list(context.args)
    folder = Path(options.pop(0)) if options and not options[0].startswith("-") else None
    notebook = first_notebook(find_notebooks(folder) if folder else own_notebooks())
    # The default URL rather than a file to open: so the URL printed for --no-browser leads there too.
    opened = [f"--ServerApp.root_dir={notebook.parent}", f"--LabApp.default_url=/lab/tree/{quote(notebook.name)}"]
    command = [sys.executable, "-m", "jupyterlab", *opened, *options]
    # A kernel `python3` that another Python installed in the home folder must not hide this one's.
    start(command, {"JUPYTER_PREFER_ENV_PATH": "1", **os.environ})


def own_notebooks() -> Path:
    """The folder with the learner's copies of the notebooks, printed in one line; missing copies are created."""
    from course.notebook import workspace

    folder = workspace.default_folder()
    lines = workspace.prepare(workspace.find_originals(), folder)
    print("\n".join([f"your notebooks are in {folder}", *lines]))
    return folder


def find_notebooks(folder: Path | None = None) -> Path:
    """The folder with the notebooks: the given one, ./notebooks, or the one beside the package in a clone.

    Raises SetupError if none of them contains a notebook.
    """
    beside = Path(course.__file__).resolve().parents[1] / "notebooks"
    places = [folder, folder / "notebooks"] if folder else [Path("notebooks"), beside]
    for place in places:
        if any(place.glob("*.ipynb")):
            return place.resolve()
    looked = " and ".join(str(place.resolve()) for place in places)
    raise SetupError(f"there are no notebooks in {looked}; go to the folder you cloned, or run: course lab FOLDER")


def first_notebook(folder: Path) -> Path:
    """The notebook that the course begins with, or else the first by name."""
    first = folder / FIRST_NOTEBOOK
    return first if first.exists() else min(folder.glob("*.ipynb"))


def start(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Replace this process with the command, so that the command alone receives Ctrl-C."""
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(command[0], command, environment)
    raise SystemExit(subprocess.call(command, env=environment))
