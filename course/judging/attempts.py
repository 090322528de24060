"""An answer of a notebook judged with what it needs; where that was not enough, with the whole notebook above it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from course.errors import MachineBusy
from course.judging.dependencies import Plan, Statement
from course.judging.exercise import Exercise
from course.judging.results import LACKING, Failure, Result
from course.judging.runner import Runner
from course.judging.verdict import judge_exercise

WHOLE_LIMIT_S = 60.0  # of computing, for a notebook that is run up to an answer

RunnerOf = Callable[[Sequence[Statement], float], Runner]  # statements, and how long they may compute together


def judge_attempt(exercise: Exercise, plan: Plan, runner_of: RunnerOf, total_s: float, **options: Any) -> Result:
    """The result of an answer; see `verdict.judge_exercise` for the options.

    If a name was missing that a statement left out may define, the notebook is run once up to the answer, and that is
    judged. What needs a library that is not installed here has no score.
    """
    result = judge_exercise(exercise, runner_of(plan.needed, total_s), **options)
    if not result.passed and plan.may_define(result.undefined):
        again = judge_exercise(exercise, runner_of(plan.whole, WHOLE_LIMIT_S), **options)
        if again.score >= result.score and again.status in ("graded", "error"):
            result = again
    return result if result.passed else _without_score(result)


def _without_score(result: Result) -> Result:
    """A result in which a library was missing says so, and has no score."""
    lacks = result.lacks
    if not lacks:
        return result
    message = (
        f"`{lacks}` is not installed where this was judged; install it there, or, if it is a file of yours, put what "
        "you need of it into the notebook"
    )
    return replace(result, status="error", failure=Failure(LACKING, message, lacks=lacks))


def judge_twice_if_busy(judge: Callable[[], Result]) -> Result:
    """What `judge` returns; once more where the machine was too busy. Raises MachineBusy if it still is."""
    try:
        return judge()
    except MachineBusy:
        return judge()
