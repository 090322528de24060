"""A summary counts the best of what was checked, how predictions came out, and what is to be repeated."""

from datetime import UTC, datetime, timedelta

from course.judging import overview
from course.judging.outlines import Outline, Task
from course.judging.overview import best_scores, predictions_of

FIRST, SECOND = Task("02-freeze-backbone", 3), Task("02-set-train-mode", 4)
OUTLINES = (Outline("02", "02 Freeze the backbone", (FIRST, SECOND)), Outline("03", "03 Replace", (Task("03-a", 2),)))
NOW = datetime(2026, 3, 2, 18, tzinfo=UTC)


def event(kind, days=0.0, **fields):
    return {"version": 1, "time": (NOW + timedelta(days=days)).isoformat(), "kind": kind, **fields}


def outcome(id, right, choice="this", text="that"):
    return event("outcome", id=id, choice=choice, outcome=text, right=right)


def test_the_best_score_counts_and_damaged_events_do_not():
    events = [
        {"kind": "check", "id": "a", "score": 1},
        {"kind": "check", "id": "a", "score": 3},
        {"kind": "check", "id": "a", "score": 2},
        {"kind": "check", "id": "b", "score": "9"},
        {"kind": "check", "id": None, "score": 9},
        {"kind": "hint", "id": "c", "score": 9},
    ]
    assert best_scores(events) == {"a": 3}


def summarise(events, now=NOW):
    return overview.summarise(OUTLINES, events, now)


def solved(task, score=None, days=0.0):
    return event("check", days, id=task.id, score=task.points if score is None else score, points=task.points)


def test_a_chapter_has_its_points_and_what_is_open():
    before, begun, done = (
        summarise(events).chapters[0] for events in ([], [solved(FIRST)], [*map(solved, (FIRST, SECOND))])
    )
    assert (before.score, before.solved, before.open) == (0, 0, (FIRST, SECOND))
    assert (begun.score, begun.solved, begun.open) == (3, 1, (SECOND,))
    assert (done.score, done.solved, done.open) == (7, 2, ())
    assert (summarise([solved(FIRST)]).score, summarise([]).points) == (3, 9)


def test_predictions_are_counted_per_chapter():
    events = [outcome("02-buffers", False), outcome("02-cached", True), outcome("03-x", True)]
    assert [chapter.predicted for chapter in summarise(events).chapters] == ["1 of 2", "1 of 1"]
    assert summarise([]).chapters[0].predicted == ""


def test_recall_questions_count_as_they_were_answered_last():
    answers = (("02-recall-a", False), ("02-recall-b", True), ("02-recall-a", True), ("99-gone", True))
    events = [event("quiz", id=id, right=right) for id, right in answers]
    assert summarise(events).recalled == {"02-recall-a": True, "02-recall-b": True}
    assert summarise([*events, event("quiz", id="02-recall-b", right=False)]).recalled["02-recall-b"] is False


def test_the_next_chapter_is_the_last_one_begun_then_those_after_it_then_those_skipped():
    def following(*events):
        chapter = summarise(events).next_chapter
        return chapter and chapter.outline.number

    last = OUTLINES[1].exercises[0]
    assert following() == "02"
    assert following(solved(FIRST)) == "02"
    assert following(solved(FIRST), solved(SECOND)) == "03"
    assert following(outcome("03-x", True)) == "03"
    assert following(solved(last)) == "02"
    assert following(solved(FIRST), solved(SECOND), solved(last)) is None


def test_the_first_outcome_of_a_prediction_counts():
    events = [outcome("02-a", False, "first"), outcome("02-a", True, "after having seen it"), outcome("02-b", None)]
    assert [(found.choice, found.right) for found in predictions_of(events)] == [("first", False)]


def test_what_took_several_tries_is_due_and_nothing_before_its_day():
    questions = [event("quiz", -2, id="02-recall-accuracy", right=True)]
    tries = [event("check", -3 + score, id=FIRST.id, score=score, points=3, status="graded") for score in (1, 3)]
    due = summarise([*questions, *tries], NOW + timedelta(days=1)).due
    assert [item.id for item in due] == ["02-recall-accuracy", FIRST.id]
    early = summarise([event("quiz", 0, id="02-recall-accuracy", right=True)])
    assert (early.due, early.later) == ((), 1)


def test_exercises_and_chapters_that_no_longer_exist_count_nowhere():
    gone = [
        *(event("check", -9 + score, id="02-gone", score=score, points=9, status="graded") for score in (1, 9)),
        *(event("quiz", -9, id=id, right=False) for id in ("99-recall", "", "x")),
        outcome("99-x", True),
    ]
    assert summarise(gone) == summarise([])


def test_an_exercise_that_lost_points_since_gives_no_more_than_it_is_worth():
    chapter = summarise([solved(FIRST, score=99)]).chapters[0]
    assert chapter.score == FIRST.points and FIRST not in chapter.open
