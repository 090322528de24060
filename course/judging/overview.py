"""`progress`: how far you are, from the record that this machine keeps for you alone."""

from __future__ import annotations

from typing import Any

from course import record
from course.judging.card import progress_as_html, show
from course.judging.exercise import exercises_of, notebook_numbers


def progress() -> None:
    """Show points a chapter, what is open, and how often you asked for hints and predicted."""
    events = record.read()
    best = best_scores(events)
    hints = sum(event.get("kind") == "hint" for event in events)
    total = earned = 0
    rows = []
    for number in notebook_numbers():
        exercises = exercises_of(number)
        points = sum(exercise.points for exercise in exercises)
        score = sum(best.get(exercise.id, 0) for exercise in exercises)
        done = sum(best.get(exercise.id, 0) >= exercise.points for exercise in exercises)
        total, earned = total + points, earned + score
        open_ = [exercise.id for exercise in exercises if best.get(exercise.id, 0) < exercise.points]
        rest = "complete" if not open_ else f"next: {open_[0]}"
        bar = "█" * done + "░" * (len(exercises) - done)
        rows.append((number, bar, f"{score} of {points} points", rest))
    sum_ = f"{earned} of {total} points; {_count(hints, 'hint')} asked for; {_predictions(events)}"
    show(progress_as_html(rows, sum_), "\n".join([*map("  ".join, rows), sum_]))


def best_scores(events: list[dict[str, Any]]) -> dict[str, int]:
    """The best score of each exercise that was ever checked here."""
    best: dict[str, int] = {}
    for event in events:
        if event.get("kind") == "check" and isinstance(event.get("score"), int) and isinstance(event.get("id"), str):
            best[event["id"]] = max(best.get(event["id"], 0), event["score"])
    return best


def _predictions(events: list[dict[str, Any]]) -> str:
    predicted = {event.get("id") for event in events if event.get("kind") == "prediction"}
    return f"{_count(len(predicted), 'prediction')} recorded"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")
