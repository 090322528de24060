"""The exercises, their hidden judges, and wrong and right answers to them: one chapter at a time.

A chapter is imported when it is first asked for, so that the tests of one exercise cost its own chapter alone.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import SimpleNamespace

import tests.wrong
from course.judging.answers import find_answers, read_notebook
from course.judging.definitions import namespace_of
from course.judging.exercise import Exercise, exercises_of, find_exercise, hidden_judges, notebook_numbers
from course.judging.runner import LocalRunner
from course.judging.verdict import judge_exercise
from tests.conftest import ROOT, named_exercise


def chapters(config):
    """The numbers of the chapters to look at: all of them, or the one whose exercise `-k` names."""
    named = named_exercise(config)
    return [named[:2]] if named else notebook_numbers()


@cache
def answers_to(number):
    """The wrong and right answers to a chapter's exercises: what its modules in tests/wrong/ hold, as one of them."""
    names = [found.name for found in pkgutil.iter_modules(tests.wrong.__path__)]
    names = [name for name in names if name.startswith(f"nb{number}_")]
    modules = [vars(importlib.import_module(f"tests.wrong.{name}")) for name in names]
    content = {name: value for module in modules for name, value in module.items()}
    for table in ("WRONG", "RIGHT"):
        content[table] = {id: answers for module in modules for id, answers in module[table].items()}
    return SimpleNamespace(**content)


def wrong_answers(exercise_id):
    """(answer, words that the verdict must contain) for each mistake."""
    return list(answers_to(exercise_id[:2]).WRONG.get(exercise_id, {}).items())


def right_answers(exercise_id):
    """Right answers by another approach than the notebook's solution."""
    return list(answers_to(exercise_id[:2]).RIGHT.get(exercise_id, ()))


@cache
def hidden(number):
    return hidden_judges(ROOT / "solutions" / "hidden", number)


def all_judges(exercise: Exercise):
    """An exercise's judges, the hidden ones too."""
    return [*exercise.judges, *(judge for judge in hidden(exercise.id[:2]) if judge.exercise_id == exercise.id)]


@cache
def solution(exercise_id):
    """The answer in the notebook of solutions/."""
    (path,) = (ROOT / "solutions").glob(f"{exercise_id[:2]}_*.ipynb")
    cells = read_notebook(path)
    (answer,) = (found for found in find_answers(cells) if found.exercise.id == exercise_id)
    return namespace_of(cells, answer)[answer.exercise.answer]


def judged(exercise_id, answer, **options):
    exercise = find_exercise(exercise_id)
    return judge_exercise(exercise, LocalRunner({exercise.answer: answer}), **options)


def all_exercises():
    return [exercise for number in notebook_numbers() for exercise in exercises_of(number)]
