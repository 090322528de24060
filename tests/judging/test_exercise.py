"""Exercises are found by their id; their cases are drawn anew for every secret."""

import pytest
import torch

from course.errors import UnknownName
from course.judging.exercise import Exercise, exercises_of, find_exercise, hidden_judges, notebook_numbers


def test_an_exercise_is_found_by_its_id():
    assert find_exercise("02-freeze-backbone").answer == "freeze"


@pytest.mark.parametrize("name", ["02-freeze-backbon", "2-freeze-backbone", "02_freeze_backbone", "02-Freeze-Backbone"])
def test_an_unknown_id_offers_the_nearest(name):
    with pytest.raises(UnknownName, match="did you mean '02-freeze-backbone'"):
        find_exercise(name)


@pytest.mark.parametrize("name", ["", None, 2, [], "zz", "../x"])
def test_what_is_no_id_is_unknown(name):
    with pytest.raises(UnknownName, match="there is no exercise called"):
        find_exercise(name)


def test_ids_are_unique_and_begin_with_their_notebook():
    ids = [(number, exercise.id) for number in notebook_numbers() for exercise in exercises_of(number)]
    assert len({exercise_id for _, exercise_id in ids}) == len(ids)
    assert all(exercise_id.startswith(f"{number}-") for number, exercise_id in ids)
    assert exercises_of("98") == ()


def test_the_same_secret_draws_the_same_case_and_another_one_another():
    exercise = Exercise("02-x", "f", "f(x)", "t")
    case = exercise.case(lambda rng: {"x": torch.rand(3, generator=rng)})
    drawn = [case.inputs("02-x", secret)["x"] for secret in ("a", "a", "b")]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(case.inputs("02-y", "a")["x"], drawn[0])


def test_judges_are_worth_points_and_claim_their_docstring():
    exercise = Exercise("02-x", "f", "f(x)", "t")
    case = exercise.case(lambda rng: {})

    @exercise.judge(case, points=2)
    def first(case, result):
        """The claim.

        More.
        """

    @exercise.hidden_judge(case, points=5)
    def second(case, result): ...

    assert (first.claim, second.claim) == ("The claim.", "second")
    assert exercise.points == 2 and exercise.judges == [first]
    assert second.hidden and not first.hidden


def test_hidden_judges_are_read_from_files(tmp_path):
    (tmp_path / "nb02_more.py").write_text(
        "from course.judging.exercise import find_exercise\n"
        "exercise = find_exercise('02-freeze-backbone')\n"
        "case = exercise.judges[0].case\n"
        "@exercise.hidden_judge(case, points=3)\n"
        "def more(case, result):\n    '''More.'''\n"
    )
    points = find_exercise("02-freeze-backbone").points
    (found,) = hidden_judges(tmp_path)
    assert (found.name, found.points, found.exercise_id) == ("more", 3, "02-freeze-backbone")
    assert find_exercise("02-freeze-backbone").points == points
