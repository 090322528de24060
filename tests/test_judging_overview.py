"""`progress` counts the best of what was checked."""

from course import record
from course.judging.exercise import exercises_of
from course.judging.overview import best_scores, progress


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
    return next(line for line in capsys.readouterr().out.splitlines() if line.startswith(number))


def test_each_chapter_has_a_line_with_its_points_and_what_is_next(home, capsys):
    exercises = exercises_of("02")
    points = sum(exercise.points for exercise in exercises)
    assert line_of(capsys, "02") == f"02  {'░' * len(exercises)}  0 of {points} points  next: {exercises[0].id}"
    first = exercises[0]
    record.append("check", id=first.id, status="graded", score=first.points, points=first.points)
    expected = f"02  █{'░' * (len(exercises) - 1)}  {first.points} of {points} points  next: {exercises[1].id}"
    assert line_of(capsys, "02") == expected
    for exercise in exercises:
        record.append("check", id=exercise.id, status="graded", score=exercise.points, points=exercise.points)
    assert line_of(capsys, "02").endswith(f"{points} of {points} points  complete")


def test_hints_and_predictions_are_counted(home, capsys):
    record.append("hint", id="02-freeze-backbone", step=1)
    record.append("prediction", id="p", choice=1)
    record.append("prediction", id="p", choice=2)
    progress()
    assert capsys.readouterr().out.splitlines()[-1].endswith("1 hint asked for; 1 prediction recorded")
