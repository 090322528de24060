"""Imports of modules that have moved, translated: an answer in a file runs as if they were written anew."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TypeVar

from course.judging.moved import MOVED, PACKAGES, RENAMED, OldImport, import_of, is_module, renamed_import


def old_imports(nodes: Iterable[ast.stmt]) -> list[OldImport]:
    """What these statements import from where it no longer is, each once, wherever in them it stands."""
    return list(dict.fromkeys(_translator(list(nodes))[0].found))


def translated(nodes: Sequence[ast.stmt]) -> list[list[ast.stmt]]:
    """Each statement as the statements that do the same with the modules where they are now; none is changed in place.

    All are looked at together: whether `training` stands for what is a package now shows in how it is used.
    """
    return _translator(nodes)[1]


def mentions_course(statement: ast.stmt) -> bool:
    """Whether a statement imports something of the course, or uses its name."""
    return any(map(_is_of_course, ast.walk(statement)))


def _is_of_course(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] == "course"
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] == "course" for alias in node.names)
    return isinstance(node, ast.Name) and node.id == "course"


def _translator(nodes: Sequence[ast.stmt]) -> tuple[_Translator, list[list[ast.stmt]]]:
    translator = _Translator(nodes)
    return translator, [translator.statement(node) for node in nodes]


class _Translator(ast.NodeTransformer):
    """Writes imports anew; `found` is what it met."""

    def __init__(self, nodes: Sequence[ast.stmt]) -> None:
        self.found: list[OldImport] = []
        self._nodes = nodes
        self._needed: list[ast.stmt] = []  # imports before the statement that is being translated

    @cached_property
    def _parts(self) -> list[ast.AST]:
        return [part for node in self._nodes for part in ast.walk(node)]

    @cached_property
    def _read(self) -> dict[str, set[str]]:
        """Which attributes are read of each name."""
        read: dict[str, set[str]] = {}
        for part in self._parts:
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                read.setdefault(part.value.id, set()).add(part.attr)
        return read

    @cached_property
    def _course_is_ours(self) -> bool:
        """Whether the name `course` stands for the course, and for nothing of the learner's."""
        return any(map(_binds_course, self._parts)) and not any(map(_rebinds_course, self._parts))

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        """A statement as one or several; itself where it has nothing to do with the course."""
        if not mentions_course(node):
            return [node]
        self._needed = []
        try:
            made = self.visit(copy.deepcopy(node))
        except RecursionError:  # nested by a program, not by a person
            return [node]
        return [*self._needed, *(made if isinstance(made, list) else [made])]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        kept, moved = [], []
        for alias in node.names if node.level == 0 else ():
            inner, name = f"{node.module}.{alias.name}", alias.asname or alias.name
            if inner in RENAMED:
                made.append(renamed_import(inner, name))
                self._note(inner, renamed_import(inner), {name})
            elif self._is_old(inner, name):
                made.append(import_of(MOVED[inner], name))
                self._note(inner, made[-1], {name}, fails=inner not in PACKAGES)
            elif node.module in MOVED and not (node.module in PACKAGES and is_module(inner)):
                moved.append(alias)
            else:
                kept.append(alias)
        if moved and node.module:
            made.append(ast.ImportFrom(MOVED[node.module], moved, 0))
            self._note(node.module, made[-1], {alias.asname or alias.name for alias in moved})
        if not made:
            return [node]
        made += [ast.ImportFrom(node.module, kept, 0)] if kept else []
        return [_placed(new, node) for new in made]

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for alias in node.names:
            # A package that is imported without another name is used as `course.training.fit`, an attribute.
            if self._is_old(alias.name, alias.asname or ""):
                made.append(ast.Import([ast.alias(MOVED[alias.name], alias.asname)]))
                self._note(alias.name, made[-1], {alias.asname or "course"}, fails=alias.name not in PACKAGES)
            else:
                made.append(ast.Import([alias]))
        return [_placed(new, node) for new in made]

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        around = _module_named(node.value)
        whole = f"{around}.{node.attr}"
        if not around or not self._course_is_ours:
            return node
        if whole in MOVED and whole not in PACKAGES:
            return _placed(self._reached(whole), node)
        if around in PACKAGES and not is_module(whole):
            node.value = _placed(self._reached(around), node.value)
        return node

    def _reached(self, old: str) -> ast.expr:
        """An expression for a module that has moved, which is imported before the statement."""
        self._needed.append(ast.Import([ast.alias(MOVED[old])]))
        self._note(old, self._needed[-1], {"course"})
        return ast.parse(MOVED[old], mode="eval").body

    def _is_old(self, module: str, name: str) -> bool:
        """Whether a module has moved. What is a package now was meant as a module if more is read than it holds."""
        if module in PACKAGES:
            read = (attribute for attribute in self._read.get(name, ()) if not attribute.startswith("__"))
            return any(not is_module(f"{module}.{attribute}") for attribute in read)
        return module in MOVED

    def _note(self, old: str, new: ast.stmt, binds: set[str], *, fails: bool = True) -> None:
        now = RENAMED.get(old) or MOVED[old]
        self.found.append(OldImport(old, now, ast.unparse(new), frozenset(binds), fails))


_Placed = TypeVar("_Placed", bound=ast.AST)


def _placed(new: _Placed, old: ast.AST) -> _Placed:
    """The new node where the old one stands, so that a traceback shows the learner's line."""
    return ast.fix_missing_locations(ast.copy_location(new, old))


def _binds_course(node: ast.AST) -> bool:
    """True for `import course` and `import course.x`, which bind the name `course`."""
    return isinstance(node, ast.Import) and any(
        alias.name.split(".")[0] == "course" and not alias.asname for alias in node.names
    )


def _rebinds_course(node: ast.AST) -> bool:
    """True where the name `course` is made to stand for something of the learner's."""
    if isinstance(node, ast.Name):
        return node.id == "course" and not isinstance(node.ctx, ast.Load)
    return isinstance(node, ast.arg) and node.arg == "course"


def _module_named(node: ast.expr) -> str:
    """ "course" or "course.training" for the expression that says so; empty for any other."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "course":
        return f"course.{node.attr}"
    return "course" if isinstance(node, ast.Name) and node.id == "course" else ""
