"""`progress`: how far you are, from the record that this machine keeps for you alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from course.judging.card import progress_as_html, show
from course.judging.exercise import exercises_of, notebook_numbers, notebook_title
from course.legible import legible
from course.notebook import record, spaced_repetition

Event = dict[str, Any]


@dataclass(frozen=True)
class Prediction:
    """What the learner predicted, and what came out: both as they were read then."""

    id: str
    choice: str
    outcome: str
    right: bool


@dataclass(frozen=True)
class Chapter:
    """How far one notebook is. `open` are the ids of its exercises without full points, in its order."""

    number: str
    exercises: int
    points: int
    score: int
    open: tuple[str, ...]
    predictions: tuple[Prediction, ...]

    def as_row(self) -> tuple[str, ...]:
        """Title, a bar with one field per exercise, points, predictions that were right, what is next."""
        bar = "█" * (self.exercises - len(self.open)) + "░" * len(self.open)
        right = sum(prediction.right for prediction in self.predictions)
        predicted = f"{right} of {_count(len(self.predictions), 'prediction')} right" if self.predictions else ""
        rest = f"next: {self.open[0]}" if self.open else "every exercise right"
        return notebook_title(self.number), bar, f"{self.score} of {self.points} points", predicted, rest


@dataclass(frozen=True)
class Summary:
    """What the record says at one moment. `recalled`: whether each recall question was right when last answered.

    `due` is to be repeated now, `later` more, the next in `next_in`.
    """

    chapters: tuple[Chapter, ...]
    hints: int
    recalled: dict[str, bool]
    due: tuple[spaced_repetition.ReviewItem, ...]
    later: int
    next_in: timedelta | None

    @property
    def predictions(self) -> list[Prediction]:
        """Those of all chapters."""
        return [prediction for chapter in self.chapters for prediction in chapter.predictions]


def progress() -> None:
    """Show points per chapter, what is next, how your predictions came out, and what to repeat today."""
    content = record.content()
    summary = summarise(content.events, datetime.now(UTC))
    rows = [chapter.as_row() for chapter in summary.chapters]
    parts = {"What you had not expected": _surprises(summary), "To repeat today": _repeat(summary)}
    notes = [_total(summary), *([content.complaint] if content.complaint else [])]
    show(progress_as_html(rows, notes, parts), _as_text(rows, notes, parts))


def summarise(events: Sequence[Event], now: datetime) -> Summary:
    """The events as they stand at `now`. Those of exercises that no longer exist count nowhere."""
    best, predictions = best_scores(events), predictions_of(events)
    chapters = tuple(_chapter(number, best, predictions) for number in notebook_numbers())
    asked = [item for item in spaced_repetition.items(events) if _exists(item)]
    waits = [wait for item in asked if (wait := item.wait(now)) is not None and wait > timedelta(0)]
    due = tuple(item for item in spaced_repetition.due(events, now) if item in asked)
    hints = sum(event.get("kind") == "hint" for event in events)
    recalled = {id: right for id, right in spaced_repetition.last_answers(events).items() if exercises_of(id[:2])}
    return Summary(chapters, hints, recalled, due, len(waits), min(waits, default=None))


def best_scores(events: Iterable[Event]) -> dict[str, int]:
    """The best score of each exercise that was ever checked here."""
    best: dict[str, int] = {}
    for event in events:
        if event.get("kind") == "check" and isinstance(event.get("score"), int) and isinstance(event.get("id"), str):
            best[event["id"]] = max(best.get(event["id"], 0), event["score"])
    return best


def predictions_of(events: Iterable[Event]) -> list[Prediction]:
    """Every prediction whose outcome was seen, as it was when it was seen first."""
    found: dict[str, Prediction] = {}
    for event in events:
        texts = [event.get(name) for name in ("id", "choice", "outcome")]
        if event.get("kind") == "outcome" and isinstance(event.get("right"), bool):
            id, choice, outcome = (text if isinstance(text, str) else "" for text in texts)
            found.setdefault(id, Prediction(id, choice, outcome, event["right"]))
    return list(found.values())


def _chapter(number: str, best: dict[str, int], predictions: list[Prediction]) -> Chapter:
    exercises = exercises_of(number)
    return Chapter(
        number,
        exercises=len(exercises),
        points=sum(exercise.points for exercise in exercises),
        score=sum(min(best.get(exercise.id, 0), exercise.points) for exercise in exercises),
        open=tuple(exercise.id for exercise in exercises if best.get(exercise.id, 0) < exercise.points),
        predictions=tuple(prediction for prediction in predictions if prediction.id[:2] == number),
    )


def _exists(item: spaced_repetition.ReviewItem) -> bool:
    """False for an exercise that the course no longer has, and a question of such a chapter."""
    exercises = exercises_of(item.id[:2])
    return bool(exercises) if item.kind == "quiz" else item.id in [exercise.id for exercise in exercises]


def _total(summary: Summary) -> str:
    score, points = (sum(getattr(chapter, name) for chapter in summary.chapters) for name in ("score", "points"))
    predicted = summary.predictions
    right = f"{sum(prediction.right for prediction in predicted)} of {_count(len(predicted), 'prediction')} right"
    recalled = f"{sum(summary.recalled.values())} of {_count(len(summary.recalled), 'recall question')} right"
    return f"{score} of {points} points; {_count(summary.hints, 'hint')} asked for; {right}; {recalled}"


def _surprises(summary: Summary) -> list[str]:
    return [
        f"{prediction.id}: you said “{prediction.choice}”; what came out: {prediction.outcome}"
        for prediction in summary.predictions
        if not prediction.right
    ]


def _repeat(summary: Summary) -> list[str]:
    if not summary.due:
        return [f"nothing; {summary.later} later, the next {_days(summary.next_in)}"] if summary.next_in else []
    lines = []
    for item in summary.due:
        what = f"answer `{item.id}` again" if item.kind == "quiz" else f"empty `{item.id}`, check it, write it again"
        lines.append(
            f"{notebook_title(item.id[:2])}: {what} (repetition {item.box + 1} of {len(spaced_repetition.DAYS)})"
        )
    if any(item.kind == "check" for item in summary.due):
        lines.append(
            "an emptied cell says `raise NotImplementedError`; after a check of that, the same answer counts again"
        )
    return lines


def _days(wait: timedelta) -> str:
    days = math.ceil(wait / timedelta(days=1))
    return "tomorrow" if days == 1 else f"in {days} days"


def _as_text(rows: Sequence[Sequence[str]], notes: list[str], parts: dict[str, list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows] + [*map(legible, notes)]
    for title, items in parts.items():
        lines += [f"{title}:", *(f"  {legible(item)}" for item in items)] if items else []
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")
