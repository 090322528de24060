"""A result has points for what was right, and a reason for what was not."""

import time

import pytest
import torch

from course.errors import MachineBusy
from course.judging import verdict, wire
from course.judging.exercise import Exercise
from course.judging.expectations import expect, need
from course.judging.results import Failure, Reply
from course.judging.runner import LocalRunner
from course.judging.verdict import judge_exercise, unattempted, unreadable


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
    return judge_exercise(exercise, LocalRunner({"double": answer}), **options)


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
        ("text", "error", "is not a function or class but a str"),
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
    assert judge_exercise(exercise, LocalRunner({})).status == "not attempted"


def test_only_the_judges_that_are_given_decide(exercise):
    assert judged(exercise, lambda x: x * 2, judges=exercise.judges[:1]).points == 2


def test_results_without_a_run_have_points_and_no_score(exercise):
    open_, broken = unattempted(exercise, "a note"), unreadable(exercise, "line 2 is not valid Python")
    assert (open_.status, open_.score, open_.points, open_.notes) == ("not attempted", 0, 4, ("a note",))
    assert (broken.status, broken.score, broken.points) == ("error", 0, 4)
    assert "line 2 is not valid Python" in str(broken)


def test_a_mistake_of_ours_in_a_case_is_not_the_learners(exercise):
    @exercise.case
    def broken(rng):
        raise ZeroDivisionError

    exercise.judge(broken)(lambda case, result: None)
    with pytest.raises(ZeroDivisionError):
        judged(exercise, lambda x: x * 2)


SECRET_VALUE = "7351"


@pytest.fixture
def with_hidden(exercise):
    """(visible, visible and hidden) judges; the hidden case's input holds a value that nobody may be told."""

    @exercise.case
    def secret_case(rng):
        return {"x": torch.full((3,), float(SECRET_VALUE))}

    @exercise.hidden_judge(secret_case, points=3)
    def hidden_one(case, result):
        """It works for others too."""
        expect(torch.equal(result, case["x"] * 2), tried="a hidden x", got=result, expected=case["x"] * 2)

    return exercise.judges, [*exercise.judges, hidden_one]


def is_hidden(x):
    return x[0] == float(SECRET_VALUE)


def tells_and_doubles(x):
    print("x is", x.tolist())
    return x * 2


def tells_the_hidden_alone(x):
    if is_hidden(x):
        print("x is", x.tolist())
    return x * 2


def raises_the_hidden(x):
    if is_hidden(x):
        raise ValueError(str(x.tolist()))
    return x * 2


def returns_the_hidden_as_no_tensor(x):
    return str(x.tolist()) if is_hidden(x) else x * 2


def loops_over_the_hidden(x):
    print("x is", x.tolist()) if is_hidden(x) else None
    while is_hidden(x):
        pass
    return x * 2


def interrupts_at_the_hidden(x):
    if is_hidden(x):
        raise KeyboardInterrupt(str(x.tolist()))
    return x * 2


HIDDEN_FAILS = [raises_the_hidden, returns_the_hidden_as_no_tensor, loops_over_the_hidden, interrupts_at_the_hidden]


@pytest.mark.parametrize("answer", [tells_and_doubles, tells_the_hidden_alone, *HIDDEN_FAILS])
def test_what_a_hidden_case_brings_about_is_not_in_what_a_learner_reads(exercise, with_hidden, answer):
    result = judged(exercise, answer, judges=with_hidden[1])
    assert SECRET_VALUE not in f"{result.failure} {result.printed}"
    shown = [outcome for outcome in result.outcomes if not outcome.hidden]
    assert SECRET_VALUE not in str(shown)
    assert [outcome.passed for outcome in shown] == [True] * 3
    assert result.status == "graded"
    assert result.points == 7 and result.score == (4 if answer in HIDDEN_FAILS else 7)


def test_what_the_visible_cases_printed_and_raised_is_shown(exercise, with_hidden):
    result = judged(exercise, lambda x: (print("hello"), 1 / 0), judges=with_hidden[1])
    assert "ZeroDivisionError" in result.failure.message and result.printed == "hello\n"
    assert result.status == "error"


def test_a_failure_in_the_hidden_case_alone_is_none_in_the_result(exercise, with_hidden):
    result = judged(exercise, raises_the_hidden, judges=with_hidden[1])
    assert result.failure is None and not result.passed
    assert not result.outcomes[-1].passed and result.outcomes[-1].hidden


class Replying:
    """A runner whose replies are given, as a sandbox may give them."""

    def __init__(self, *replies):
        self.replies = replies

    def run(self, exercise, cases, seed=0):
        self.cases = cases
        return list(self.replies)


RIGHT_FOR_NOBODY = Reply(wire.encode(torch.zeros(3)))


@pytest.mark.parametrize(
    ("kind", "status"),
    [("tampered", "tampered"), ("crashed", "crashed"), ("timeout", "timeout"), ("missing", "not attempted")],
)
def test_a_final_failure_at_once_fails_every_judge_and_names_the_status(exercise, with_hidden, kind, status):
    result = judge_exercise(exercise, Replying(Reply(None, Failure(kind, "the reason"))), judges=with_hidden[1])
    assert (result.status, result.score, result.points) == (status, 0, 7)
    assert {outcome.because for outcome in result.outcomes} == {"the reason"}


def test_what_came_before_a_final_failure_is_judged_and_the_rest_fails(exercise, with_hidden):
    asked = Replying()
    with pytest.raises(IndexError):
        judge_exercise(exercise, asked, judges=with_hidden[1])
    first = wire.encode(wire.decode(asked.cases[0])["x"] * 2)
    replies = [Reply(first, None, "printed"), Reply(None, Failure("crashed", "gone"))]
    result = judge_exercise(exercise, Replying(*replies), judges=with_hidden[1])
    assert [outcome.passed for outcome in result.outcomes] == [True, True, False, False]
    assert (result.status, result.failure.kind, result.printed) == ("graded", "crashed", "printed")


def test_tampering_is_the_status_even_if_something_passed(exercise, with_hidden):
    asked = Replying()
    with pytest.raises(IndexError):
        judge_exercise(exercise, asked, judges=with_hidden[1])
    first = wire.encode(wire.decode(asked.cases[0])["x"] * 2)
    result = judge_exercise(
        exercise, Replying(Reply(first), Reply(None, Failure("tampered", "forged"))), judges=with_hidden[1]
    )
    assert result.status == "tampered" and not result.passed


def test_artefacts_that_cannot_be_read_fail_the_judge_and_nothing_else(exercise):
    result = judge_exercise(exercise, Replying(Reply(b"\0" * 20), RIGHT_FOR_NOBODY))
    assert [outcome.passed for outcome in result.outcomes] == [False] * 3
    assert "the reply" in result.outcomes[0].because
    assert result.status == "graded"


def test_a_judge_that_is_kept_busy_by_what_came_back_ends_in_time(exercise, monkeypatch):
    monkeypatch.setattr(verdict, "JUDGE_LIMIT_S", 0.2)

    @exercise.judge(exercise.judges[0].case)
    def patient(case, result):
        """It ends."""
        while True:
            pass

    started = time.monotonic()
    result = judged(exercise, lambda x: x * 2)
    assert time.monotonic() - started < 5
    assert [outcome.passed for outcome in result.outcomes] == [True, True, True, False]
    assert "keeps a judge busy" in result.outcomes[-1].because


def test_a_judge_that_a_busy_machine_keeps_waiting_is_nobodys_fault(exercise):
    @exercise.judge(exercise.judges[0].case)
    def starved(case, result):
        """It is not given the processor."""
        raise MachineBusy("too busy")

    with pytest.raises(MachineBusy):
        judged(exercise, lambda x: x * 2)


def test_judges_of_one_case_each_get_a_copy_of_what_came_back(exercise):
    @exercise.judge(exercise.judges[0].case)
    def spoils(case, result):
        """It spoils."""
        result.zero_()
        case["x"].zero_()

    exercise.judges.insert(0, exercise.judges.pop())
    assert judged(exercise, lambda x: x * 2).passed
