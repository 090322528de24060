"""The learner's commands `course check` and `course progress`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from course.cli.exercises import Exercises
from course.errors import ExerciseError, SetupError
from course.legible import legible, one_line

if TYPE_CHECKING:
    from course.judging.results import Result

ACCEPTED = "a chapter such as 03, a notebook, a folder of notebooks, or a capstone.safetensors"


def check(
    what: Annotated[
        str,
        typer.Argument(help="A chapter (03), a saved notebook, a folder, or a capstone.safetensors. All if left out."),
    ] = "",
    exercises: Exercises = None,
) -> None:
    """Check every exercise in your notebooks, or your capstone as the grader reads it.

    Exit code 1: an answer that you tried is not right yet, or the model card is not complete.
    """
    if not what:
        from course.cli.lookup import learners_folder

        what = str(learners_folder())
    if capstone := _capstone(Path(what)):
        from course.capstone.handing_in import read_hand_in

        read = read_hand_in(capstone)
        print(read)
        raise typer.Exit(int(bool(read.gaps)))
    path = Path(what)
    results, readable = _check_folder(path) if path.is_dir() else (_check_one(_notebook(what)), True)
    tried = [result for result in results if result.status != "not attempted"]
    print(f"{sum(result.score for result in results)} of {sum(result.points for result in results)} points")
    raise typer.Exit(int(not readable or any(result.score < result.points for result in tried)))


def progress(exercises: Exercises = None) -> None:
    """Show how far you are and what to repeat today, from your own record on this machine."""
    from course.judging import progress as show_progress

    show_progress()


def _capstone(path: Path) -> Path | None:
    """The weights to hand in, if that is what the path means."""
    beside = path / "capstone.safetensors" if path.is_dir() else path.with_suffix(".safetensors")
    return beside if path.suffix == ".safetensors" or (path.suffix != ".ipynb" and beside.is_file()) else None


def _notebook(what: str) -> Path:
    """The notebook that is meant, which exists. Raises UnknownName, or SetupError for a copy that isn't made yet."""
    from course.cli.lookup import find_notebook, learners_folder, unknown

    if (path := Path(what)).is_file():
        return path
    folder = learners_folder()
    notebook = find_notebook(what, folder)
    if notebook is None:
        raise unknown(what, folder, ACCEPTED)
    if not notebook.is_file():
        raise SetupError(f"{notebook} does not exist yet; to make your copy of it and open it, run: course lab {what}")
    return notebook


def _check_one(notebook: Path) -> list[Result]:
    """The results of one notebook, printed. Raises ExerciseError if it holds no exercise or is no notebook."""
    from course.judging.answers import read_notebook

    read_notebook(notebook)  # before torch is loaded, so that a file that is no notebook is reported at once
    from course.judging import check_notebook

    results = check_notebook(notebook)
    for result in results:
        print(result)
    return results


def _check_folder(folder: Path) -> tuple[list[Result], bool]:
    """(the results of all notebooks in a folder, printed below their names; whether each of them could be read)."""
    notebooks = sorted(folder.glob("*.ipynb"))
    if not notebooks:
        raise ExerciseError(f"there are no notebooks in {folder.resolve()}; give {ACCEPTED}")
    results: list[Result] = []
    readable = True
    for notebook in notebooks:
        print(f"\n{one_line(notebook.name)}" if results else one_line(notebook.name))
        try:
            results += _check_one(notebook)
        except ExerciseError as error:
            print(f"  {legible(str(error))}")
            readable = False
    print(f"\nin all {len(notebooks)} notebooks: ", end="")
    return results, readable
