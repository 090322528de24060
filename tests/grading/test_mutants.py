"""Damaged notebooks: the same each time; each is graded, or a line says why not; and what they found stays fixed."""

import json
import time

import pytest

from course.errors import ExerciseError
from course.judging.answers import cells_of, find_answers, syntax_error
from course.judging.definitions import Statement, execute
from tests.benchmarks import fuzz
from tests.conftest import ROOT
from tests.hostile.mutants import CODE, ENCODING, STRUCTURE, mutants

NOTEBOOK = (ROOT / "solutions" / "02_freeze_the_backbone.ipynb").read_bytes()


def of(sources):
    return json.dumps({"cells": [{"cell_type": "code", "source": source} for source in sources]}).encode()


def test_the_same_seed_gives_the_same_mutants_and_another_seed_others():
    first, again, other = (list(mutants(NOTEBOOK, 20, seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert [name for name, _ in first] == list(STRUCTURE)[:20]


def test_no_mutation_leaves_the_notebook_as_it_is():
    as_it_is = json.dumps(json.loads(NOTEBOOK)).encode()
    every = list(mutants(NOTEBOOK, len(STRUCTURE) + len(CODE) + len(ENCODING), 1))
    assert [name for name, content in every if content == as_it_is] == []


def test_a_damaged_notebook_is_graded_or_a_line_says_why_not():
    each_kind = str(len(STRUCTURE) + len(CODE) + len(ENCODING))
    figure = fuzz.measure(each_kind, "0")
    assert figure.value == 0, figure.notes


@pytest.mark.slow
def test_thousands_of_damaged_notebooks_break_nothing():
    figure = fuzz.measure()
    assert figure.value == 0, figure.notes


def test_spaces_before_an_assignment_are_read_at_once():
    started = time.perf_counter()
    assert syntax_error(" " * 50_000 + "a = \n(")
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize("sources", [["x = 1"] * 3_000, ["x = '" + "y" * 999_990 + "'"] * 6])
def test_a_notebook_with_more_code_than_anyone_writes_is_refused(sources):
    with pytest.raises(ExerciseError, match="remove what is not an answer"):
        cells_of(of(sources), "x.ipynb")


def test_a_huge_cell_is_not_parsed_and_the_others_are():
    cells = cells_of(
        of(["x = '" + "y" * 300_000 + "'", "# exercise: 02-freeze-backbone\ndef freeze(module): return module"]), "x"
    )
    assert [answer.exercise.id for answer in find_answers(cells)] == ["02-freeze-backbone"]
    assert "200,000" in syntax_error(cells[0]["source"])


def test_many_constants_in_one_cell_are_executed_in_no_time():
    cell = "".join(f"x{number} = {number}\n" for number in range(3_000))
    started = time.perf_counter()
    assert execute([Statement(cell, index) for index in range(3_000)]).namespace["x2999"] == 2_999
    assert time.perf_counter() - started < 20  # it was a minute
