"""The answers in a notebook, read as data: which cell holds which exercise, and whether it was attempted."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from course.judging.bindings import names_bound
from course.judging.exercise import Exercise, exercises_of, notebook_numbers
from course.judging.kernel_syntax import as_python
from course.judging.newer_python import NEWEST_KNOWN, needed_version
from course.judging.notebook_files import Notebook, notebook_of, open_notebook

COMMENT = re.compile(r"^#\s*exercise:\s*(\d\d-[a-z0-9-]+)", re.MULTILINE)
_MAX_CELL = 200_000  # characters of a cell that is parsed: its syntax tree takes a hundred times the memory
_DEFINED = re.compile(r"^(?:async\s+def|def|class)\s+(\w+)", re.MULTILINE)
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class AnswerCell:
    """The cell that holds an exercise; `notes` are what a learner should know about how it was found."""

    exercise: Exercise
    source: str
    notes: tuple[str, ...] = ()

    @property
    def attempted(self) -> bool:
        return not is_untouched(self.source, self.exercise.answer)


def read_notebook(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook file; see `notebook_files.open_notebook`."""
    return open_notebook(path).cells


def cells_of(content: bytes, name: str) -> list[dict[str, Any]]:
    """The code cells of a notebook's bytes; see `notebook_files.notebook_of`."""
    return notebook_of(content, name).cells


def find_answers(cells: list[dict[str, Any]]) -> list[AnswerCell]:
    """The exercises that a notebook holds, found by nbgrader's metadata, cell id, comment line, then by name.

    By name alone only the exercises of the notebook that the other cells belong to are looked for. Where the cell of
    an exercise is still the released one, another that defines its name is the answer, as it is in a running notebook.
    """
    exercises = [exercise for number in notebook_numbers() for exercise in exercises_of(number)]
    known = {exercise.id for exercise in exercises}
    claims = [_claim(cell, known) for cell in cells]
    bound = {source: _names_at_top(source) for source in {cell["source"] for cell in cells}}
    numbers = {claim[:2] for claim in claims if claim} or _checked_numbers(cells)
    answers = []
    for exercise in exercises:
        if exercise.id[:2] not in numbers:
            continue
        claimed = [cell["source"] for cell, claim in zip(cells, claims, strict=True) if claim == exercise.id]
        # A cell that was split keeps its id and comment in the part without the answer.
        named = [source for source in claimed if exercise.answer in bound[source][0] or bound[source][1]]
        defining = [cell["source"] for cell in cells if exercise.answer in bound[cell["source"]][0]]
        if sources := named or defining or claimed:
            answers.append(_answer(exercise, sources, [source for source in defining if source not in sources]))
    return answers


def lost_cells(notebook: Notebook, answers: Sequence[AnswerCell]) -> dict[str, str]:
    """The exercises of which no code cell is left, each with what its cell was turned into: "markdown" or "raw"."""
    found = {answer.exercise.id for answer in answers}
    known = {exercise.id for number in {name[:2] for name in found} for exercise in exercises_of(number)} - found
    claims = [(_claim(cell, known), cell["type"]) for cell in notebook.texts]
    return {claim: kind for claim, kind in claims if claim}


def lost_message(kind: str) -> str:
    """What to say of an exercise whose cell was turned into "markdown" or "raw"."""
    return (
        f"the cell of this exercise was turned into a {kind} cell, and nothing in it runs; turn it back into a code "
        "cell (click beside it and press Y)"
    )


def _answer(exercise: Exercise, sources: list[str], others: list[str]) -> AnswerCell:
    """The answer among the cells of an exercise, of which the last counts, and others that define its name."""
    name = f"`{exercise.answer}`"
    others = [source for source in others if not is_untouched(source, exercise.answer)]
    if others and all(is_untouched(source, exercise.answer) for source in sources):
        return AnswerCell(
            exercise, others[-1], (f"{name} is written in another cell than the exercise's; that one counts",)
        )
    notes = [f"{len(sources)} cells hold this exercise; the last one counts"] if len(sources) > 1 else []
    if others:
        notes.append(f"{name} is defined in another cell as well, which does not count; answer in the exercise's cell")
    return AnswerCell(exercise, sources[-1], tuple(notes))


def _claim(cell: dict[str, Any], known: set[str]) -> str | None:
    nbgrader = cell["metadata"].get("nbgrader")
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    comment = COMMENT.search(cell["source"])
    claims = (grade_id, cell["id"], comment[1] if comment else None)
    return next((claim for claim in claims if isinstance(claim, str) and claim in known), None)


def _checked_numbers(cells: list[dict[str, Any]]) -> set[str]:
    return {match for cell in cells for match in re.findall(r"""check\(\s*["'](\d\d)-""", cell["source"])}


def binds(source: str, name: str) -> bool:
    """True when a cell defines or assigns this name at its top, or seems to in spite of a syntax error."""
    return name in _names_at_top(source)[0]


def _names_at_top(source: str) -> tuple[set[str], bool]:
    """The names that a cell defines or assigns at its top, imports apart; and whether it has a syntax error."""
    try:
        nodes = _read(source)[1].body
    except _NO_PYTHON:
        return set(_DEFINED.findall(source)), True
    return {
        name for node in nodes if not isinstance(node, (ast.Import, ast.ImportFrom)) for name in names_bound(node)
    }, False


def definition(source: str, name: str) -> _Definition | None:
    """The last definition of a function or class of this name at the top of a cell, or None."""
    found = None
    for node in parse(source).body:
        if isinstance(node, _Definition) and node.name == name:
            found = node
    return found


def parse(source: str) -> ast.Module:
    """The syntax tree of a cell as a kernel runs it; empty when it has a syntax error."""
    try:
        return _read(source)[1]
    except _NO_PYTHON:
        return ast.Module([], [])


def python_of(source: str) -> str:
    """A cell as plain Python; empty when it has a syntax error."""
    try:
        return _read(source)[0]
    except _NO_PYTHON:
        return ""


def syntax_error(source: str) -> str:
    """What is wrong with a cell that a kernel would refuse, with its line; empty for any other."""
    try:
        _read(source)
    except SyntaxError as error:
        lines = source.splitlines()
        line = lines[error.lineno - 1].strip() if error.lineno and error.lineno <= len(lines) else ""
        return f"line {error.lineno} is not valid Python: {error.msg}" + (f", in `{line[:80]}`" if line else "")
    except _NO_PYTHON as error:
        return f"the cell is not valid Python: {error}"[:200]
    return ""


@dataclass(frozen=True)
class Problem:
    """Why a cell cannot be run, and the Python that it `lacks` here, if that is why."""

    message: str
    lacks: str = ""


def problem_of(source: str, notebook: Notebook) -> Problem | None:
    """What keeps a cell from running here; None for nothing. What a newer Python accepts is no mistake."""
    message = syntax_error(source)
    if not message:
        return None
    lacks = _newer_python(source, notebook.python)
    if not lacks:
        return Problem(message)
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Problem(f"this cell is written for {lacks} or newer, and is judged here with Python {here}", lacks)


def _newer_python(source: str, written_in: tuple[int, ...]) -> str:
    try:
        version = needed_version(as_python(source))
    except _NO_PYTHON:
        version = ""
    if not version and written_in > max(NEWEST_KNOWN, sys.version_info[:2]):  # of whose syntax nothing is known here
        version = ".".join(map(str, written_in))
    return f"Python {version}" if version else ""


_NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)


@lru_cache(maxsize=512)  # each cell is looked at for each exercise; nobody changes a tree
def _read(source: str) -> tuple[str, ast.Module]:
    if len(source) > _MAX_CELL:
        raise ValueError(f"it has over {_MAX_CELL:,} characters")
    try:
        return source, ast.parse(source)
    except SyntaxError:  # only now: few cells have magics, and what they cost
        text = as_python(source)
        return text, ast.parse(text)


def is_untouched(source: str, name: str) -> bool:
    """True when every function of the answer is still the released one: a docstring and `raise NotImplementedError`."""
    tree = definition(source, name)
    if tree is None:
        return False
    if not isinstance(tree, ast.ClassDef):
        return _raises_not_implemented(tree.body)
    methods = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    bodies = [_without_given(method.body) for method in methods]
    return any(map(_raises_not_implemented, bodies)) and all(
        _raises_not_implemented(body) or not body for body in bodies
    )


def _raises_not_implemented(body: list[ast.stmt]) -> bool:
    body = [node for node in body if not _is_text(node)]
    raised = body[0].exc if len(body) == 1 and isinstance(body[0], ast.Raise) else None
    raised = raised.func if isinstance(raised, ast.Call) else raised
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def _without_given(body: list[ast.stmt]) -> list[ast.stmt]:
    """A method without what a released class keeps outside its marked region: `super()...` and `self.x = x`."""

    def is_given(node: ast.stmt) -> bool:
        if isinstance(node, ast.Assign):
            return isinstance(node.targets[0], ast.Attribute)
        return _is_text(node) or (isinstance(node, ast.Expr) and ast.unparse(node).startswith("super("))

    return [node for node in body if not is_given(node)]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def source_of(answer: Any) -> str:
    """The source of the cell that defined a function or class, or an empty text where it is not kept."""
    name = getattr(answer, "__name__", "")
    texts = [_text_of(code) for code in _codes(answer)]
    return next((text for text in texts if binds(text, name)), next(filter(None, texts), ""))


def _codes(answer: Any) -> Iterator[Any]:
    members = [*vars(answer).values()] if inspect.isclass(answer) else [answer]
    for member in members:
        code = getattr(inspect.unwrap(member) if callable(member) else member, "__code__", None)
        if inspect.iscode(code):
            yield code


def _text_of(code: Any) -> str:
    linecache.checkcache(code.co_filename)
    return "".join(linecache.getlines(code.co_filename))
