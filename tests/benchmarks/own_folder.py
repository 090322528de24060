"""Chapter 05 on folders of one's own: cells that fail, and claims that do not hold.

`python -m tests.benchmarks own_folder [NAME ...]` runs the notebook of `notebooks/`, each cell twice, with `FOLDER`
set to generated class folders of 2, 3, 10 and 30 classes, split folders, a CSV table, and photographs from installed
packages. A folder that the notebook changes is a problem, too. Every result is kept under COURSE_HOME.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import nbformat
import numpy as np
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from PIL import Image, ImageDraw

from course import authoring
from course.authoring.cells import checked_by
from course.data.picture_files import open_picture
from course.errors import AuthoringError, BadPicture
from course.notebook.claims import FAILS
from course.runtime import home
from tests.benchmarks import Figure
from tests.notebook_rules import claims

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "05_classify_images.ipynb"


def draw_shapes(folder: Path, counts: list[int], *, seed: int = 0, size: int = 64) -> Path:
    """One folder per class: polygons whose number of corners, colour and position vary, over noise."""
    rng = np.random.default_rng(seed)
    for label, count in enumerate(counts):
        for number in range(count):
            picture = Image.fromarray(rng.integers(120, 256, (size, size, 3), dtype=np.uint8))
            centre, radius = rng.uniform(0.35, 0.65, 2) * size, rng.uniform(0.2, 0.35) * size
            corners, hue = 3 + label % 6, np.array([37 * label, 91 * label, 53 * label]) % 200
            colour = tuple(int(c) for c in np.clip(hue + rng.integers(-60, 61, 3), 0, 255))
            ImageDraw.Draw(picture).regular_polygon((*centre, radius), corners, rng.uniform(0, 360), fill=colour)
            path = folder / f"kind {label:02}" / f"{number}.{'jpg' if number % 2 else 'png'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
    return folder


def split_folders(folder: Path) -> Path:
    draw_shapes(folder / "train", [12, 9, 7])
    draw_shapes(folder / "val", [4, 4, 4], seed=1)
    draw_shapes(folder / "test", [5, 5, 5], seed=2)
    return folder


def table(folder: Path) -> Path:
    draw_shapes(folder / "pictures", [10, 12])
    rows = [(path.relative_to(folder), path.parent.name) for path in sorted(folder.rglob("*.*"))]
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    return folder / "table.csv"


def photographs(folder: Path) -> Path:
    """Crops of the photographs that scikit-learn, scikit-image and other packages bring along, one class each."""
    rng, found = np.random.default_rng(0), 0
    for package in ("sklearn", "skimage", "scipy", "torchvision", "captum", "matplotlib"):
        spec = find_spec(package)
        places = spec.submodule_search_locations if spec else None
        for path in sorted(p for place in places or () for p in Path(place).rglob("*.jp*g")):
            try:
                whole = open_picture(path)
            except BadPicture:
                continue
            if min(whole.size) < 160 or found == 6:
                continue
            (folder / f"{package} {path.stem}").mkdir(parents=True)
            for number in range(10):
                side = int(rng.uniform(0.35, 0.7) * min(whole.size))
                left, top = (int(rng.integers(0, length - side + 1)) for length in whole.size)
                crop = whole.crop((left, top, left + side, top + side))
                crop.save(folder / f"{package} {path.stem}" / f"{number}.jpg")
            found += 1
    return folder


FOLDERS: dict[str, Callable[[Path], Path]] = {
    "2 classes, 20 pictures": lambda folder: draw_shapes(folder, [10, 10]),
    "2 classes, one rare": lambda folder: draw_shapes(folder, [40, 4]),
    "3 classes": lambda folder: draw_shapes(folder, [12, 8, 5]),
    "10 classes": lambda folder: draw_shapes(folder, [8] * 10),
    "30 classes": lambda folder: draw_shapes(folder, [5] * 30),
    "10 classes, three pictures each": lambda folder: draw_shapes(folder, [3] * 10),
    "split folders": split_folders,
    "CSV table": table,
    "photographs": photographs,
}


def twice(notebook: NotebookNode, folder: str, *, size: int = 0) -> NotebookNode:
    """The notebook on that folder, every cell a second time after it; without checks, which do not depend on it."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or checked_by(cell)[1]:
            continue
        if "FOLDER = None" in cell.source:
            cell.source = cell.source.replace("FOLDER = None", f"FOLDER = {folder!r}")
            if size:
                cell.source = cell.source.replace("224 if own", f"{size} if own")
        cells.append(cell)
        if cell.id not in ("parameters", "setup", "folder-own-pictures"):
            cells.append(new_code_cell(cell.source, id=f"{cell.id}-again"))
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def problems(make: Callable[[Path], Path], *, size: int = 64) -> list[str]:
    """What goes wrong with the notebook on such a folder: an error, claims that do not hold, files that changed."""
    with tempfile.TemporaryDirectory() as place:
        source = make(Path(place, "my pictures"))
        before = _state(Path(place))
        notebook = twice(authoring.read(NOTEBOOK), str(source), size=size)
        with tempfile.TemporaryDirectory() as empty_home:
            variables = authoring.environment(Path(empty_home), strict=False)
            try:
                done = authoring.run(notebook, Path(empty_home), label=NOTEBOOK.name, variables=variables)
            except AuthoringError as error:
                return [str(error)]
        found = [line for line in claims(done) if line.startswith(FAILS)]
        if _state(Path(place)) != before:
            found.append("the learner's folder has changed")
    return found


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def measure(*names: str) -> Figure:
    kept = home() / "benchmarks" / "own_folder.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[str]] = {}
    for name in names or FOLDERS:
        found[name] = problems(FOLDERS[name])
        print(f"{name}: {len(found[name])} problems", *found[name], sep="\n  ", flush=True)
        with kept.open("a") as file:
            file.write(json.dumps({"folder": name, "problems": found[name]}) + "\n")
    value = sum(map(len, found.values()))
    return Figure(value, "problems", "0", (f"{len(found)} folders, every cell run twice",), missed=value > 0)
