"""From the cells of a notebook to a namespace with its answers: definitions are executed, experiments are not."""

from __future__ import annotations
import __future__

import ast
import contextlib
import linecache
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from course.judging.answers import AnswerCell, names_bound, parse
from course.judging.isolation import captured, own_generators, plain_torch
from course.judging.moved import OldImport
from course.judging.timelimit import time_limit
from course.judging.translation import mentions_course, old_imports, translated

STATEMENT_LIMIT_S = 10.0


@dataclass(frozen=True)
class Statement:
    """A statement at the top of a cell: the cell's source, and which of its statements it is."""

    cell: str
    index: int


def namespace_of(cells: list[dict[str, Any]], answers: Iterable[AnswerCell]) -> dict[str, Any]:
    """A namespace in which the notebook's imports, functions, classes and constants are defined; experiments don't run.

    `needed_statements` says which statements are executed, `execute` what happens to one that fails.
    """
    return execute(needed_statements(cells, answers))


def needed_statements(cells: list[dict[str, Any]], answers: Iterable[AnswerCell]) -> list[Statement]:
    """The functions, classes and constants at the top of a notebook's cells, in order, the answers last.

    Any other statement, imports among them, only if it binds a name that an answer needs, directly or through another
    definition.
    """
    answers = list(answers)
    sources = [answer.source for answer in answers]
    rest = [cell["source"] for cell in cells if cell["source"] not in sources]
    places = [
        (Statement(source, index), about)
        for source in [*rest, *sources]
        for index, about in enumerate(_about_statements(source))
    ]
    needed = _needed_names([about for _, about in places], {answer.exercise.answer for answer in answers})
    return [place for place, about in places if about.is_definition or about.binds & (needed | {"*"})]


def moved_imports(answer: AnswerCell, needed: Iterable[Statement]) -> list[OldImport]:
    """What an answer's cell and the statements that it needs import from where an earlier version of the course had it.

    `execute` finds it all the same.
    """
    needed = list(needed)
    own = [node for node in parse(answer.source).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return old_imports([*own, *(node for _, node in _nodes(needed))]) if own or _may_import(needed) else []


def execute(statements: Iterable[Statement], *, limit_s: float = STATEMENT_LIMIT_S) -> dict[str, Any]:
    """The namespace after these statements. One that fails, or takes over `limit_s`, leaves its names undefined.

    An import of a module that has moved is executed as what it would be now.
    """
    statements = list(statements)
    nodes = _nodes(statements)
    if _may_import(statements):
        now = zip(nodes, translated([node for _, node in nodes]), strict=True)
        nodes = [(source, node) for (source, _), made in now for node in made]
    flags = __future__.annotations.compiler_flag if any(_postpones_annotations(node) for _, node in nodes) else 0
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with captured(), own_generators(0), plain_torch():
        for number, (source, node) in enumerate(nodes):
            _execute(node, source, f"<cell statement {number}>", namespace, flags, limit_s)
    return namespace


def _nodes(statements: Iterable[Statement]) -> list[tuple[str, ast.stmt]]:
    """Each statement's cell and its syntax tree."""
    return [(statement.cell, parse(statement.cell).body[statement.index]) for statement in statements]


def _may_import(statements: Iterable[Statement]) -> bool:
    """False where no statement mentions the course, as in most answers; then no tree has to be searched."""
    return any(_about_statements(one.cell)[one.index].mentions_course for one in statements)


def _is_definition(node: ast.stmt) -> bool:
    """True for what is executed whether needed or not: it costs nothing. An import may cost seconds."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or _postpones_annotations(node):
        return True
    return isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Constant)


def _postpones_annotations(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _needed_names(statements: list[_About], wanted: set[str]) -> set[str]:
    """The names that the wanted definitions read, and what those read, and so on."""
    reads: dict[str, set[str]] = {}
    for about in statements:
        for name in about.binds:
            reads.setdefault(name, set()).update(about.reads)
    needed, waiting = set(wanted), list(wanted)
    while waiting:
        for name in reads.get(waiting.pop(), set()) - needed:
            needed.add(name)
            waiting.append(name)
    return needed


@dataclass(frozen=True)
class _About:
    """What a statement binds, and the global names that it reads; a function's own variables are not among them."""

    is_definition: bool
    binds: frozenset[str]
    reads: frozenset[str]
    mentions_course: bool


@lru_cache(maxsize=1024)  # most cells of a class are the released ones
def _about_statements(cell: str) -> tuple[_About, ...]:
    return tuple(map(_about, parse(cell).body))


def _about(node: ast.stmt) -> _About:
    binds = frozenset(names_bound(node))
    is_constant = isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and len(binds) == 1
    reads = frozenset() if is_constant or not binds else frozenset(_read_by(node))  # only what binds is asked
    return _About(_is_definition(node), binds, reads, mentions_course(node))


def _read_by(node: ast.stmt) -> set[str]:
    try:
        table = symtable.symtable(ast.unparse(node), "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError):  # a `return` outside a function, say
        return set()
    names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    inner = (symbol for part in _below(table) for symbol in part.get_symbols())
    return names | {symbol.get_name() for symbol in inner if symbol.is_global()}


def _below(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _below(child)


def _execute(node: ast.stmt, source: str, filename: str, namespace: dict[str, Any], flags: int, limit_s: float) -> None:
    # Through linecache the learner's own lines stand in a traceback.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    # A name that fails here is reported when the answer is judged.
    with contextlib.suppress(Exception, SystemExit), time_limit(limit_s):
        exec(compile(ast.Module([node], []), filename, "exec", flags, dont_inherit=True), namespace)
