"""Claims of a notebook that do not hold with some seed: `python -m tests.benchmarks claims NN [SEED ...]`.

Runs the notebook of `notebooks/` whose number is NN, or all of them, in the quick profile with seeds 0 to 9.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from course import authoring
from course.notebook.claims import FAILS
from tests.benchmarks import Figure
from tests.notebook_rules import claims

ROOT = Path(__file__).resolve().parents[2]
SEEDS = tuple(range(10))


def measure(number: str = "", *seeds: str) -> Figure:
    broken: list[str] = []
    tried = 0
    for path in sorted((ROOT / "notebooks").glob(f"{number}*.ipynb")):
        for seed in [int(seed) for seed in seeds] or SEEDS:
            lines = claims(_run(path, seed))
            tried += len(lines)
            fails = [line for line in lines if line.startswith(FAILS)]
            print(f"{path.stem}, seed {seed}: {len(lines) - len(fails)} of {len(lines)} claims hold", flush=True)
            broken += [f"{path.stem}, seed {seed}: {line}" for line in fails]
    return Figure(len(broken), "broken", "0", (*broken, f"{tried} claims tried"), missed=bool(broken))


def _run(path: Path, seed: int):
    """The notebook, run with this seed in a folder of its own."""
    notebook = authoring.read(path)
    for cell in notebook.cells:
        if cell.id == "parameters":
            cell.source = cell.source.replace("SEED = 0", f"SEED = {seed}")
    with tempfile.TemporaryDirectory() as folder:
        variables = authoring.environment(Path(folder), strict=False)
        return authoring.run(notebook, Path(folder), label=f"{path.name}, seed {seed}", variables=variables)
