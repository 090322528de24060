"""`python run_notebook.py PATH` runs a notebook with the installed course: 0 if every cell ran and every claim held."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from nbformat import NotebookNode

from course import authoring
from course.errors import AuthoringError


def main(path: Path) -> int:
    """Run it in the quick profile with a cold cache, and say what happened in a line."""
    stored, started = authoring.read(path), time.perf_counter()
    with tempfile.TemporaryDirectory() as home:
        variables = authoring.environment(Path(home), strict=path.parent.name == "solutions")
        try:
            done = authoring.run(stored, path.parent, label=str(path), variables=variables)
        except AuthoringError as error:
            print(error)
            return 1
    cells = [(old, new) for old, new in zip(stored.cells, done.cells, strict=True) if new.cell_type == "code"]
    broken = [new.id for _, new in cells if "does not hold" in text(new)]
    compared = [(old, new) for old, new in cells if "nbval-ignore-output" not in new.metadata.get("tags", [])]
    differ = [new.id for old, new in compared if text(old) != text(new)]
    print(
        f"{path}: {time.perf_counter() - started:.0f} s; {len(differ)} of {len(compared)} compared outputs differ"
        f"{': ' + ', '.join(differ) if differ else ''}{'; claims broken in ' + ', '.join(broken) if broken else ''}"
    )
    return 1 if broken else 0


def text(cell: NotebookNode) -> str:
    """What the cell printed."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
