"""From the cells of a notebook to a namespace with its answers: definitions are executed, experiments are not."""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
from collections.abc import Iterable
from typing import Any

from course.judging.answers import Answer, parse


def namespace_of(cells: list[dict[str, Any]], answers: Iterable[Answer]) -> dict[str, Any]:
    """A namespace in which the notebook's imports, functions, classes and constants are defined.

    Any other assignment at the top of a cell is executed only if an answer needs its name, directly or through
    another definition. The answers come last. A statement that fails leaves its names undefined.
    """
    answers = list(answers)
    sources = [answer.source for answer in answers]
    rest = [cell["source"] for cell in cells if cell["source"] not in sources]
    statements = [(source, node) for source in [*rest, *sources] for node in parse(source).body]
    needed = _needed_names([node for _, node in statements], {answer.exercise.answer for answer in answers})
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for number, (source, node) in enumerate(statements):
            if _is_definition(node) or _assigned(node) & needed:
                _execute(node, source, f"<cell statement {number}>", namespace)
    return namespace


def _is_definition(node: ast.stmt) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return True
    return isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Constant)


def _assigned(node: ast.stmt) -> set[str]:
    if not isinstance(node, (ast.Assign, ast.AnnAssign)):
        return set()
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}


def _needed_names(nodes: list[ast.stmt], wanted: set[str]) -> set[str]:
    """The names that the wanted definitions read, and what those read, and so on."""
    reads: dict[str, set[str]] = {}
    for node in nodes:
        names = {node.name} if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else _assigned(node)
        used = {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Load)}
        for name in names:
            reads.setdefault(name, set()).update(used)
    needed, waiting = set(wanted), list(wanted)
    while waiting:
        for name in reads.get(waiting.pop(), set()) - needed:
            needed.add(name)
            waiting.append(name)
    return needed


def _execute(node: ast.stmt, source: str, filename: str, namespace: dict[str, Any]) -> None:
    # Through linecache the learner's own lines stand in a traceback.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    # A name that fails here is reported when the answer is judged.
    with contextlib.suppress(Exception, SystemExit):
        exec(compile(ast.Module([node], []), filename, "exec"), namespace)
