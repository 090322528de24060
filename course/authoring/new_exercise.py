"""`course new-exercise`: the files of an exercise, in the repository or in an instructor's folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course.authoring import exercise_stubs as stubs
from course.authoring.building import find_root
from course.authoring.cells import normalise
from course.authoring.insertion import insert_exercises
from course.errors import AuthoringError, UnknownName
from course.files import replacing
from course.judging.exercise_folders import packages_in
from course.notebook import notebook_files

_ID = re.compile(r"(\d\d)-([a-z][a-z0-9]*(?:-[a-z0-9]+)+)")


@dataclass(frozen=True)
class _Places:
    """Where the parts of an exercise lie. `chapter` is the notebook that its cells go into, None for one of its own."""

    package: Path
    hidden: Path
    wrong: Path
    solutions: Path
    chapter: Path | None = None


def new_exercise(exercise_id: str, *, into: Path | None = None, root: Path | None = None) -> list[Path]:
    """Write a small exercise that works, to be changed; the paths of its files.

    They go into the repository, or into the folder `into`, which is made if need be. Raises AuthoringError for an id
    that is not NN-verb-phrase and for a file that is there already, UnknownName for a chapter that is not there.
    """
    match = _ID.fullmatch(exercise_id)
    if match is None:
        raise AuthoringError(
            f"{exercise_id!r} is not the id of an exercise: NN-verb-phrase, with the number of its chapter, in small "
            "letters, digits and dashes, as 02-count-frozen"
        )
    number, name = match[1], match[2].replace("-", "_")
    places = _in_folder(number, into.resolve()) if into else _in_repository(number, find_root(root))
    stem = f"nb{number}_{name}.py"
    files = {
        places.package / "__init__.py": stubs.PACKAGE,
        places.package / f"{name}.py": stubs.EXERCISE,
        places.hidden / stem: stubs.HIDDEN,
        places.wrong / stem: stubs.WRONG,
    }
    fill = {"@ID@": exercise_id, "@NAME@": name, "@NUMBER@": number, "@PACKAGE@": places.package.name}
    fill["@TITLE@"] = match[2].replace("-", " ").capitalize()
    notebook = places.solutions / f"{number}_{name}.ipynb"
    files = {path: text for path, text in files.items() if path.name != "__init__.py" or not path.exists()}
    _refuse_present([*files, notebook])
    for path, text in files.items():
        _write(path, _filled(text, fill))
    cells = _notebook(notebook.stem, fill)
    if places.chapter:
        notebook_files.write(insert_exercises(notebook_files.read(places.chapter), cells), places.chapter)
    else:
        notebook_files.write(cells, notebook)
    return [*files, places.chapter or notebook]


def _in_folder(number: str, folder: Path) -> _Places:
    words = re.sub(r"[^a-z0-9]+", "_", folder.name.lower()).strip("_") or "ours"
    there = [path for path in packages_in(folder) if path.name.startswith(f"nb{number}_")]
    package = there[0] if there else folder / f"nb{number}_{words}"
    return _Places(package, folder / "solutions" / "hidden", folder / "wrong", folder / "solutions")


def _in_repository(number: str, root: Path) -> _Places:
    packages = packages_in(root / "course" / "exercises")
    package = next((path for path in packages if path.name.startswith(f"nb{number}_")), None)
    if package is None:
        raise UnknownName.of("chapter with exercises", number, [path.name[2:4] for path in packages])
    solutions = root / "solutions"
    chapter = solutions / f"{package.name.removeprefix('nb')}.ipynb"
    return _Places(package, solutions / "hidden", root / "tests" / "wrong", solutions, chapter)


def _refuse_present(paths: list[Path]) -> None:
    for path in paths:
        if path.exists():
            raise AuthoringError(f"{path} is there already; choose another id, or remove it")


def _notebook(name: str, fill: dict[str, str]) -> NotebookNode:
    """The cells, between the standard first ones and nothing: text, answer, check and hint."""
    cells = [
        new_markdown_cell(_filled(stubs.TEXT, fill)),
        new_code_cell(_filled(stubs.CELL, fill)),
        new_code_cell(f'check("{fill["@ID@"]}")'),
        new_code_cell(f'# hint("{fill["@ID@"]}")'),
    ]
    nb = normalise(new_notebook(cells=cells), name, points=lambda _: stubs.POINTS)
    standard = [cell for cell in nb.cells if cell.id in ("parameters", "setup")]
    nb.cells = [*standard, *(cell for cell in nb.cells if cell not in standard)]
    return nb


def _filled(text: str, fill: dict[str, str]) -> str:
    for mark, value in fill.items():
        text = text.replace(mark, value)
    return text


def _write(path: Path, text: str) -> None:
    with replacing(path, parents=True) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
