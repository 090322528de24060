"""What a question is: a `Prediction`, decided by what an experiment measures, or a `Quiz` with one right answer.

Texts mark `code` by backticks and *emphasis* by asterisks. The text of a question may hold {names}, whose values the
notebook passes to `predict`.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from course.errors import UnknownName

LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class Between:
    """A measured number from `low` on, and below `high`."""

    low: float = -math.inf
    high: float = math.inf

    def holds(self, measured: Any) -> bool:
        return self.low <= float(measured) < self.high


Condition = Between | str | bool


@dataclass(frozen=True)
class Option:
    """A possible outcome. `when` says which measurement makes it the one that came out; `because` then explains it.

    `when` is a range for a number, or the text or truth value itself; if several values are measured, one condition for
    each of those that matter, by name. None: this outcome is impossible, and `because` is never shown.
    """

    text: str
    when: Condition | Mapping[str, Condition] | None
    because: str = ""

    def came_out(self, measured: Any) -> bool:
        """Whether what was measured makes this the outcome. Raises KeyError for a value that was not measured."""
        if self.when is None:
            return False
        if isinstance(self.when, Mapping):
            return all(_holds(condition, measured[name]) for name, condition in self.when.items())
        return _holds(self.when, measured)


@dataclass(frozen=True)
class Prediction:
    """What is asked before an experiment. `measured` is a line about the result, such as "{value:.0%} were named".

    `measured` holds {value}, or the names of several values. `otherwise` is said if no option came out.
    """

    id: str
    question: str
    options: tuple[Option, ...]
    measured: str
    otherwise: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(option.text for option in self.options)

    def outcome(self, measured: Any) -> int | None:
        """The index of the option that came out, or None. `measured` is a value, or a dict of values by name."""
        return next((i for i, option in enumerate(self.options) if option.came_out(measured)), None)

    def measured_text(self, measured: Any) -> str:
        """The line that states what was measured. Raises KeyError for a value that is missing."""
        values = dict(measured) if isinstance(measured, Mapping) else {"value": measured}
        return self.measured.format(**values)


@dataclass(frozen=True)
class Answer:
    """An option of a quiz, and what is said about it once the learner has chosen."""

    text: str
    explanation: str
    is_right: bool = False


@dataclass(frozen=True)
class Quiz:
    """A question to recall what was learned: one of its answers is right."""

    id: str
    question: str
    options: tuple[Answer, ...]

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(answer.text for answer in self.options)

    @property
    def right(self) -> int:
        """The index of the right answer."""
        return next(i for i, answer in enumerate(self.options) if answer.is_right)


Question = Prediction | Quiz


def questions_of(notebook: str) -> tuple[Question, ...]:
    """The questions of a notebook, by its number ("02"), in its order; none if there is no such notebook."""
    return _read_questions(notebook)  # a cached function would hide its arguments from type checkers


@cache
def _read_questions(notebook: str) -> tuple[Question, ...]:
    folder = importlib.import_module("course.questions").__path__
    names = [module.name for module in pkgutil.iter_modules(folder) if module.name.startswith(f"nb{notebook}_")]
    return tuple(importlib.import_module(f"course.questions.{names[0]}").QUESTIONS) if names else ()


def find_prediction(id: str) -> Prediction:
    """The prediction with this id. Raises UnknownName, which offers the nearest ids."""
    found = _find(id, Prediction)
    assert isinstance(found, Prediction)
    return found


def find_quiz(id: str) -> Quiz:
    """The quiz with this id. Raises UnknownName, which offers the nearest ids."""
    found = _find(id, Quiz)
    assert isinstance(found, Quiz)
    return found


def _find(id: str, kind: type) -> Question:
    of_notebook = [question for question in questions_of(str(id)[:2]) if isinstance(question, kind)]
    for question in of_notebook:
        if question.id == id:
            return question
    raise UnknownName.of("prediction" if kind is Prediction else "quiz", id, [question.id for question in of_notebook])


def _holds(condition: Condition, measured: Any) -> bool:
    if isinstance(condition, Between):
        return condition.holds(measured)
    return bool(measured) == condition if isinstance(condition, bool) else measured == condition
