"""Small changes to the source of an answer, one at a time, made in its syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple

_COMPARED = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COMPUTED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_CONFUSED = [
    *(("min", "max"), ("any", "all"), ("argmin", "argmax"), ("zeros", "ones"), ("zeros_like", "ones_like")),
    *(("sum", "mean"), ("softmax", "log_softmax"), ("parameters", "buffers"), ("train", "eval"), ("floor", "ceil")),
    *(("named_parameters", "named_buffers"), ("sin", "cos"), ("extend", "append"), ("modules", "children")),
]
_OTHERS = {name: other for pair in _CONFUSED for name, other in (pair, pair[::-1])}
_TINY, _INSTEAD_OF_TINY = 1e-3, 0.1  # an epsilon that is merely doubled would change nothing
_LEFT_OUT = (ast.Expr, ast.Assign, ast.AugAssign, ast.If, ast.For, ast.Continue, ast.Break, ast.Raise, ast.Delete)
_NOT_CODE = ("annotation", "returns", "decorator_list", "type_params")


class Mutant(NamedTuple):
    """A changed answer. `change` is its first line that differs, as it was and as it is: the same in every run."""

    change: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every different source that one change makes of this one. The source must be valid Python."""
    tree = ast.parse(source)
    original = ast.unparse(tree)
    seen = {original}
    for _ in _changed(tree):
        text = ast.unparse(ast.fix_missing_locations(tree))
        if text not in seen:
            seen.add(text)
            yield Mutant(_difference(original, text), text)


def _difference(before: str, after: str) -> str:
    lines, others = before.splitlines(), after.splitlines()
    at = next((i for i, (one, other) in enumerate(zip(lines, others, strict=False)) if one != other), len(others))
    return " -> ".join(part[at].strip() if at < len(part) else "" for part in (lines, others))


def _changed(tree: ast.AST) -> Iterator[None]:
    """Yield while the tree is changed in one place; it is as it was in between."""
    for parent in list(ast.walk(tree)):
        for field, value in list(ast.iter_fields(parent)):
            if field in _NOT_CODE or _is_strict(parent):
                continue
            if isinstance(value, ast.AST):
                for variant in _variants(value):
                    setattr(parent, field, variant)
                    yield
                    setattr(parent, field, value)
            elif isinstance(value, list):
                for at, item in enumerate(list(value)):
                    for variant in _variants(item) if isinstance(item, ast.AST) else ():
                        value[at : at + 1] = variant if isinstance(variant, list) else [variant]
                        yield
                        value[at : at + (len(variant) if isinstance(variant, list) else 1)] = [item]
        for field in ("decorator_list", "ifs", "keywords"):
            yield from _shortened(getattr(parent, field, []))
        if isinstance(parent, ast.FunctionDef):
            yield from _other_variables(parent)


def _shortened(items: list) -> Iterator[None]:
    """Yield with each item left out: a decorator, a condition of a comprehension, a keyword argument."""
    for at, item in enumerate(list(items)):
        if not _is_strict(item):
            del items[at]
            yield
            items.insert(at, item)


def _is_strict(node: ast.AST) -> bool:
    """True for `strict=` of a zip, which only guards against a mistake that the answer does not make."""
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _other_variables(function: ast.FunctionDef) -> Iterator[None]:
    """Yield with each use of a variable of this function replaced by the next two of its variables."""
    arguments = [argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)]
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    known = list(dict.fromkeys([*arguments, *(name.id for name in names if isinstance(name.ctx, ast.Store))]))
    for name in names:
        if isinstance(name.ctx, ast.Load) and name.id in known:
            own, at = name.id, known.index(name.id)
            for other in dict.fromkeys((known * 2)[at + 1 : at + 3]):
                name.id = other
                yield
            name.id = own


def _variants(node: ast.AST) -> Iterator[ast.AST | list[ast.AST]]:
    """What may stand in the place of a node; of a statement also several statements."""
    if isinstance(node, ast.stmt):
        yield from _of_statement(node)
    elif isinstance(node, ast.Constant):
        yield from (ast.Constant(value) for value in _other_values(node.value))
    elif isinstance(node, ast.expr):
        yield from _of_expression(node)


def _of_statement(node: ast.stmt) -> Iterator[ast.AST | list[ast.AST]]:
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if isinstance(node, _LEFT_OUT) and not is_docstring:
        yield ast.Pass()
    if isinstance(node, (ast.If, ast.While)):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.If):
        yield node.body
        if node.orelse:
            yield node.orelse
    if isinstance(node, ast.With):
        yield node.body
    if isinstance(node, ast.AugAssign):
        yield from (_with(node, op=op()) for op in [_COMPUTED.get(type(node.op))] if op)
        yield ast.Assign([node.target], node.value)


def _of_expression(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Compare):
        for at, op in enumerate(node.ops):
            for other in _COMPARED[type(op)]:
                yield _with(node, ops=[*node.ops[:at], other(), *node.ops[at + 1 :]])
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        yield _with(node, op=_COMPUTED[type(node.op)]())
        yield from (node.left, node.right)
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        yield from node.values
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse, _with(node, test=ast.UnaryOp(ast.Not(), node.test)))
    elif isinstance(node, ast.Slice):
        yield from (_with(node, **{part: None}) for part in ("lower", "upper", "step") if getattr(node, part))
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    elif isinstance(node, ast.Attribute) and node.attr in _OTHERS:
        yield _with(node, attr=_OTHERS[node.attr])
    elif isinstance(node, ast.Name) and node.id in _OTHERS and isinstance(node.ctx, ast.Load):
        yield _with(node, id=_OTHERS[node.id])


def _of_call(node: ast.Call) -> Iterator[ast.expr]:
    """A method left out (`.detach()`), an argument left out, arguments swapped, a range that ends elsewhere."""
    func = node.func
    if isinstance(func, ast.Attribute) and (not node.args or not isinstance(func.value, ast.Name | ast.Attribute)):
        yield func.value
    if len(node.args) > 1:
        if not (isinstance(func, ast.Name) and func.id in ("min", "max")):  # the order says nothing there
            yield _with(node, args=[node.args[1], node.args[0], *node.args[2:]])
        yield _with(node, args=node.args[:-1])
    if isinstance(func, ast.Name) and func.id == "range":
        for op in (ast.Add(), ast.Sub()):
            yield _with(node, args=[*node.args[:-1], ast.BinOp(node.args[-1], op, ast.Constant(1))])
    if len(node.args) == 1 and isinstance(func, ast.Name) and func.id in ("sorted", "set", "abs", "float"):
        yield node.args[0]


def _other_values(value: object) -> list[object]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, float):
        return [_INSTEAD_OF_TINY if abs(value) < _TINY else value * 2]
    return []


def _with(node, **fields):
    """A copy of a node with other fields, which are not copied."""
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed
