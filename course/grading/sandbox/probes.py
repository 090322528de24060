"""The exercises as the sandbox may see them: probes, and what those reach by name. No case, judge or expected value.

An answer that runs beside a judge could call it, or read what it compares with.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from course.judging.bindings import names_bound
from course.judging.exercise_folders import OWN, others_folders, packages_in

PACKAGE = "course.exercises"


@dataclass
class _Module:
    """One source file: its top-level statements, which of them bind which name, and which are kept."""

    name: str
    nodes: list[ast.stmt]
    kept: set[int]

    def binders(self, name: str) -> list[int]:
        return [index for index, node in enumerate(self.nodes) if name in names_bound(node)]


def write_probes(folder: Path) -> None:
    """Write the exercise packages of the course and of others, without cases and judges, to a folder."""
    for name, text in pruned(OWN, others_folders()).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def pruned(own: Path, others: Sequence[Path] = ()) -> dict[Path, str]:
    """What the probes need of each file of the exercise packages, by its path below its folder."""
    files = {path.relative_to(own): path for path in sorted(own.rglob("*.py"))}
    for folder in others:
        found = [path for package in packages_in(folder) for path in sorted(package.rglob("*.py"))]
        files |= {path.relative_to(folder): path for path in found}
    paths = {_dotted(name): name for name in files}
    modules = {
        name: _Module(name, ast.parse(files[path].read_text(encoding="utf-8")).body, set())
        for name, path in paths.items()
    }
    waiting = [
        (module.name, index)
        for module in modules.values()
        for index, node in enumerate(module.nodes)
        if paths[module.name].name == "__init__.py" or _is_probe(node) or _is_future(node)
    ]
    while waiting:
        name, index = waiting.pop()
        module = modules[name]
        if index in module.kept:
            continue
        module.kept.add(index)
        waiting += _needs(module, module.nodes[index], modules)
    return {paths[module.name]: _source(module) for module in modules.values()}


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join([PACKAGE, *(part for part in parts if part != "__init__")])


def _is_probe(node: ast.stmt) -> bool:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    return any(isinstance(part, ast.Attribute) and part.attr == "probe" for part in decorators)


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _needs(module: _Module, node: ast.stmt, modules: dict[str, _Module]) -> list[tuple[str, int]]:
    """The statements, here and in other exercise modules, that this one refers to."""
    if isinstance(node, ast.ImportFrom) and node.module in modules:
        return [place for alias in node.names for place in _places(modules, str(node.module), alias.name)]
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    found = [(module.name, index) for name in names for index in module.binders(name)]
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            other = _imported_module(module, part.value.id)
            found += _places(modules, other, part.attr)
    return found


def _places(modules: dict[str, _Module], module: str, name: str) -> list[tuple[str, int]]:
    return [(module, index) for index in modules[module].binders(name)] if module in modules else []


def _imported_module(module: _Module, alias: str) -> str:
    """The module that this name stands for, if `from course.exercises... import module` bound it."""
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                if (name.asname or name.name) == alias:
                    return f"{node.module}.{name.name}"
    return ""


def _source(module: _Module) -> str:
    kept = [node for index, node in enumerate(module.nodes) if index in module.kept]
    return ast.unparse(ast.Module(kept, [])) + "\n"
