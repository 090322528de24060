"""Reference solutions with one small change: each is made once, and some judge finds it."""

import ast

import pytest

from course.judging.exercise import find_exercise
from tests.benchmarks import answer_mutants
from tests.mutants_of_answers.mutations import mutants
from tests.mutants_of_answers.survivors import equivalents, try_mutants, with_code

SOURCE = '''
@torch.no_grad()
def mean_above(values, least=0):
    """The mean of what is above a limit."""
    kept = [value.detach() for value in values if value > least]
    with torch.no_grad():
        total = sum(kept)
    if not kept:
        return 0.5
    return torch.cat(total, dim=1) / len(kept)
'''

LOOKED_AT = ("00", "01", "02", "03", "04", "05")  # the chapters whose survivors were read one by one

CHANGES = {
    "a decorator left out": "@torch.no_grad() -> def mean_above(values, least=0):",
    "a default": "def mean_above(values, least=0): -> def mean_above(values, least=1):",
    "a comparison": "kept = [value.detach() for value in values if value > least] -> "
    "kept = [value.detach() for value in values if value >= least]",
    "a method left out": "kept = [value.detach() for value in values if value > least] -> "
    "kept = [value for value in values if value > least]",
    "a condition left out": "kept = [value.detach() for value in values if value > least] -> "
    "kept = [value.detach() for value in values]",
    "a block that is not entered": "with torch.no_grad(): -> total = sum(kept)",
    "a function confused with another": "total = sum(kept) -> total = mean(kept)",
    "a negation left out": "if not kept: -> if kept:",
    "a number": "return 0.5 -> return 1.0",
    "another axis": "return torch.cat(total, dim=1) / len(kept) -> return torch.cat(total, dim=0) / len(kept)",
    "an argument left out": "return torch.cat(total, dim=1) / len(kept) -> return torch.cat(total) / len(kept)",
    "an operator": "return torch.cat(total, dim=1) / len(kept) -> return torch.cat(total, dim=1) * len(kept)",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_kind_of_mistake_is_made(change):
    assert change in {mutant.change for mutant in mutants(SOURCE)}


def test_every_mutant_is_valid_python_and_unlike_the_others_and_docstrings_stay():
    original = ast.unparse(ast.parse(SOURCE))
    sources = [mutant.source for mutant in mutants(SOURCE)]
    assert len({original, *sources}) == len(sources) + 1 > 20
    for source in sources:
        ast.parse(source)
        assert "The mean of what is above a limit." in source
    assert [mutant.source for mutant in mutants(SOURCE)] == sources


@pytest.mark.parametrize("id", ["00-draw-labels", "02-freeze-backbone"])
def test_each_change_to_a_solution_is_found_or_known_to_be_right(id):
    outcome = try_mutants(find_exercise(id))
    assert outcome.tried and (outcome.survivors, outcome.stale) == ((), ())


def test_each_equivalent_belongs_to_an_exercise_and_has_its_reason():
    assert equivalents().keys() <= {exercise.id for exercise in with_code()}
    assert all(len(reason) > 15 for changes in equivalents().values() for reason in changes.values())


@pytest.mark.slow
@pytest.mark.parametrize("number", LOOKED_AT)
def test_no_change_to_a_solution_keeps_full_marks(number):
    figure = answer_mutants.measure(*(exercise.id for exercise in with_code() if exercise.id.startswith(number)))
    assert not figure.missed, figure.notes
