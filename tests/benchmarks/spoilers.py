"""Questions whose answer can be read in the notebook before they are answered."""

from __future__ import annotations

import nbformat

from course.questions.question import questions_of
from tests.benchmarks import Figure
from tests.notebook_rules import REPOSITORY, asked, spoilers


def measure() -> Figure:
    """Questions of notebooks/ and solutions/ that a code cell gives away, or that the library doesn't know."""
    found, tried = [], 0
    for path in sorted(REPOSITORY.glob("[ns]o*s/*.ipynb")):
        nb = nbformat.read(path, as_version=4)
        tried += len(questions_of(path.stem[:2]))
        found += [f"{path.parent.name}/{path.stem}: {finding}" for finding in [*spoilers(nb), *asked(nb)]]
    return Figure(len(found), "questions given away", "0", (*found, f"spoilers: {tried} questions looked at"))
