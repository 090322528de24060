"""`course build`: notebooks/ from solutions/, both run and stored; and what differs between the two."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from course.authoring.cells import normalise
from course.authoring.regions import release
from course.authoring.running import environment, run
from course.authoring.setup_cell import wheel_address
from course.errors import AuthoringError, UnknownName
from course.notebook import notebook_files

Points = Callable[[str], float] | None


def build(
    names: Iterable[str] | None = None,
    *,
    root: Path | None = None,
    home: Path | None = None,
    points: Points = None,
    tell: Callable[[str], Any] = print,
) -> list[Path]:
    """The files written: for each name ("02_freeze_the_backbone", or "02"; default all) the solution and the notebook.

    Both are run in the quick profile, each with an empty COURSE_HOME unless `home` is given, and saved with their
    outputs. A notebook whose run fails is not written, nor is its solution. `points` as in `normalise`.
    Raises AuthoringError, and UnknownName for a name that is not in solutions/.
    """
    root = find_root(root)
    written = []
    for name in _chosen(names, root):
        solution = _source(root, name, points)
        targets = [("solutions", solution, True), ("notebooks", release(solution, name), False)]
        results = []
        for folder, nb, strict in targets:
            started = time.perf_counter()
            results.append(_executed(nb, root / folder, f"{folder}/{name}.ipynb", home, strict))
            tell(f"{folder}/{name}.ipynb ran in {time.perf_counter() - started:.0f} s")
        for (folder, _, _), nb in zip(targets, results, strict=True):
            notebook_files.write(nb, root / folder / f"{name}.ipynb")
            written.append(root / folder / f"{name}.ipynb")
    return written


def drift(root: Path | None = None, *, points: Points = None) -> list[str]:
    """One line for each cell or notebook that `course build` would change, with the command that fixes it.

    Compares sources and metadata, never outputs, and runs nothing; empty when everything agrees.
    """
    root = find_root(root)
    findings = []
    names = _names(root)
    for name in names:
        fix = f"run `course build {name}`"
        solution = _source(root, name, points)
        found = _differences(notebook_files.read(root / "solutions" / f"{name}.ipynb"), solution)
        findings += [f"solutions/{name}.ipynb, {cell}; {fix}" for cell in found]
        notebook = root / "notebooks" / f"{name}.ipynb"
        if not notebook.exists():
            findings.append(f"notebooks/{name}.ipynb is missing; {fix}")
            continue
        found = _differences(notebook_files.read(notebook), release(solution, name))
        findings += [f"notebooks/{name}.ipynb, {cell}; {fix}" for cell in found]
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        if path.stem not in names:
            findings.append(f"notebooks/{path.name} has no solutions/{path.name}; run `git rm notebooks/{path.name}`")
    return findings


def find_root(root: Path | None = None) -> Path:
    """The folder that holds solutions/: `root` itself if given, else the first from here upwards."""
    here = Path.cwd()
    candidates = [Path(root).resolve()] if root is not None else [here, *here.parents, Path(__file__).parents[2]]
    for candidate in candidates:
        if (candidate / "solutions").is_dir():
            return candidate
    raise AuthoringError(f"there is no folder solutions/ in {candidates[0]}; run this in a clone of the repository")


def _names(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "solutions").glob("*.ipynb"))


def _chosen(names: Iterable[str] | None, root: Path) -> list[str]:
    known = _names(root)
    if names is None:
        return known
    chosen = []
    for given in names:
        wanted = Path(given).name.removesuffix(".ipynb")
        match = [name for name in known if wanted in (name, name[:2])]
        if not match:
            raise UnknownName.of("notebook in solutions/", wanted, known)
        chosen += match
    return chosen


def _source(root: Path, name: str, points: Points) -> NotebookNode:
    nb = notebook_files.read(root / "solutions" / f"{name}.ipynb")
    return normalise(nb, name, points=points, address=wheel_address(root))


def _executed(nb: NotebookNode, folder: Path, label: str, home: Path | None, strict: bool) -> NotebookNode:
    folder.mkdir(exist_ok=True)
    # A fresh home each time: what a first run caches would change what the second one prints.
    with tempfile.TemporaryDirectory(prefix="course-home-", ignore_cleanup_errors=True) as fresh:
        return run(nb, folder, label=label, variables=environment(home or Path(fresh), strict=strict))


def _differences(actual: NotebookNode, expected: NotebookNode) -> list[str]:
    """What differs, cell by cell, named by the ids of `expected`, and by those of `actual` for cells too many."""
    have, want = notebook_files.content(actual), notebook_files.content(expected)
    found = [] if have["metadata"] == want["metadata"] else ["metadata: differs from what a build writes"]
    have_cells = {cell["id"]: cell for cell in have["cells"]}
    want_ids = [cell["id"] for cell in want["cells"]]
    for cell in want["cells"]:
        other = have_cells.get(cell["id"])
        if other is None:
            found.append(f"cell {cell['id']}: missing")
            continue
        parts = [part for part in ("type", "source", "metadata") if other[part] != cell[part]]
        if parts:
            found.append(f"cell {cell['id']}: another {' and '.join(parts)} than solutions/ gives")
    found += [f"cell {cell_id}: not in solutions/" for cell_id in have_cells if cell_id not in want_ids]
    if not found and [cell["id"] for cell in have["cells"]] != want_ids:
        found.append(f"cells in another order, the first: {have['cells'][0]['id']}")
    never = [cell.id for cell in actual.cells if cell.cell_type == "code" and not cell.execution_count]
    if never:
        found.append(f"cell {never[0]}: never run" + (f", nor {len(never) - 1} more" if never[1:] else ""))
    return found
