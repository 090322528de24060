"""The answers in a notebook, read as data: which cell holds which exercise, and whether it was attempted."""

from __future__ import annotations

import ast
import json
import linecache
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.errors import ExerciseError
from course.judging.exercise import Exercise, exercises_of, notebook_numbers

COMMENT = re.compile(r"^#\s*exercise:\s*(\d\d-[a-z0-9-]+)", re.MULTILINE)
_MAX_BYTES = 50 * 2**20


@dataclass(frozen=True)
class Answer:
    """The cell that holds an exercise. `copies` is how many cells claim to; the last one counts."""

    exercise: Exercise
    source: str
    copies: int = 1

    @property
    def attempted(self) -> bool:
        return not is_untouched(self.source, self.exercise.answer)


def read_notebook(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook file, sources joined. Raises ExerciseError for what is no notebook."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ExerciseError(f"{path} is over {_MAX_BYTES // 2**20} MiB; clear its outputs and save it again")
        content = json.loads(path.read_text(encoding="utf-8", errors="replace"))
        cells = content["cells"] if "cells" in content else content["worksheets"][0]["cells"]  # nbformat 3
        return [_code_cell(cell) for cell in cells if cell.get("cell_type") == "code"]
    except OSError as error:
        raise ExerciseError(f"{path} cannot be read ({error.strerror}); is it the right name?") from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ExerciseError(f"{path} is not a Jupyter notebook; save it as .ipynb and hand in that file") from error


def _code_cell(cell: dict[str, Any]) -> dict[str, Any]:
    source = cell.get("source", cell.get("input", ""))
    metadata = cell.get("metadata")
    source = "".join(source) if isinstance(source, list) else str(source)
    return {"source": source, "id": cell.get("id"), "metadata": metadata if isinstance(metadata, dict) else {}}


def find_answers(cells: list[dict[str, Any]]) -> list[Answer]:
    """The exercises that a notebook holds, found by nbgrader's metadata, cell id, comment line, then by name.

    By name alone only the exercises of the notebook that the other cells belong to are looked for.
    """
    found: dict[str, list[str]] = {}
    for cell in cells:
        if exercise_id := _claimed(cell):
            found.setdefault(exercise_id, []).append(cell["source"])
    numbers = {exercise_id[:2] for exercise_id in found} or _checked_numbers(cells)
    answers = []
    for exercise in (exercise for number in sorted(numbers) for exercise in exercises_of(number)):
        sources = found.get(exercise.id) or [
            cell["source"] for cell in cells if definition(cell["source"], exercise.answer) is not None
        ]
        if sources:
            answers.append(Answer(exercise, sources[-1], len(sources)))
    return answers


def _claimed(cell: dict[str, Any]) -> str | None:
    nbgrader = cell["metadata"].get("nbgrader")
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    comment = COMMENT.search(cell["source"])
    known = {exercise.id for number in notebook_numbers() for exercise in exercises_of(number)}
    claims: Iterable[Any] = (grade_id, cell["id"], comment[1] if comment else None)
    return next((claim for claim in claims if isinstance(claim, str) and claim in known), None)


def _checked_numbers(cells: list[dict[str, Any]]) -> set[str]:
    return {match for cell in cells for match in re.findall(r"""check\(\s*["'](\d\d)-""", cell["source"])}


def definition(source: str, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | None:
    """The last definition of a function or class of this name at the top of a cell, or None."""
    found = None
    for node in parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name == name:
            found = node
    return found


def parse(source: str) -> ast.Module:
    """The syntax tree of a cell, its magics and shell lines taken out; empty when it has a syntax error."""
    plain = re.sub(r"^([ \t]*)[%!?].*$", r"\1pass", source, flags=re.MULTILINE)
    try:
        return ast.parse(plain)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def is_untouched(source: str, name: str) -> bool:
    """True when every function of the answer is still the released one: a docstring and `raise NotImplementedError`."""
    tree = definition(source, name)
    if tree is None:
        return False
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return bool(functions) and any(map(_raises_not_implemented, functions)) and all(map(_is_released, functions))


def _is_released(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return _raises_not_implemented(function) or all(isinstance(node, ast.Expr) for node in function.body)


def _raises_not_implemented(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    # A class's released __init__ may keep given lines, such as super().__init__(), before the marked region.
    last = body[-1] if body else None
    given = all(isinstance(node, (ast.Expr, ast.Assign, ast.AnnAssign)) for node in body[:-1])
    name = last.exc if isinstance(last, ast.Raise) else None
    name = name.func if isinstance(name, ast.Call) else name
    return given and isinstance(name, ast.Name) and name.id == "NotImplementedError"


def source_of(answer: Any) -> str:
    """The source of the cell that defined a function or class, or an empty text where it is not kept."""
    members = [answer, *vars(answer).values()] if isinstance(answer, type) else [answer]
    for member in members:
        code = getattr(getattr(member, "__wrapped__", member), "__code__", None)
        if code is not None:
            linecache.checkcache(code.co_filename)
            return "".join(linecache.getlines(code.co_filename))
    return ""
