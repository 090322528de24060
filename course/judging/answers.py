"""The answers in a notebook, read as data: which cell holds which exercise, and whether it was attempted."""

from __future__ import annotations

import ast
import inspect
import json
import linecache
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from course.errors import ExerciseError
from course.judging.exercise import Exercise, exercises_of, notebook_numbers
from course.judging.file_signatures import described

COMMENT = re.compile(r"^#\s*exercise:\s*(\d\d-[a-z0-9-]+)", re.MULTILINE)
_MAX_BYTES = 50 * 2**20
_MAX_CELLS, _MAX_CODE = 2_000, 5_000_000  # of code in a notebook; the latter in characters, as
_MAX_CELL = 200_000  # of a cell that is parsed: its syntax tree takes a hundred times the memory
# `%magic`, `!command`, `help?`, `lines = !command`, each with the lines that a backslash continues it on.
_MAGIC = re.compile(
    r"^([ \t]*+)(?:[%!?]|[\w.]++\?{1,2}[ \t]*+$|[\w, ]++=[ \t]*+[%!])(?:.*\\\n)*+.*$",  # possessive: linear in time
    re.MULTILINE,
)
_OTHER_LANGUAGE = re.compile(r"\s*%%(?!time\b|timeit\b|capture\b|prun\b)")
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
    """The code cells of a notebook file, sources joined. Raises ExerciseError for a file that is not one."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ExerciseError(f"{path} is over {_MAX_BYTES // 2**20} MiB; clear its outputs and save it again")
        content = path.read_bytes()
    except OSError as error:
        raise ExerciseError(f"{path} cannot be read ({error.strerror}); is it the right name?") from error
    return cells_of(content, str(path))


def cells_of(content: bytes, name: str) -> list[dict[str, Any]]:
    """As `read_notebook`, of a notebook's bytes; `name` is what to call it in messages."""
    try:
        notebook = json.loads(content.decode(json.detect_encoding(content), errors="replace"))
        nbformat_3 = (
            [] if "cells" in notebook else [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
        )
        cells = notebook.get("cells", nbformat_3)
        found = [_code_cell(cell) for cell in cells if cell.get("cell_type") == "code"]
        if len(found) > _MAX_CELLS or sum(len(cell["source"]) for cell in found) > _MAX_CODE:
            most = f"{_MAX_CELLS:,} cells or {_MAX_CODE:,} characters of code"
            raise ExerciseError(f"{name} holds over {most}; remove what is not an answer and save it again")
        return found
    except json.JSONDecodeError as error:
        if what := described(content):
            advice = "save the notebook in Jupyter and hand in its .ipynb file"
            raise ExerciseError(f"{name} cannot be read: it is {what}, not a notebook; {advice}") from error
        if Path(name).suffix not in ("", ".ipynb"):
            kind = f"its name ends in {Path(name).suffix}, and its content is not JSON"
            raise ExerciseError(f"{name} is not a notebook: {kind}; give the .ipynb file with your answers") from error
        place = f"it is damaged or not a notebook: the JSON ends or breaks in line {error.lineno}"
        raise ExerciseError(f"{name} cannot be read, {place}; download or export it again") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ExerciseError(f"{name} is not a Jupyter notebook; save it as .ipynb and hand in that file") from error


def _code_cell(cell: dict[str, Any]) -> dict[str, Any]:
    source = cell.get("source", cell.get("input", ""))
    metadata = cell.get("metadata")
    source = "".join(source) if isinstance(source, list) else str(source)
    return {"source": source, "id": cell.get("id"), "metadata": metadata if isinstance(metadata, dict) else {}}


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
        nodes = _parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(_DEFINED.findall(source)), True
    return {
        name for node in nodes if not isinstance(node, (ast.Import, ast.ImportFrom)) for name in names_bound(node)
    }, False


def names_bound(node: ast.stmt) -> set[str]:
    """The names that a statement binds where it stands: definitions, assignments and imports, in its blocks too."""
    if isinstance(node, _Definition):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    names: set[str] = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            names |= names_bound(child)
        elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
            names |= {name for inner in child.body for name in names_bound(inner)}
        elif child in _targets(node):
            names |= {part.id for part in ast.walk(child) if isinstance(part, ast.Name)}
    return names


def _targets(node: ast.stmt) -> list[ast.expr]:
    """What an assignment assigns to; its annotation and its value bind nothing."""
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, (ast.AnnAssign, ast.AugAssign)) else []


def definition(source: str, name: str) -> _Definition | None:
    """The last definition of a function or class of this name at the top of a cell, or None."""
    found = None
    for node in parse(source).body:
        if isinstance(node, _Definition) and node.name == name:
            found = node
    return found


def parse(source: str) -> ast.Module:
    """The syntax tree of a cell, its magics and shell lines taken out; empty when it has a syntax error."""
    try:
        return _parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def syntax_error(source: str) -> str:
    """What is wrong with a cell that is not valid Python, with its line; empty for one that is."""
    try:
        _parse(source)
    except SyntaxError as error:
        line = (error.text or "").strip()
        return f"line {error.lineno} is not valid Python: {error.msg}" + (f", in `{line[:80]}`" if line else "")
    except (ValueError, RecursionError, MemoryError) as error:
        return f"the cell is not valid Python: {error}"[:200]
    return ""


@lru_cache(maxsize=512)  # each cell is looked at for each exercise; nobody changes a tree
def _parse(source: str) -> ast.Module:
    if _OTHER_LANGUAGE.match(source):
        return ast.Module([], [])
    if len(source) > _MAX_CELL:
        raise ValueError(f"it has over {_MAX_CELL:,} characters")
    try:
        return ast.parse(source)
    except SyntaxError:  # only now, since a line of Python may begin with % too, within brackets
        return ast.parse(_MAGIC.sub(lambda match: f"{match[1]}pass" + "\n" * match[0].count("\n"), source))


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
