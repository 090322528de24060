"""Spaced recall: what to repeat and when, by Leitner's boxes, computed from the record and nothing else.

Four boxes. What is answered right for the first time lies in the first one and comes back after a day; right again, it
moves on and comes back after 3, 7 and 21 days, and then it is known. A wrong answer puts it back into the first box,
from wherever it was. Right before its day changes nothing: answering twice in a row is no recall.
(S. Leitner, So lernt man lernen, 1972.)

Questions of `quiz` are repeated, and exercises that took several tries, from the day on which they were solved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

DAYS = (1, 3, 7, 21)
# Monday evening to Tuesday morning is a day.
_SLACK = timedelta(hours=8)

Event = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """A question ("quiz") or an exercise ("check") in its box: 0 to 3, or 4 when it is known."""

    kind: str
    id: str
    box: int
    answered: datetime

    def wait(self, now: datetime) -> timedelta | None:
        """How long until it is to be repeated: negative when it is overdue, None when it is known."""
        if self.box == len(DAYS):
            return None
        if self.answered > now:
            return timedelta(0)  # the clock was set back since; asking once too often does no harm
        return timedelta(days=DAYS[self.box]) - _SLACK - (now - self.answered)

    def moved(self, time: datetime, right: bool) -> Item:
        """The item after one more answer. A time before the last one's (the clock was set back) counts as its day."""
        if not right:
            return Item(self.kind, self.id, 0, time)
        wait = self.wait(time)
        return self if wait is None or wait > timedelta(0) else Item(self.kind, self.id, self.box + 1, time)


def items(events: Iterable[Event]) -> list[Item]:
    """All questions and exercises that have a box, in the order of first answers. Damaged events don't count."""
    events = list(events)
    return [*_boxed("quiz", _quiz_answers(events)), *_boxed("check", _exercise_answers(events))]


def due(events: Iterable[Event], now: datetime) -> list[Item]:
    """What is to be repeated now, the longest overdue first."""
    waits = [(wait, item) for item in items(events) if (wait := item.wait(now)) is not None and wait <= timedelta(0)]
    return [item for _, item in sorted(waits, key=lambda pair: pair[0])]


def last_answers(events: Iterable[Event]) -> dict[str, bool]:
    """Whether each question was right when it was answered last."""
    return {id: answers[-1][1] for id, answers in _quiz_answers(list(events)).items()}


def is_due(events: Iterable[Event], kind: str, id: str, now: datetime) -> bool:
    """True when this question or exercise is to be repeated now."""
    return any((item.kind, item.id) == (kind, id) for item in due(events, now))


def _boxed(kind: str, answers: dict[str, list[tuple[datetime, bool]]]) -> list[Item]:
    found = []
    for id, ((first, _), *rest) in answers.items():
        item = Item(kind, id, 0, first)
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
    """The checks of each exercise that was ever wrong and ever right, from the first right one on.

    The same answer checked again is none: all cells of a notebook may have been run. An emptied cell in between counts.
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
    """True for a check that gave all points."""
    score, points = event.get("score"), event.get("points")
    return isinstance(score, int) and isinstance(points, int) and score >= points > 0


def _timed(events: list[Event], kind: str) -> Iterable[tuple[Event, datetime]]:
    """The events of a kind that have an id and a time that can be read."""
    for event in events:
        if event.get("kind") == kind and isinstance(event.get("id"), str) and (time := _time(event)):
            yield event, time


def _time(event: Event) -> datetime | None:
    try:
        time = datetime.fromisoformat(event["time"])
    except (KeyError, TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
