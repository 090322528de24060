"""The answers that come with an exercise, tried on its judges: the right ones must pass, each wrong one must not."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from course.errors import AuthoringError
from course.judging.answers import find_answers, read_notebook
from course.judging.definitions import namespace_of
from course.judging.exercise import Exercise, Judge, hidden_judges
from course.judging.results import Result
from course.judging.runner import LocalRunner
from course.judging.verdict import OPEN_SECRET, judge_exercise

SECRETS = (OPEN_SECRET, "one", "two")  # a judge that is right for one draw only is found by the others


@dataclass(frozen=True)
class Tried:
    """What the judges, hidden ones too, said about an answer. `problem` says what is wrong with that; often nothing."""

    answer: str
    is_right: bool
    result: Result
    problem: str = ""


def try_exercise(exercise: Exercise, solutions: Path, wrong: Path) -> Iterator[Tried]:
    """Try the solution of an exercise, its second right answers, and its wrong ones, which must lose points.

    `solutions` holds the notebook with the solution, and hidden/; `wrong` files nbNN_NAME.py with WRONG and RIGHT.
    Raises AuthoringError where an exercise has no solution.
    """
    hidden = hidden_judges(solutions / "hidden", exercise.id[:2])
    judges = [*exercise.judges, *(judge for judge in hidden if judge.exercise_id == exercise.id)]
    yield _right("the solution", _solution(exercise, solutions), exercise, judges)
    modules = [_loaded(path) for path in sorted(wrong.glob(f"nb{exercise.id[:2]}_*.py"))]
    for answer in (answer for module in modules for answer in getattr(module, "RIGHT", {}).get(exercise.id, ())):
        yield _right(answer.__name__, answer, exercise, judges)
    for module in modules:
        for answer, words in getattr(module, "WRONG", {}).get(exercise.id, {}).items():
            yield _wrong(answer, words, exercise, judges)


def _right(name: str, answer: Callable, exercise: Exercise, judges: list[Judge]) -> Tried:
    runner = LocalRunner({exercise.answer: answer})
    results = [judge_exercise(exercise, runner, judges=judges, secret=secret) for secret in SECRETS]
    worst = min(results, key=lambda result: result.score)
    return Tried(name, True, worst, "" if worst.passed else f"a right answer must get full marks:\n{worst}")


def _wrong(answer: Callable, words: str, exercise: Exercise, judges: list[Judge]) -> Tried:
    result = judge_exercise(exercise, LocalRunner({exercise.answer: answer}), judges=judges)
    problem = ""
    if result.passed:
        problem = "no judge finds this mistake"
    elif words not in str(result):
        problem = f"the verdict does not say {words!r}:\n{result}"
    return Tried(answer.__name__, False, result, problem)


def _solution(exercise: Exercise, solutions: Path) -> Any:
    for path in sorted(solutions.glob(f"{exercise.id[:2]}_*.ipynb")):
        cells = read_notebook(path)
        if answers := [answer for answer in find_answers(cells) if answer.exercise.id == exercise.id]:
            return namespace_of(cells, answers[-1])[exercise.answer]
    raise AuthoringError(f"no notebook in {solutions} holds {exercise.id}; put its cells, with the answer, into one")


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"course_wrong_{path.stem}", path)
    assert spec is not None and spec.loader is not None  # a .py file always has both
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
