"""What a statement of Python binds, reads, changes and calls, found in its syntax tree."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LEAVE_ALONE = {name for name in dir(builtins) if name != "next"} | {"display"}  # functions that change no argument
ANYTHING = "*"  # bound by a star import and by `%run`


def names_bound(node: ast.stmt) -> set[str]:
    """The names that a statement binds where it stands, in its blocks too: definitions, imports, targets of every form.

    `table[key] = x` and `table.rows = x` count as binding `table`.
    """
    names: set[str] = set()
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (ast.Import, ast.ImportFrom)):
            names |= names_imported(part)
        elif isinstance(part, (*_COMPREHENSIONS, ast.Lambda)):
            names |= {inner.target.id for inner in ast.walk(part) if isinstance(inner, ast.NamedExpr)}
        else:
            names |= _bound_here(part)
            waiting += _inside(part)
    return names


def names_imported(node: ast.stmt) -> set[str]:
    """The names that a statement imports, in its blocks too: of `try: import x` as well."""
    imports = [part for part in ast.walk(node) if isinstance(part, (ast.Import, ast.ImportFrom))]
    return {(alias.asname or alias.name).split(".")[0] for part in imports for alias in part.names}


def _bound_here(part: ast.AST) -> set[str]:
    if isinstance(part, _Definition):
        return {part.name}
    if isinstance(part, (ast.Name, ast.Attribute, ast.Subscript)):
        root = _root(part) if isinstance(part.ctx, ast.Store) else ""
        return {root} - {""}
    named = {
        ast.ExceptHandler: "name",
        ast.MatchAs: "name",
        ast.MatchStar: "name",
        ast.MatchMapping: "rest",
    }
    name = getattr(part, named.get(type(part), ""), None)
    return {name} if name else set()


def _inside(part: ast.AST) -> Iterator[ast.AST]:
    """What runs where a statement stands: of a definition its decorators and defaults, not its body."""
    if isinstance(part, _Definition):
        yield from part.decorator_list
    else:
        yield from ast.iter_child_nodes(part)


def _root(node: ast.AST) -> str:
    """The name at the beginning of `name.a[0].b`; empty for what begins with something else."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def names_read(node: ast.stmt) -> set[str]:
    """The global names that a statement reads; a function's own variables are not among them."""
    try:
        table = symtable.symtable(ast.unparse(node), "<cell>", "exec")
    except (ValueError, RecursionError):
        return set()
    except SyntaxError:  # `await` outside of a function, which a kernel runs
        return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
    names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    inner = (symbol for part in _below(table) for symbol in part.get_symbols())
    return names | {symbol.get_name() for symbol in inner if symbol.is_global()}


def attributes_read(node: ast.stmt) -> set[str]:
    """The attributes that a statement reads of anything."""
    return {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Load)}


def _below(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _below(child)


@dataclass
class Effects:
    """Global names that code changes without binding them, and the functions that it calls.

    `rebound` are those of which an attribute or item is set, `methods` those of which a method is called, `passed`
    those that a function is given. `attributes` are (name, attribute) that are set: `nn.Module.freeze_all = ...`.
    """

    rebound: set[str] = field(default_factory=set)
    attributes: set[tuple[str, str]] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)


def effects_of(node: ast.stmt) -> Effects:
    """What a statement changes where it stands."""
    effects = Effects()
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, ast.Lambda):
            _note(part, effects)
            waiting += _inside(part)
    return effects


def effects_of_body(node: ast.stmt) -> Effects:
    """What a function or class changes when it is called."""
    effects, own, declared = Effects(), set(), set()
    for part in ast.walk(node):
        _note(part, effects)
        if isinstance(part, ast.Global):
            declared |= set(part.names)
        elif isinstance(part, ast.arg):
            own.add(part.arg)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            own.add(part.id)
    own -= declared
    effects.rebound |= declared
    attributes = {(name, attribute) for name, attribute in effects.attributes if name not in own}
    return Effects(effects.rebound - own, attributes, effects.methods - own, effects.passed - own, effects.called - own)


def _note(part: ast.AST, effects: Effects) -> None:
    if isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(part.ctx, ast.Load):
        effects.rebound |= {_root(part)} - {""}
        if isinstance(part, ast.Attribute):
            effects.attributes.add((_root(part), part.attr))
    elif isinstance(part, _Definition):
        for decorator in part.decorator_list:
            _note_call(decorator, effects)
    elif isinstance(part, ast.Call):
        _note_call(part.func, effects)
        name = part.func.id if isinstance(part.func, ast.Name) else ""
        arguments = [*part.args, *(keyword.value for keyword in part.keywords)]
        if name in ("setattr", "delattr") and arguments:
            effects.rebound |= {_root(arguments[0])} - {""}
            named = arguments[1] if len(arguments) > 1 else None
            if isinstance(named, ast.Constant) and isinstance(named.value, str):
                effects.attributes.add((_root(arguments[0]), named.value))
        if name not in _LEAVE_ALONE:
            effects.passed |= {_root(argument) for argument in arguments} - {""}


def _note_call(function: ast.expr, effects: Effects) -> None:
    if isinstance(function, ast.Name):
        effects.called.add(function.id)
    elif not isinstance(function, ast.Call):  # of which its own call is noted
        effects.methods |= {_root(function)} - {""}
