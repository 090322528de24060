"""A result has points for what was right, and a reason for what was not."""

import pytest
import torch

from course.judging.exercise import Exercise
from course.judging.expectations import expect, need
from course.judging.student import LocalStudent
from course.judging.verdict import judge, unattempted, unreadable


@pytest.fixture
def exercise():
    exercise = Exercise("02-double", "double", "double(x)", "Double", time_limit_s=0.2)

    @exercise.case
    def small(rng):
        return {"x": torch.rand(3, generator=rng) + 1}

    @exercise.case
    def negative(rng):
        return {"x": -torch.rand(3, generator=rng) - 1}

    @exercise.probe
    def probe(answer, case):
        return need(answer(case["x"]), torch.Tensor, "a tensor")

    @exercise.judge(small, points=2)
    def doubled(case, result):
        """It is doubled."""
        case["x"] *= 2  # a judge that changes its case changes nobody else's
        expect(torch.equal(result, case["x"]), tried="x", got=result, expected=case["x"], because="not doubled")

    @exercise.judge(small)
    def positive(case, result):
        """It stays positive."""
        expect((result > case["x"]).all(), tried="x", got=result, expected="more than x")

    @exercise.judge(negative)
    def negative_too(case, result):
        """It is doubled below zero."""
        expect(torch.equal(result, case["x"] * 2), tried="-x", got=result, expected=case["x"] * 2)

    return exercise


def judged(exercise, answer, **options):
    return judge(exercise, LocalStudent({"double": answer}), **options)


def test_a_right_answer_gets_all_points(exercise):
    for secret in ("open", "a", "b"):
        result = judged(exercise, lambda x: x * 2, secret=secret)
        assert result.passed and (result.score, result.points, result.status) == (4, 4, "graded")


def test_a_partly_right_answer_gets_part_of_them(exercise):
    result = judged(exercise, lambda x: x.abs() * 2)
    assert (result.score, result.status, result.passed) == (3, "graded", False)
    assert [outcome.passed for outcome in result.outcomes] == [True, True, False]


def test_an_answer_that_changes_its_input_misleads_no_judge(exercise):
    assert judged(exercise, lambda x: x.mul_(0)).score == 0
    assert judged(exercise, lambda x: x.mul_(2)).passed


def test_a_wrong_answer_has_its_reasons(exercise):
    outcome = judged(exercise, lambda x: x * 0).outcomes[0]
    assert (outcome.tried, outcome.got, outcome.because) == ("x", "tensor [0, 0, 0]", "not doubled")
    assert outcome.expected.startswith("tensor [")


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (lambda x: None, "error", "returned None; return a tensor"),
        (lambda x: (y for y in x), "error", "returned a generator; return a tensor"),
        (lambda x: 1 / 0, "error", "ZeroDivisionError"),
        (lambda x: [0 for _ in iter(int, 1)], "timeout", "did not return within 0.2 s"),
        (lambda x: torch.ones(7), "graded", "cannot be judged"),
        (lambda x: x * 1j, "graded", "cannot be judged"),
        ("text", "error", "is no function or class but a str"),
    ],
    ids=range(7),
)
def test_an_answer_that_fails_scores_nothing_and_says_why(exercise, answer, status, words):
    result = judged(exercise, answer)
    assert result.score == 0 and not result.passed
    assert words in str(result)
    assert result.status == status or status == "graded"


def test_a_failure_on_one_case_leaves_the_others_their_points(exercise):
    result = judged(exercise, lambda x: x * 2 if x[0] > 0 else 1 / 0)
    assert (result.score, result.status) == (3, "graded")
    assert "ZeroDivisionError" in result.outcomes[2].because


@pytest.mark.parametrize("stop", [lambda: [0 for _ in iter(int, 1)], lambda: (_ for _ in ()).throw(KeyboardInterrupt)])
def test_after_a_timeout_or_an_interrupt_no_other_case_is_tried(exercise, stop):
    calls = []
    result = judged(exercise, lambda x: (calls.append(1), stop()))
    assert len(calls) == 1 and result.score == 0
    assert len({outcome.because for outcome in result.outcomes}) == 1


def test_an_answer_that_is_missing_was_not_attempted(exercise):
    assert judge(exercise, LocalStudent({})).status == "not attempted"


def test_only_the_judges_that_are_given_decide(exercise):
    assert judged(exercise, lambda x: x * 2, judges=exercise.judges[:1]).points == 2


def test_results_without_a_run_have_points_and_no_score(exercise):
    open_, broken = unattempted(exercise, "a note"), unreadable(exercise, "line 2 is no Python")
    assert (open_.status, open_.score, open_.points, open_.notes) == ("not attempted", 0, 4, ("a note",))
    assert (broken.status, broken.score, broken.points) == ("error", 0, 4)
    assert "line 2 is no Python" in str(broken)


def test_a_mistake_of_ours_in_a_case_is_not_the_learners(exercise):
    @exercise.case
    def broken(rng):
        raise ZeroDivisionError

    exercise.judge(broken)(lambda case, result: None)
    with pytest.raises(ZeroDivisionError):
        judged(exercise, lambda x: x * 2)
