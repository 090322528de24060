"""The learner's commands `course check` and `course progress`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    notebook: Annotated[Path, typer.Argument(help="A saved notebook with your answers, or a capstone.safetensors.")],
) -> None:
    """Check every exercise in one of your notebooks, or your capstone as the grader reads it.

    Exit code 1: an answer that you tried is not right yet, or the model card is not complete.
    """
    beside = notebook / "capstone.safetensors" if notebook.is_dir() else notebook.with_suffix(".safetensors")
    if notebook.suffix == ".safetensors" or (notebook.suffix != ".ipynb" and beside.is_file()):
        from course.capstone.handing_in import read_hand_in

        read = read_hand_in(beside)
        print(read)
        raise typer.Exit(int(bool(read.gaps)))
    from course.judging.answers import read_notebook

    read_notebook(notebook)  # before torch is loaded, so that a wrong name is reported at once
    from course.judging import check_notebook

    results = check_notebook(notebook)
    for result in results:
        print(result)
    tried = [result for result in results if result.status != "not attempted"]
    print(f"{sum(result.score for result in results)} of {sum(result.points for result in results)} points")
    raise typer.Exit(int(any(result.score < result.points for result in tried)))


def progress() -> None:
    """Show how far you are and what to repeat today, from your own record on this machine."""
    from course.judging import progress as show_progress

    show_progress()
