"""`progress` counts the best of what was checked, how predictions came out, and names what is to be repeated."""

from datetime import UTC, datetime, timedelta

import pytest

from course.judging import overview
from course.judging.exercise import exercises_of
from course.judging.overview import best_scores, predictions_of, progress, summarise
from course.notebook import record

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


def line_of(capsys, number):
    progress()
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(number))
    return [cell for cell in (cell.strip() for cell in line.split("  ")) if cell]


def test_each_chapter_has_a_line_with_its_title_its_points_and_what_is_next(home, capsys):
    exercises = exercises_of("02")
    points = sum(exercise.points for exercise in exercises)
    title = "02 Freeze the backbone"
    empty = "░" * len(exercises)
    assert line_of(capsys, "02") == [title, empty, f"0 of {points} points", f"next: {exercises[0].id}"]
    first = exercises[0]
    record.append("check", id=first.id, status="graded", score=first.points, points=first.points)
    begun = f"█{empty[1:]}"
    assert line_of(capsys, "02") == [title, begun, f"{first.points} of {points} points", f"next: {exercises[1].id}"]
    for exercise in exercises:
        record.append("check", id=exercise.id, status="graded", score=exercise.points, points=exercise.points)
    assert line_of(capsys, "02")[2:] == [f"{points} of {points} points", "every exercise right"]


def test_predictions_are_counted_against_outcomes_and_the_surprises_are_told(home, capsys):
    record.append("hint", id="02-freeze-backbone", step=1)
    record.append("outcome", id="02-buffers", choice="none", outcome="all of `them`", right=False)
    record.append("outcome", id="02-cached", choice="several times", outcome="several times", right=True)
    assert "1 of 2 predictions right" in line_of(capsys, "02")
    progress()
    text = capsys.readouterr().out
    assert "1 hint asked for; 1 of 2 predictions right" in text
    assert "What you had not expected:\n  02-buffers: you said “none”; what came out: all of `them`\n" in text
    assert "02-cached" not in text


def test_recall_questions_count_as_they_were_answered_last(home, capsys):
    for id, right in (("02-recall-a", False), ("02-recall-b", True), ("02-recall-a", True), ("99-gone", True)):
        record.append("quiz", id=id, right=right)
    progress()
    assert "; 2 of 2 recall questions right\n" in capsys.readouterr().out
    record.append("quiz", id="02-recall-b", right=False)
    progress()
    assert "; 1 of 2 recall questions right\n" in capsys.readouterr().out


def test_the_first_outcome_of_a_prediction_counts():
    events = [outcome("02-a", False, "first"), outcome("02-a", True, "after having seen it"), outcome("02-b", None)]
    assert [(found.choice, found.right) for found in predictions_of(events)] == [("first", False)]


def test_what_is_due_is_named_with_chapter_and_cell_and_nothing_before_its_day(home, capsys):
    questions = [event("quiz", -2, id="02-recall-accuracy", right=True)]
    tries = [
        event("check", -3 + score, id="02-freeze-backbone", score=score, points=3, status="graded") for score in (1, 3)
    ]
    summary = summarise([*questions, *tries], NOW + timedelta(days=1))
    assert [item.id for item in summary.due] == ["02-recall-accuracy", "02-freeze-backbone"]
    assert overview._repeat(summary)[:-1] == [
        "02 Freeze the backbone: answer `02-recall-accuracy` again (repetition 1 of 4)",
        "02 Freeze the backbone: empty `02-freeze-backbone`, check it, write it again (repetition 1 of 4)",
    ]
    assert "raise NotImplementedError" in overview._repeat(summary)[-1]
    early = summarise([event("quiz", 0, id="02-recall-accuracy", right=True)], NOW)
    assert early.due == () and overview._repeat(early) == ["nothing; 1 later, the next tomorrow"]
    later = [event("quiz", day, id="02-recall-accuracy", right=True) for day in (-1, 0)]
    assert overview._repeat(summarise(later, NOW)) == ["nothing; 1 later, the next in 3 days"]
    assert overview._repeat(summarise([], NOW)) == []


def test_exercises_and_chapters_that_no_longer_exist_count_nowhere():
    gone = [
        *(event("check", -9 + score, id="02-gone", score=score, points=9, status="graded") for score in (1, 9)),
        *(event("quiz", -9, id=id, right=False) for id in ("99-recall", "", "x")),
        outcome("99-x", True),
    ]
    assert summarise(gone, NOW) == summarise([], NOW)


def test_an_exercise_that_lost_points_since_gives_no_more_than_it_is_worth():
    exercise = exercises_of("02")[0]
    events = [event("check", id=exercise.id, score=99, points=99, status="graded")]
    chapter = next(chapter for chapter in summarise(events, NOW).chapters if chapter.number == "02")
    assert chapter.score == exercise.points and exercise.id not in chapter.open


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda whole: whole[: len(whole) - 40], "1 line is damaged"),
        (lambda whole: whole + b"\x00\xff\xfe\x01" * 100 + b"\n", "1 line is damaged"),
        (lambda whole: whole + b'{"version": 2, "kind": "quiz"}\n' * 2, "2 lines are from a newer version"),
        (lambda whole: b"\x80\n[]\n" + whole + b'{"version": 9, "kind": "quiz"}', "2 lines are damaged, by a crash"),
    ],
)
def test_a_damaged_or_newer_record_is_said_in_one_line_and_nothing_is_lost(home, capsys, damage, said):
    for id in ("02-freeze-backbone", "02-set-train-mode"):
        record.append("check", id=id, status="graded", score=3, points=4)
    record.path().write_bytes(damage(record.path().read_bytes()))
    kept = record.path().read_bytes()
    progress()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if str(record.path()) in line]
    assert said in line and "nothing was deleted" in line
    assert line_of(capsys, "02")[1].startswith("█")
    record.append("hint", id="02-freeze-backbone", step=1)
    assert record.path().read_bytes().startswith(kept)


def test_text_that_a_terminal_would_choke_on_is_made_legible(home, capsys):
    record.append("outcome", id="02-buffers", choice="\ud800\x1b[31m", outcome="that", right=False)
    progress()
    assert "\x1b" not in capsys.readouterr().out
