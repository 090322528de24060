"""How far you are, and what is due, summarised from the record that this machine keeps for you alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from course.judging.outlines import Outline, Task
from course.notebook import spaced_repetition

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
    """How far one notebook is. `open` are its exercises without full points, in its order."""

    outline: Outline
    score: int
    open: tuple[Task, ...]
    predictions: tuple[Prediction, ...]

    @property
    def solved(self) -> int:
        return len(self.outline.exercises) - len(self.open)

    @property
    def predicted(self) -> str:
        """How many predictions were right, as "1 of 2"; empty before the first one."""
        right = sum(prediction.right for prediction in self.predictions)
        return f"{right} of {len(self.predictions)}" if self.predictions else ""


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

    @property
    def score(self) -> int:
        return sum(chapter.score for chapter in self.chapters)

    @property
    def points(self) -> int:
        return sum(chapter.outline.points for chapter in self.chapters)

    @property
    def next_chapter(self) -> Chapter | None:
        """The chapter to continue with: the first with an open exercise after the last one begun; None at the end."""
        begun = [index for index, chapter in enumerate(self.chapters) if chapter.score or chapter.predictions]
        ahead = self.chapters[begun[-1] if begun else 0 :]
        return next((chapter for chapter in (*ahead, *self.chapters) if chapter.open), None)

    def outline_of(self, id: str) -> Outline:
        """The chapter that an exercise or a question belongs to."""
        return next(chapter.outline for chapter in self.chapters if chapter.outline.number == id[:2])


def summarise(outlines: Sequence[Outline], events: Sequence[Event], now: datetime) -> Summary:
    """The events as they stand at `now`. Those of exercises and chapters that no longer exist count nowhere."""
    best, predictions = best_scores(events), predictions_of(events)
    chapters = tuple(_chapter(outline, best, predictions) for outline in outlines)
    exercises = {exercise.id for outline in outlines for exercise in outline.exercises}
    numbers = {outline.number for outline in outlines}
    asked = [
        item
        for item in spaced_repetition.items(events)
        if (item.id[:2] in numbers if item.kind == "quiz" else item.id in exercises)
    ]
    waits = [wait for item in asked if (wait := item.wait(now)) is not None and wait > timedelta(0)]
    due = tuple(item for item in spaced_repetition.due(events, now) if item in asked)
    hints = sum(event.get("kind") == "hint" for event in events)
    recalled = {id: right for id, right in spaced_repetition.last_answers(events).items() if id[:2] in numbers}
    return Summary(chapters, hints, recalled, due, len(waits), min(waits, default=None))


def in_days(wait: timedelta) -> str:
    """How long that is in whole days, as "tomorrow" or "in 3 days"."""
    days = math.ceil(wait / timedelta(days=1))
    return "tomorrow" if days == 1 else f"in {days} days"


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


def _chapter(outline: Outline, best: dict[str, int], predictions: list[Prediction]) -> Chapter:
    return Chapter(
        outline,
        score=sum(min(best.get(exercise.id, 0), exercise.points) for exercise in outline.exercises),
        open=tuple(exercise for exercise in outline.exercises if best.get(exercise.id, 0) < exercise.points),
        predictions=tuple(prediction for prediction in predictions if prediction.id[:2] == outline.number),
    )
