"""Statements of a notebook executed, to a namespace with the answer; what failed is kept, with why."""

from __future__ import annotations
import __future__

import ast
import asyncio
import inspect
import linecache
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from course.errors import MachineBusy, TimeLimitReached
from course.judging.answers import AnswerCell, parse
from course.judging.bindings import names_bound
from course.judging.dependencies import Statement, about_cell, plan_of, postpones_annotations
from course.judging.isolation import captured, own_generators, plain_torch
from course.judging.moved import OldImport
from course.judging.results import NotRun
from course.judging.stand_ins import kernel_names
from course.judging.timelimit import PATIENCE, time_limit
from course.judging.translation import old_imports, translated

_POSTPONED = __future__.annotations.compiler_flag
STATEMENT_LIMIT_S = 10.0
TOTAL_LIMIT_S = 28.0
EXPERIMENT_LIMIT_S = 5.0  # of a statement in the answer's cell that the answer does without


@dataclass(frozen=True)
class Defined:
    """What statements have defined, and which of them failed."""

    namespace: dict[str, Any] = field(default_factory=dict)
    not_run: tuple[NotRun, ...] = ()


def namespace_of(cells: Sequence[dict[str, Any]], answer: AnswerCell) -> dict[str, Any]:
    """A namespace with an answer and what it needs of the notebook's cells; see `dependencies.plan_of`."""
    return execute(plan_of(cells, answer).needed).namespace


def moved_imports(answer: AnswerCell, needed: Iterable[Statement]) -> list[OldImport]:
    """What an answer's cell and the statements that it needs import from where an earlier version of the course had it.

    `execute` finds it all the same.
    """
    needed = list(needed)
    own = [node for node in parse(answer.source).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return old_imports([*own, *(node for _, node in _nodes(needed))]) if own or _may_import(needed) else []


def execute(
    statements: Iterable[Statement],
    *,
    limit_s: float = STATEMENT_LIMIT_S,
    total_s: float = TOTAL_LIMIT_S,
    patience: float = PATIENCE,
) -> Defined:
    """The namespace after these statements. One that fails, or computes for over `limit_s`, leaves its names undefined.

    What is left when all together have computed for `total_s` is not run, but for the last cell, the answer's, which
    has half of that for itself. An import of a module that has moved is executed as what it would be now.
    """
    statements = list(statements)
    places = _nodes(statements)
    made = translated([node for _, node in places]) if _may_import(statements) else [[node] for _, node in places]
    flags = _POSTPONED if any(postpones_annotations(node) for _, node in places) else 0
    namespace, started = kernel_names(), time.process_time()
    failed: list[NotRun] = []
    with captured(), own_generators(0), plain_torch():
        for number, (statement, nodes) in enumerate(zip(statements, made, strict=True)):
            most_s = limit_s if statement.essential else min(limit_s, EXPERIMENT_LIMIT_S)
            if number and statement.cell == statements[-1].cell != statements[number - 1].cell:
                started, total_s = time.process_time(), total_s / 2
            left_s = min(most_s, total_s - (time.process_time() - started))
            file = _in_linecache(statement.cell, number)
            run = partial(_run_all, nodes, file, namespace, flags, time_limit_s=left_s, patience=patience)
            error = run()
            if isinstance(error, NameError) and error.name in _annotations_lacking(nodes, failed):
                error = run(postponed=True)  # a library that only annotates is not needed here
            if error is not None:
                failed.append(_not_run(statement, nodes, error, failed))
    return Defined(namespace, tuple(failed))


def _nodes(statements: Iterable[Statement]) -> list[tuple[str, ast.stmt]]:
    """Each statement's cell and its syntax tree."""
    return [(statement.cell, parse(statement.cell).body[statement.index]) for statement in statements]


def _may_import(statements: Iterable[Statement]) -> bool:
    """False where no statement mentions the course, as in most answers; then no tree has to be searched."""
    return any(about_cell(one.cell)[one.index].mentions_course for one in statements)


def _in_linecache(cell: str, number: int) -> str:
    """The name of a file that holds the cell, so that the learner's own lines stand in a traceback."""
    filename = f"<cell statement {number}>"
    linecache.cache[filename] = (len(cell), None, cell.splitlines(keepends=True), filename)
    return filename


def _run_all(
    nodes: Sequence[ast.stmt],
    filename: str,
    namespace: dict[str, Any],
    flags: int,
    *,
    time_limit_s: float,
    patience: float,
    postponed: bool = False,
) -> BaseException | None:
    """Run a statement, or the ones that it is translated to; the error that ended it, or None."""
    if time_limit_s <= 0:
        return TimeLimitReached("what stands above it computes for too long")
    try:
        with time_limit(time_limit_s, patience=patience):
            for node in nodes:
                _run(node, filename, namespace, flags | (_POSTPONED if postponed else 0))
    except MachineBusy:
        raise
    except (Exception, SystemExit) as error:
        return error
    return None


def _run(node: ast.stmt, filename: str, namespace: dict[str, Any], flags: int) -> None:
    flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(ast.Module([node], []), filename, "exec", flags, dont_inherit=True)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, namespace))
    else:
        exec(code, namespace)


def _annotations_lacking(nodes: Sequence[ast.stmt], failed: Sequence[NotRun]) -> set[str]:
    """The names in the annotations of a definition, or of a variable, that a library should have brought."""
    found: list[ast.expr | None] = []
    for part in (part for node in nodes for part in ast.walk(node)):
        if isinstance(part, (ast.arg, ast.AnnAssign)):
            found.append(part.annotation)
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append(part.returns)
    names = {name.id for part in found if part for name in ast.walk(part) if isinstance(name, ast.Name)}
    return names & {name for one in failed if one.lacks for name in one.names}


def _not_run(
    statement: Statement, nodes: Sequence[ast.stmt], error: BaseException, earlier: Sequence[NotRun]
) -> NotRun:
    undefined = (error.name or "") if isinstance(error, NameError) else ""
    cause = next((one for one in reversed(earlier) if undefined in one.names), None)  # it has a cause itself
    text = ast.unparse(nodes[0]).splitlines()[0]
    shown = text if len(text) <= 80 else f"{text[:79]}…"
    said = "took too long" if isinstance(error, TimeLimitReached) else _said(error)
    names = {name for node in nodes for name in names_bound(node)} | about_cell(statement.cell)[statement.index].binds
    return NotRun(
        f"`{shown}` did not run: {said}",
        tuple(sorted(names)),
        essential=statement.essential,
        undefined=cause.undefined if cause else undefined,
        lacks=cause.lacks if cause else missing_module(error),
    )


def _said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception:  # a learner's exception may fail to say what it is
        return type(error).__name__


def missing_module(error: BaseException) -> str:
    """The module that an import did not find; empty for any other error."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    top = name.partition(".")[0] if isinstance(name, str) else ""
    return "" if top == "course" else top
