"""docs/write-an-exercise.md followed as a reader would: files written, cells replaced, commands run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.documents import Document

PAGE = ROOT / "docs" / "write-an-exercise.md"
NOTEBOOK = "our-exercises/solutions/02_share_frozen.ipynb"


class Walk:
    """The page's blocks in order. `said` is what each command printed, by the command."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, {}
        self.blocks = Document(PAGE).blocks("bash", "python", "markdown", "toml")

    def upto(self, last: str) -> None:
        """Follow the blocks that are left, up to the first that contains this text."""
        while self.blocks:
            text = self.blocks.pop(0).text
            self._follow(text)
            if last in text:
                return
        raise AssertionError(f"no block of {PAGE.name} contains {last!r}")

    def _follow(self, text: str) -> None:
        if file := re.match(r"# (\S+\.(?:py|toml))\n", text):
            path = self.folder / file[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif text.startswith(("# exercise: ", "### Exercise: ")):
            self._replace_cell(text.rstrip("\n"))
        else:
            for command in text.strip().splitlines():
                self.said[command] = self.run(command)

    def _replace_cell(self, text: str) -> None:
        """The notebook's text, or the cell of the exercise, replaced by this one."""
        path = self.folder / NOTEBOOK
        notebook = json.loads(path.read_text(encoding="utf-8"))
        is_wanted = (
            (lambda cell: cell["cell_type"] == "markdown")
            if text.startswith("###")
            else (lambda cell: "".join(cell["source"]).startswith("# exercise:"))
        )
        (cell,) = filter(is_wanted, notebook["cells"])
        cell["source"] = text
        path.write_text(json.dumps(notebook), encoding="utf-8")

    def run(self, command: str) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "COURSE_HOME": str(self.folder / "home"), "COLUMNS": "200"}
        run = subprocess.run(command, shell=True, cwd=self.folder, env=env, capture_output=True, text=True, timeout=500)
        assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
        return run.stdout
