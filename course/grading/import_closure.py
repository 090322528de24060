"""The files of the course that a module needs, found in the sources: nothing is imported, let alone executed.

A module needs itself, what it imports anywhere in it, functions included, and what that imports. Where a package only
offers a name, by a stub that lazy_loader reads or by an import of its own, the module that defines the name is needed,
and not everything else that the package offers. `models.freeze` after `from course import models` counts as an import.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from course.errors import GradingError
from course.judging.moved import MOVED

Files = dict[str, bytes]  # by name below the package's folder, "judging/wire.py"


class _Import(NamedTuple):
    """A module, and the name that is taken from it: "" for the module itself, "*" for all that it has."""

    module: str
    name: str


class Sources:
    """The sources of a package, `folder` being its own. What is read is kept: each file is parsed at most once.

    `elsewhere` are folders that count as if they lay in it, by their names below it ("exercises/nb02_ours").
    """

    def __init__(self, folder: Path, elsewhere: Mapping[str, Path] | None = None) -> None:
        self._folder, self._package = folder, folder.name
        self._elsewhere = dict(elsewhere or {})
        self._modules: dict[str, _Module | None] = {}
        self._names: dict[Path, frozenset[str]] = {}

    def closure(self, modules: Iterable[str], texts: Mapping[str, str] | None = None) -> Files:
        """The files that these modules ("course.judging.wire") and these sources, by name in `texts`, need.

        The texts are not among them. Raises GradingError where a module is missing or a source is not valid Python.
        """
        found: Files = {}
        done: set[str] = set()
        waiting = [_Import(module, "") for module in modules]
        for name, text in (texts or {}).items():
            waiting += self.imports_in(_parsed(text, name), name, "")
        while waiting:
            for module in self._followed(waiting.pop(), found):
                if module.name not in done:
                    done.add(module.name)
                    self._add(module, found)
                    waiting += module.imports
        return found

    def matching(self, *patterns: str) -> Files:
        """The files that match a pattern ("exercises/nb02_*/*.py"). Raises GradingError for one that matches none."""
        found: Files = {}
        for pattern in patterns:
            paths = [path for path in self._folder.glob(pattern) if path.is_file() and not _is_made(path)]
            if not paths:
                raise GradingError(f"no file of {self._folder} matches {pattern}; install the course again")
            found |= {path.relative_to(self._folder).as_posix(): path.read_bytes() for path in paths}
        return found

    def elsewhere(self, names: Iterable[str]) -> Files:
        """All files of folders that lie elsewhere, by their names ("exercises/nb02_ours")."""
        folders = {name: self._elsewhere[name] for name in names}
        return {
            f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes()
            for name, folder in folders.items()
            for path in folder.rglob("*")
            if path.is_file() and not _is_made(path)
        }

    def names_of(self, files: Iterable[str]) -> list[str]:
        """The modules that these files are: "course.judging" for "judging/__init__.py"."""
        parts = [[self._package, *name.removesuffix(".py").split("/")] for name in files]
        return [".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts]

    def _add(self, module: _Module, found: Files) -> None:
        """Add a module's file and those of the packages that it lies in, which Python runs before it."""
        parts = module.name.split(".")
        for end in range(1, len(parts) + 1):
            if around := self._module(".".join(parts[:end])):
                found[around.file] = around.content

    def _followed(self, wanted: _Import, found: Files) -> Iterator[_Module]:
        """The modules that an import needs, but for what they import themselves."""
        module = self._module(wanted.module)
        inner = self._module(f"{wanted.module}.{wanted.name}") if wanted.name else None
        if inner is not None:
            yield from self._followed(_Import(inner.name, ""), found)
        elif module is None:
            now = f"; it is {MOVED[wanted.module]} now" if wanted.module in MOVED else ""
            raise GradingError(f"{wanted.module} is imported, and there is no such module in {self._folder}{now}")
        elif not module.is_package:
            yield module
        elif not wanted.name:  # what is taken from it comes as imports of their own
            self._add(module, found)
        elif offers := module.offers(wanted.name):
            self._add(module, found)
            if module.stub is not None:
                found[module.stub.file] = module.stub.content
            for one in offers:
                yield from self._followed(one, found)
        else:
            yield module

    def _module(self, name: str) -> _Module | None:
        """The module of this name, or None; a folder without `__init__.py` does not count."""
        if name not in self._modules:
            self._modules[name] = self._found(name)
        return self._modules[name]

    def _found(self, name: str) -> _Module | None:
        first, *parts = name.split(".")
        if first != self._package:
            return None
        module, package = "/".join(parts) + ".py", "/".join([*parts, "__init__.py"])
        if parts and self.has(module):
            return _Module(self, name, module, is_package=False)
        if self.has(package):
            return _Module(self, name, package, is_package=True)
        return None

    def _place(self, file: str) -> Path:
        """Where a file lies that is called so below the package's folder."""
        for name, folder in self._elsewhere.items():
            if file.startswith(f"{name}/"):
                return folder / file.removeprefix(f"{name}/")
        return self._folder / file

    def _has(self, folder: Path, file: str) -> bool:
        """Whether a folder holds a file of exactly this name: some file systems take `Wire.py` for `wire.py`."""
        if folder not in self._names:
            self._names[folder] = frozenset(os.listdir(folder) if folder.is_dir() else ())
        return file in self._names[folder]

    def read(self, file: str) -> bytes:
        return self._place(file).read_bytes()

    def has(self, file: str) -> bool:
        place = self._place(file)
        return self._has(place.parent, place.name)

    def imports_in(self, tree: ast.Module, where: str, around: str) -> list[_Import]:
        """What a source imports of the package; `around` is the package that it lies in."""
        found, packages = [], {}
        for node in _import_statements(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.split(".")[0] == self._package:
                        found.append(_Import(alias.name, ""))
                        packages[alias.asname or self._package] = alias.name if alias.asname else self._package
                continue
            base = _absolute(node, where, around)
            if base.split(".")[0] == self._package:
                for alias in node.names:
                    found.append(_Import(base, alias.name))
                    packages[alias.asname or alias.name] = f"{base}.{alias.name}"
        packages = {name: module for name, module in packages.items() if self._is_package(module)}
        return found + (list(self._attributes(tree, packages)) if packages else [])

    def _is_package(self, name: str) -> bool:
        module = self._module(name)
        return module is not None and module.is_package

    def _attributes(self, tree: ast.Module, packages: dict[str, str]) -> Iterator[_Import]:
        """What is taken as an attribute from a package that is bound to a name."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and not node.attr.startswith("__"):
                module = _dotted(node.value, packages)
                if module and self._is_package(module):
                    yield _Import(module, node.attr)


class _Module:
    """One module of a package: its file, and what it imports."""

    def __init__(self, sources: Sources, name: str, file: str, *, is_package: bool) -> None:
        self._sources, self.name, self.file, self.is_package = sources, name, file, is_package

    @cached_property
    def content(self) -> bytes:
        return self._sources.read(self.file)

    @cached_property
    def imports(self) -> list[_Import]:
        around = self.name if self.is_package else self.name.rpartition(".")[0]
        return self._sources.imports_in(_parsed(self.content, self.file), self.file, around)

    @cached_property
    def stub(self) -> _Module | None:
        """The stub beside a package, from which lazy_loader takes where its names are defined."""
        file = f"{self.file}i"
        return _Module(self._sources, self.name, file, is_package=True) if self._sources.has(file) else None

    def offers(self, name: str) -> list[_Import]:
        """Where a package has a name from, if it imports it; of "*" all that it imports."""
        return [one for bound, one in (self.stub or self)._offered if name in ("*", bound)]

    @cached_property
    def _offered(self) -> list[tuple[str, _Import]]:
        found = []
        for node in _import_statements(_parsed(self.content, self.file)):
            if isinstance(node, ast.ImportFrom):
                base = _absolute(node, self.file, self.name)
                if base.split(".")[0] == self.name.split(".")[0]:
                    found += [(alias.asname or alias.name, _Import(base, alias.name)) for alias in node.names]
        return found


def _is_made(path: Path) -> bool:
    """True for what Python and editors leave beside sources."""
    return path.parent.name == "__pycache__" or path.name.startswith(".") or path.name.endswith("~")


def digest_of(files: Files) -> str:
    """A hash of names and contents. Line ends do not count: a clone on Windows may have others."""
    whole = hashlib.sha256()
    for name in sorted(files):
        content = files[name].replace(b"\r\n", b"\n") if name.endswith((".py", ".pyi")) else files[name]
        whole.update(f"{len(name)} {name} {len(content)} ".encode())
        whole.update(content)
    return whole.hexdigest()


def _parsed(content: bytes | str, name: str) -> ast.Module:
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError) as error:
        raise GradingError(f"{name} is not valid Python: {error}") from error


def _import_statements(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import, in blocks and functions too; expressions, which are most of a tree, are not looked at."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, block, None)
            if isinstance(inner, list):
                waiting += inner


def _absolute(node: ast.ImportFrom, where: str, around: str) -> str:
    """The module that an import names, from the package that its file lies in."""
    if not node.level:
        return node.module or ""
    parts = around.split(".")
    if not around or node.level > len(parts):
        raise GradingError(f"{where} imports relatively in line {node.lineno}; name the whole module")
    kept = parts[: len(parts) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)


def _dotted(node: ast.expr, packages: dict[str, str]) -> str:
    """The module that an expression stands for, `course.models` say; empty where it is not a module."""
    if isinstance(node, ast.Name):
        return packages.get(node.id, "")
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value, packages)):
        return f"{before}.{node.attr}"
    return ""
