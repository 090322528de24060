"""Questions whose answer can be read in the notebook before they are answered."""

from __future__ import annotations

import nbformat

from course.questions.question import questions_of
from tests.benchmarks import Figure
from tests.notebook_rules import REPOSITORY, asked, spoilers


def measure() -> Figure:
    """How many questions of notebooks/ and solutions/ are given away by a cell of code, or asked without the library."""
    found, tried = [], 0
    for path in sorted(REPOSITORY.glob("[ns]o*s/*.ipynb")):
        nb = nbformat.read(path, as_version=4)
        tried += len(questions_of(path.stem[:2]))
        found += [f"{path.parent.name}/{path.stem}: {finding}" for finding in [*spoilers(nb), *asked(nb)]]
    return Figure(len(found), "questions given away", "0", (*found, f"spoilers: {tried} questions looked at"))
