"""What a kernel puts into the namespace of every notebook, where there is no kernel: mute, but enough to run a cell."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def kernel_names() -> dict[str, Any]:
    """`display`, which prints; a mute `get_ipython`; `In` and `Out`; the namespace of a script."""
    namespace: dict[str, Any] = {"__name__": "__main__", "display": _display, "In": [""], "Out": {}, "_": ""}
    shell = _MuteShell(namespace)
    namespace["get_ipython"] = lambda: shell
    return namespace


def _display(*objects: Any, **options: Any) -> None:
    print(*objects, sep="\n")


class _MuteShell:
    """Stands in for IPython's shell: runs no command, changes no setting, and knows only the notebook's own files."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.user_ns = namespace

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **options: None

    def getoutput(self, command: str, *arguments: Any, **options: Any) -> list[str]:
        """The lines that a shell command would print: none."""
        return []

    def run_line_magic(self, name: str, line: str = "", *arguments: Any, **options: Any) -> Any:
        """What a magic returns, for the few that return or define something."""
        if name == "timeit":
            return SimpleNamespace(average=0.0, best=0.0, worst=0.0, stdev=0.0, timings=[0.0], all_runs=[0.0])
        if name == "run":
            self._run(line.split()[0] if line.split() else "")
        return None

    def run_cell_magic(self, name: str, line: str, cell: str, *arguments: Any, **options: Any) -> Any:
        """`%%writefile` writes into a folder that goes with this process; `%%capture` has captured nothing."""
        if name == "capture":
            return SimpleNamespace(stdout="", stderr="", outputs=[], show=lambda: None)
        if name in ("writefile", "file"):
            words = [word for word in line.split() if word not in ("-a", "--append")]
            with _own_file(words[-1]).open("a" if len(words) < len(line.split()) else "w", encoding="utf-8") as file:
                file.write(cell)
        return None

    def _run(self, name: str) -> None:
        file = _own_file(name)
        if not file.is_file():
            raise FileNotFoundError(2, "the notebook came without this file", name)
        exec(compile(file.read_text(encoding="utf-8"), name, "exec"), self.user_ns)


_folders: list[tempfile.TemporaryDirectory[str]] = []  # made when the first file is written, removed at the end


def _own_file(name: str) -> Path:
    """Where a file lies that a cell of the notebook writes: in a temporary folder, from which modules are imported."""
    if not _folders:
        _folders.append(tempfile.TemporaryDirectory(prefix="course-notebook-"))
        sys.path.append(_folders[0].name)
    return Path(_folders[0].name, Path(name).name)
