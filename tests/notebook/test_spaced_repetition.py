"""Leitner's boxes, computed from the record with a clock that is given."""

from datetime import UTC, datetime, timedelta

import pytest

from course.notebook import spaced_repetition

MONDAY = datetime(2026, 3, 2, 18, tzinfo=UTC)


def at(days=0.0, **fields):
    return {"version": 1, "time": (MONDAY + timedelta(days=days)).isoformat(timespec="milliseconds"), **fields}


def quiz(days, right, id="02-recall"):
    return at(days, kind="quiz", id=id, letter="A", right=right)


def check(days, score, answer=None, id="02-freeze-backbone", status="graded"):
    return at(days, kind="check", id=id, status=status, score=score, points=3, answer=answer or f"{days} {score}")


def due(events, days):
    return [item.id for item in spaced_repetition.due(events, MONDAY + timedelta(days=days))]


def first_due(events):
    """On which day the only item of these events is due next, counted from Monday; None if on none."""
    last = datetime.fromisoformat(events[-1]["time"]) - MONDAY
    return next((day for day in range(last.days, last.days + 60) if due(events, day)), None)


def test_right_answers_on_their_days_come_back_after_1_3_7_and_21_days_and_are_then_known():
    events, day = [quiz(0, True)], 0
    for wait in (1, 3, 7, 21):
        assert first_due(events) == day + wait
        day += wait
        events.append(quiz(day, True))
    assert first_due(events) is None
    assert spaced_repetition.items(events)[0].box == len(spaced_repetition.DAYS)


def test_monday_evening_to_tuesday_morning_is_a_day_and_an_hour_is_not():
    assert due([quiz(0, True)], 15 / 24) == []
    assert due([quiz(0, True)], 16 / 24) == ["02-recall"]


@pytest.mark.parametrize("known", [1, 2, 3, 4, 5])
def test_a_wrong_answer_goes_back_to_the_first_box_from_any_box(known):
    days = [0, 1, 4, 11, 32][:known]
    events = [*(quiz(day, True) for day in days), quiz(40, False)]
    assert spaced_repetition.items(events)[0].box == 0 and first_due(events) == 41


def test_answering_again_before_its_day_is_no_recall():
    once = [quiz(0, False)]
    again = [quiz(0, False), quiz(0.001, True), quiz(0.002, True), quiz(0.01, True)]
    assert spaced_repetition.items(once) == spaced_repetition.items(again)
    assert first_due(again) == 1


def test_the_longest_overdue_comes_first():
    events = [quiz(0, True, "new"), quiz(-9, True, "old"), quiz(-4, True, "middle")]
    assert due(events, 1) == ["old", "middle", "new"]
    assert spaced_repetition.is_due(events, "quiz", "old", MONDAY) and not spaced_repetition.is_due(
        events, "check", "old", MONDAY
    )
    assert not spaced_repetition.is_due(events, "quiz", "new", MONDAY)


def test_an_exercise_solved_at_once_is_not_repeated():
    assert spaced_repetition.items([check(0, 3), check(5, 3)]) == []


def test_an_exercise_that_took_several_tries_is_repeated_from_the_day_on_which_it_was_solved():
    tries = [check(0, 0, status="error"), check(1, 2)]
    assert spaced_repetition.items(tries) == [], "it is still open"
    solved = [*tries, check(5, 3)]
    assert first_due(solved) == 6
    assert first_due([*solved, check(6, 3)]) == 9
    assert first_due([*solved, check(6, 3), check(9, 1)]) == 10


def test_the_same_answer_run_again_is_no_repetition_but_after_an_emptied_cell_it_is():
    solved = [check(0, 1), check(0.1, 3, "mine")]
    run_all = [*solved, check(1.2, 3, "mine"), check(3, 3, "mine")]
    assert spaced_repetition.items(run_all) == spaced_repetition.items(solved)
    emptied = [*solved, check(1.2, 0, "stub", status="not attempted"), check(1.3, 3, "mine")]
    assert spaced_repetition.items(emptied)[0].box == 1


def test_a_check_that_an_older_version_kept_counts_without_a_digest():
    old = [{**check(day, score), "answer": None} for day, score in ((0, 1), (0.1, 3), (1.2, 3))]
    assert spaced_repetition.items(old)[0].box == 1


def test_an_answer_from_a_clock_that_ran_ahead_is_asked_again_and_can_move_on():
    ahead = [quiz(3650, True)]
    assert due(ahead, 0) == ["02-recall"]
    assert spaced_repetition.items([*ahead, quiz(0, True)])[0].box == 1
    assert due([*ahead, quiz(0, True)], 0) == [] and first_due([*ahead, quiz(0, True)]) == 3


def test_an_answer_from_a_clock_that_was_behind_is_asked_again_soon():
    behind = [quiz(0, True), quiz(-20000, False)]
    assert due(behind, 0) == ["02-recall"]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-03-02T18:00:00"])
def test_the_ends_of_time_and_a_time_without_a_zone_are_no_problem(time):
    events = [{**quiz(0, True), "time": time}]
    assert len(spaced_repetition.items([*events, quiz(1, True)])) == 1
    assert due(events, 2) == ["02-recall"]


@pytest.mark.parametrize(
    "damage",
    [
        {"time": None},
        {"time": "yesterday"},
        {"time": 7},
        {"id": None},
        {"id": ["x"]},
        {"right": "yes"},
        {"right": None},
    ],
)
def test_an_event_with_damaged_fields_does_not_count(damage):
    assert spaced_repetition.items([{**quiz(0, True), **damage}]) == []
    assert (
        spaced_repetition.items(
            [{"kind": "quiz"}, {"kind": "check"}, {"kind": "check", "id": "02-a", "time": MONDAY.isoformat()}]
        )
        == []
    )


def test_two_kernels_writing_in_turn_are_two_histories_in_one_file():
    a, b = [quiz(0, True, "a"), quiz(1, True, "a")], [quiz(0, False, "b"), quiz(1, True, "b")]
    mixed = [event for pair in zip(a, b, strict=True) for event in pair]
    assert {item.id: item.box for item in spaced_repetition.items(mixed)} == {"a": 1, "b": 1}
