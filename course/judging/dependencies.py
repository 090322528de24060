"""Which statements of a notebook an answer needs: its own cell's, and from other cells what makes what it reads."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from course.judging.answers import AnswerCell, parse, python_of
from course.judging.bindings import (
    ANYTHING,
    Effects,
    attributes_read,
    effects_of,
    effects_of_body,
    names_bound,
    names_imported,
    names_read,
)
from course.judging.translation import mentions_course

_BIND_ANY = {"exec", "globals", "locals", "vars"}  # functions by which code may bind any name


@dataclass(frozen=True)
class Statement:
    """A statement at the top of a cell: the cell as Python, and which of its statements it is.

    The answer needs what an `essential` one makes; others are executed as well, because they cost nothing or stand in
    the answer's own cell.
    """

    cell: str
    index: int
    essential: bool = True


@dataclass(frozen=True)
class Plan:
    """The statements that an answer needs, in order; and all those of the notebook up to it.

    `left_out` are the names that the others bind, ANYTHING if that cannot be told.
    """

    needed: tuple[Statement, ...] = ()
    whole: tuple[Statement, ...] = ()
    left_out: frozenset[str] = frozenset()

    def may_define(self, names: Collection[str]) -> bool:
        """Whether something that was left out may bind one of these names."""
        return bool(names and self.left_out & {*names, ANYTHING})


def plan_of(cells: Sequence[dict[str, Any]], answer: AnswerCell) -> Plan:
    """What is executed for an answer: first what stands above it, then its own cell.

    Of cells below it counts only what makes a name that nothing above makes, as a helper that is written later does.
    """
    sources = [cell["source"] for cell in cells]
    end = max((place for place, source in enumerate(sources) if source == answer.source), default=len(sources))
    above = _places(source for source in sources[:end] if source != answer.source)
    below = _places(source for source in sources[end:] if source != answer.source)
    own = _places([answer.source])
    made_above = {name for _, about in (*above, *own) for name in about.binds}
    below = [(place, about) for place, about in below if _touched(about) - made_above]
    places = [*above, *below, *own]
    closure = _Closure([about for _, about in places], answer.exercise.answer)
    is_below = range(len(above), len(above) + len(below))
    chosen = closure.chosen(dict.fromkeys(is_below, made_above))
    needed, whole = [], []
    left_out: set[str] = set()
    for number, (place, about) in enumerate(places):
        statement = Statement(*place, number in chosen)
        costs_nothing = about.is_definition and not (number in is_below and about.binds & made_above)
        if number in chosen or costs_nothing or number >= is_below.stop:
            needed.append(statement)
        elif number not in is_below:
            left_out |= about.binds
        if number in chosen or number not in is_below:
            whole.append(statement)
        if about.body and about.body.called & _BIND_ANY:
            left_out.add(ANYTHING)
    return Plan(tuple(needed), tuple(whole), frozenset(left_out))


def _places(sources: Iterable[str]) -> list[tuple[tuple[str, int], _About]]:
    return [((python_of(source), index), about) for source in sources for index, about in enumerate(about_cell(source))]


@dataclass(frozen=True)
class _About:
    """What a statement binds and reads, what it changes where it stands, and what it would change when called."""

    is_definition: bool
    imports: frozenset[str]  # what it binds to modules and to what is in them
    binds: frozenset[str]
    reads: frozenset[str]
    mentions_course: bool
    effects: Effects
    body: Effects | None  # of a function or class


@lru_cache(maxsize=1024)  # most cells of a class are the released ones
def about_cell(cell: str) -> tuple[_About, ...]:
    """What is known of each statement of a cell."""
    return tuple(map(_about, parse(cell).body))


def _about(node: ast.stmt) -> _About:
    binds = frozenset(names_bound(node) | ({ANYTHING} if _may_bind_anything(node) else set()))
    callable_ = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    try:
        effects, body = effects_of(node), effects_of_body(node) if callable_ else None
    except RecursionError:
        effects, body = Effects(), None
    return _About(
        is_definition=callable_ or postpones_annotations(node) or _is_constant(node),
        imports=frozenset(names_imported(node)),
        binds=binds,
        reads=frozenset() if _is_constant(node) else frozenset(names_read(node) | _dotted(attributes_read(node))),
        mentions_course=mentions_course(node),
        effects=effects,
        body=body,
    )


def _dotted(attributes: Iterable[str]) -> set[str]:
    """Attributes as they stand beside names: `.freeze_all` is needed where any object's `freeze_all` is read."""
    return {f".{attribute}" for attribute in attributes}


def _is_constant(node: ast.stmt) -> bool:
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or not isinstance(node.value, ast.Constant):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return all(isinstance(target, ast.Name) for target in targets)


def postpones_annotations(node: ast.stmt) -> bool:
    """True for `from __future__ import annotations` and its like, which hold for every cell that follows."""
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _may_bind_anything(node: ast.stmt) -> bool:
    """True for `%run helpers.py`, `%%writefile helpers.py`, `exec(...)` and `globals()`, which may bring any name."""
    if effects_of(node).called & _BIND_ANY:
        return True
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or not call.args:
        return False
    magic = call.args[0].value if isinstance(call.args[0], ast.Constant) else ""
    return call.func.attr in ("run_line_magic", "run_cell_magic") and magic in ("run", "writefile", "file")


def _touched(about: _About) -> set[str]:
    effects = about.effects
    return set(about.binds) | effects.rebound | effects.methods | effects.passed


class _Closure:
    """Finds the statements that make what an answer reads, directly or through others."""

    def __init__(self, statements: Sequence[_About], answer: str) -> None:
        self._statements, self._answer = statements, answer
        self._bodies: dict[str, list[Effects]] = {}
        self._kinds: dict[str, set[str]] = {}
        for about in statements:
            for name in about.binds - about.effects.rebound:
                kind = "import" if name in about.imports else "definition" if about.body else "data"
                self._kinds.setdefault(name, set()).add(kind)
                if about.body and name != answer:  # what only the answer changes, it changes when it is judged
                    self._bodies.setdefault(name, []).append(about.body)

    def chosen(self, settled: dict[int, set[str]]) -> set[int]:
        """The numbers of the statements that are needed; of some, what they do to names that are `settled` is not."""
        making: dict[str, list[int]] = {}
        for number, about in enumerate(self._statements):
            for name in (about.binds | self._changes(about.effects)) - settled.get(number, set()):
                making.setdefault(name, []).append(number)
        chosen: set[int] = set()
        waiting, seen = [self._answer, ANYTHING], {self._answer, ANYTHING}
        while waiting:
            for number in set(making.get(waiting.pop(), ())) - chosen:
                chosen.add(number)
                new = self._statements[number].reads - seen
                seen |= new
                waiting += new
        return chosen

    def _changes(self, effects: Effects) -> set[str]:
        """The names that are changed, those by functions that are called included."""
        changed, called, waiting = set(self._changed_by(effects)), set(effects.called), list(effects.called)
        while waiting:
            for body in self._bodies.get(waiting.pop(), ()):
                changed |= self._changed_by(body)
                waiting += body.called - called
                called |= body.called
        return changed

    def _changed_by(self, effects: Effects) -> set[str]:
        """A method changes an object, and no module that was imported; a function changes data that it is passed."""
        methods = {name for name in effects.methods if self._kinds.get(name) not in (None, {"import"})}
        passed = {name for name in effects.passed if "data" in self._kinds.get(name, ())}
        patched = {attribute for name, attribute in effects.attributes if self._kinds.get(name) == {"import"}}
        return effects.rebound | methods | passed | _dotted(patched)
