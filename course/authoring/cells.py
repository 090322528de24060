"""A freshly converted notebook made regular: standard first cells, stable cell ids, nbgrader's metadata."""

from __future__ import annotations

import ast
import copy
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from course.authoring.setup_cell import PARAMETERS, setup_source
from course.errors import AuthoringError
from course.notebook.notebook_files import METADATA, exercise_of, is_made_up

_NAME = re.compile(r"(\d\d)_[a-z0-9]+(_[a-z0-9]+)*")
_EXERCISE = re.compile(r"(\d\d)-[a-z0-9]+(-[a-z0-9]+)*")
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KEPT_METADATA = ("tags", "jupyter")


def normalise(
    nb: NotebookNode, name: str, *, points: Callable[[str], float] | None = None, address: str | None = None
) -> NotebookNode:
    """A regular copy of the notebook called `name` ("02_freeze_the_backbone"); normalising it again changes nothing.

    `points` gives an exercise's points by its id (default: the exercise registry); `address` is the wheel's, for
    the setup cell. Raises AuthoringError naming the notebook and the cell that breaks a rule.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise AuthoringError(f"a notebook's name is NN_verb_phrase, as 02_freeze_the_backbone; {name!r} is not")
    nb, path = copy.deepcopy(nb), f"solutions/{name}.ipynb"
    nb.nbformat_minor, nb.metadata = max(nb.nbformat_minor, 5), copy.deepcopy(METADATA)
    cells = [cell for cell in nb.cells if cell.source.strip()]
    for cell in cells:
        _keep_what_the_author_gave(cell)
    cells = _with_standard_cells(cells, address)
    for cell in cells:
        if cell.id == "setup" or re.match(r"(reveal|quiz)\(", cell.source):  # its source gives the answer away
            cell.metadata["jupyter"] = {"source_hidden": True}
    _mark_exercises(cells, match[1], path, points or registered_points)
    _assign_ids(cells, path)
    nb.cells = cells
    return nb


def registered_points(exercise: str) -> float:
    """The points of an exercise, as it is written: the sum over its visible judges."""
    from course import judging

    return judging.find_exercise(exercise).points_as_written


def checked_by(cell: NotebookNode) -> tuple[list[str], bool]:
    """(ids that the cell passes to `check`, whether one such call is all there is in it)."""
    if cell.cell_type != "code":
        return [], False
    try:
        tree = ast.parse(cell.source)
    except SyntaxError:  # a magic, which no check cell has
        return [], False
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check"
    ]
    ids = [arg.value for call in calls for arg in call.args if isinstance(arg, ast.Constant)]
    alone = (
        bool(calls)
        and len(tree.body) == len(calls) == len(ids) == len(calls[0].args) == 1
        and isinstance(tree.body[0], ast.Expr)
        and tree.body[0].value is calls[0]
        and not calls[0].keywords
    )
    return [str(checked) for checked in ids], alone


def slug(cell: NotebookNode) -> str:
    """A readable id from the first words of a cell: of its heading, its first comment or its first statement."""
    lines = [line for line in cell.source.splitlines() if not re.match(r"\s*(#\s*NBVAL_|%|```)", line)]
    for line in lines or cell.source.splitlines():
        line = re.sub(r"\$[^$]*\$|\]\([^)]*\)|<[^>]*>", " ", line)
        plain = unicodedata.normalize("NFKD", line).encode("ascii", "ignore").decode().lower()
        words = re.findall(r"[a-z0-9]+", plain.replace("'", ""))[:6]
        while len("-".join(words)) > 48 and len(words) > 1:
            words.pop()
        if any(re.search("[a-z]", word) for word in words):
            return "-".join(words)[:48]
    return "code" if cell.cell_type == "code" else "text"


def _keep_what_the_author_gave(cell: NotebookNode) -> None:
    """Keep tags and the author's own id, in the cell or (from jupytext) in its metadata; a made-up id becomes ""."""
    cell.source = cell.source.strip("\n")
    cell.id = cell.metadata.get("id") or ("" if is_made_up(cell.id) else cell.id)
    cell.metadata = NotebookNode({key: cell.metadata[key] for key in _KEPT_METADATA if cell.metadata.get(key)})


def _with_standard_cells(cells: list[NotebookNode], address: str | None) -> list[NotebookNode]:
    """The cells with the parameters and setup cells where the author's own were, else after the first text cell."""
    standard = [
        cell for cell in cells if cell.id in ("parameters", "setup") or "parameters" in cell.metadata.get("tags", [])
    ]
    place = cells.index(standard[0]) if standard else int(bool(cells) and cells[0].cell_type == "markdown")
    fresh = [
        new_code_cell(PARAMETERS, id="parameters", metadata={"tags": ["parameters"]}),
        new_code_cell(setup_source(address), id="setup", metadata={"tags": ["nbval-ignore-output"]}),
    ]
    return [*cells[:place], *fresh, *(cell for cell in cells[place:] if cell not in standard)]


def _mark_exercises(cells: list[NotebookNode], number: str, path: str, points: Callable) -> None:
    """Give exercise and check cells their ids and nbgrader's metadata, after checking that they come in pairs."""
    exercises: dict[str, int] = {}
    checks: dict[str, int] = {}
    for index, cell in enumerate(cells):
        exercise = exercise_of(cell)
        if exercise is not None:
            _require_good_id(exercise, number, path)
            _require_new(exercise, exercises, f"{path}: two exercise cells are called")
            exercises[exercise] = index
            cell.id = exercise
            cell.source = f"# exercise: {exercise}\n{cell.source.partition(chr(10))[2]}"
            cell.metadata["nbgrader"] = _nbgrader(exercise, graded=False)
        ids, alone = checked_by(cell)
        if ids and not alone:
            raise AuthoringError(
                f"{path}: check({ids[0]!r}) must be all that its cell holds, because the cell is locked"
            )
        for checked in ids:
            _require_new(checked, checks, f"{path}: two cells check")
            checks[checked] = index
    for exercise, index in exercises.items():
        if checks.get(exercise, -1) < index:
            raise AuthoringError(f'{path}: exercise {exercise} has no cell check("{exercise}") after it; add one')
    for checked, index in checks.items():
        if checked not in exercises:
            raise AuthoringError(
                f'{path}: check("{checked}") has no exercise; begin the cell before it with "# exercise: {checked}"'
            )
        cell, worth = cells[index], float(points(checked))
        cell.id, cell.source = f"{checked}-check", f'check("{checked}")'
        cell.metadata["nbgrader"] = {
            **_nbgrader(f"{checked}-check", graded=True),
            "points": int(worth) if worth.is_integer() else worth,
        }


def _nbgrader(grade_id: str, *, graded: bool) -> dict:
    return {
        "schema_version": 3,
        "solution": not graded,
        "grade": graded,
        "locked": graded,
        "task": False,
        "cell_type": "code",
        "grade_id": grade_id,
    }


def _require_good_id(exercise: str, number: str, path: str) -> None:
    match = _EXERCISE.fullmatch(exercise)
    if match is None or exercise.endswith("-check") or len(exercise) > 58:
        raise AuthoringError(
            f'{path}: the first line "# exercise: {exercise}" must name an exercise as {number}-verb-phrase, in small '
            "letters, digits and dashes, not ending in -check"
        )
    if match[1] != number:
        raise AuthoringError(f"{path}: exercise {exercise} must begin with this notebook's number, {number}")


def _require_new(key: str, known: Iterable[str], what: str) -> None:
    if key in known:
        raise AuthoringError(f"{what} {key}; rename or remove one")


def _assign_ids(cells: list[NotebookNode], path: str) -> None:
    """Give each cell without an id one made from its words; all ids are different."""
    used: set[str] = set()
    for cell in cells:
        if cell.id:
            if not _CELL_ID.fullmatch(cell.id):
                raise AuthoringError(
                    f"{path}: cell id {cell.id!r} must be 1 to 64 letters, digits, dashes or underscores"
                )
            _require_new(cell.id, used, f"{path}: two cells have the id")
            used.add(cell.id)
    for cell in cells:
        if not cell.id:
            words = slug(cell)
            later = (f"{words}-{count}" for count in itertools.count(2))
            cell.id = next(chosen for chosen in itertools.chain([words], later) if chosen not in used)
            used.add(cell.id)
