"""Spaced repetition: what to repeat and when, by Leitner's boxes, computed from the record alone.

There are four boxes. After its first answer an item is in the first box, and due after a day. A right answer moves it
to the next box, where it is due after 3, 7 and 21 days; after the last box it is known. A wrong answer moves it back to
the first box. A right answer before it is due changes nothing: answering twice in a row is not recall.
(S. Leitner, So lernt man lernen, 1972.)

The items are the questions of `quiz`, and exercises that took several attempts, from the day they were solved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

DAYS = (1, 3, 7, 21)
# From Monday evening to Tuesday morning counts as a day.
_SLACK = timedelta(hours=8)

Event = dict[str, Any]


@dataclass(frozen=True)
class ReviewItem:
    """A question ("quiz") or an exercise ("check") in its box: 0 to 3, or 4 once it is known."""

    kind: str
    id: str
    box: int
    answered: datetime

    def wait(self, now: datetime) -> timedelta | None:
        """The time until it is due: negative if it is overdue, None if it is known."""
        if self.box == len(DAYS):
            return None
        if self.answered > now:
            return timedelta(0)  # the clock was set back; asking once too often does no harm
        return timedelta(days=DAYS[self.box]) - _SLACK - (now - self.answered)

    def moved(self, time: datetime, right: bool) -> ReviewItem:
        """The item after one more answer. If the clock was set back since the last answer, the item counts as due."""
        if not right:
            return ReviewItem(self.kind, self.id, 0, time)
        wait = self.wait(time)
        return self if wait is None or wait > timedelta(0) else ReviewItem(self.kind, self.id, self.box + 1, time)


def items(events: Iterable[Event]) -> list[ReviewItem]:
    """All questions and exercises in a box, in the order of their first answers. Damaged events are ignored."""
    events = list(events)
    return [*_boxed("quiz", _quiz_answers(events)), *_boxed("check", _exercise_answers(events))]


def due(events: Iterable[Event], now: datetime) -> list[ReviewItem]:
    """The items that are due now, the longest overdue first."""
    waits = [(wait, item) for item in items(events) if (wait := item.wait(now)) is not None and wait <= timedelta(0)]
    return [item for _, item in sorted(waits, key=lambda pair: pair[0])]


def last_answers(events: Iterable[Event]) -> dict[str, bool]:
    """Whether the last answer to each question was right."""
    return {id: answers[-1][1] for id, answers in _quiz_answers(list(events)).items()}


def is_due(events: Iterable[Event], kind: str, id: str, now: datetime) -> bool:
    """True if this question or exercise is due now."""
    return any((item.kind, item.id) == (kind, id) for item in due(events, now))


def _boxed(kind: str, answers: dict[str, list[tuple[datetime, bool]]]) -> list[ReviewItem]:
    found = []
    for id, ((first, _), *rest) in answers.items():
        item = ReviewItem(kind, id, 0, first)
        for time, right in rest:
            item = item.moved(time, right)
        found.append(item)
    return found


def _quiz_answers(events: list[Event]) -> dict[str, list[tuple[datetime, bool]]]:
    answers: dict[str, list[tuple[datetime, bool]]] = {}
    for event, time in _timed(events, "quiz"):
        if isinstance(event.get("right"), bool):
            answers.setdefault(event["id"], []).append((time, event["right"]))
    return answers


def _exercise_answers(events: list[Event]) -> dict[str, list[tuple[datetime, bool]]]:
    """The checks of each exercise that was wrong at some time and right at some time, from the first right one on.

    The same answer checked again doesn't count, because all cells of a notebook may have been run again; it does count
    if the cell was emptied in between.
    """
    answers: dict[str, list[tuple[datetime, bool]]] = {}
    wrong: set[str] = set()
    last: dict[str, Any] = {}
    for event, time in _timed(events, "check"):
        id, answer = event["id"], event.get("answer")
        is_new = answer is None or answer != last.get(id)
        last[id] = answer
        if event.get("status") == "not attempted" or not is_new:
            continue
        right = is_solved(event)
        if not right:
            wrong.add(id)
        if right or id in answers:
            answers.setdefault(id, []).append((time, right))
    return {id: given for id, given in answers.items() if id in wrong}


def is_solved(event: Event) -> bool:
    """True for a check with full points."""
    score, points = event.get("score"), event.get("points")
    return isinstance(score, int) and isinstance(points, int) and score >= points > 0


def _timed(events: list[Event], kind: str) -> Iterable[tuple[Event, datetime]]:
    """The events of a kind that have an id and a valid time."""
    for event in events:
        if event.get("kind") == kind and isinstance(event.get("id"), str) and (time := _time(event)):
            yield event, time


def _time(event: Event) -> datetime | None:
    try:
        time = datetime.fromisoformat(event["time"])
    except (KeyError, TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
