"""The mutants of an exercise's reference solution, judged: which keep full marks, and which of those may."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from course.judging.answers import find_answers, read_notebook
from course.judging.definitions import namespace_of
from course.judging.exercise import Case, Exercise, Judge
from course.judging.runner import LocalRunner
from course.judging.verdict import judge_exercise
from tests.conftest import ROOT
from tests.exercises.samples import all_exercises, all_judges
from tests.mutants_of_answers.mutations import mutants

EQUIVALENTS = Path(__file__).with_name("equivalents.toml")
SECRETS = ("one", "two")  # a mutant that one draw lets through by chance is found by the other
LIMIT_S = 3.0  # of a probe: a mutant may loop for ever


@dataclass(frozen=True)
class Outcome:
    """What became of an exercise's mutants. `stale` are listed as equivalent and are not, or not there any more."""

    exercise: str
    tried: int
    survivors: tuple[str, ...]
    equivalent: tuple[str, ...]
    stale: tuple[str, ...]


def with_code() -> list[Exercise]:
    """The exercises whose answer is code: an investigation is a record of measurements."""
    return [exercise for exercise in all_exercises() if "-investigate-" not in exercise.id]


def try_mutants(exercise: Exercise, tell: Callable[[str], Any] = lambda line: None) -> Outcome:
    """Judge every mutant of the reference solution of an exercise; `tell` gets a line for each that survives."""
    source, namespace = _reference(exercise.id)
    draws: dict[Case, Case] = {}
    judges = [
        replace(judge, case=draws.setdefault(judge.case, _drawn_once(judge.case))) for judge in all_judges(exercise)
    ]
    excused = equivalents().get(exercise.id, {})
    tried, kept = 0, []
    limit_s, exercise.time_limit_s = exercise.time_limit_s, min(LIMIT_S, exercise.time_limit_s)
    try:
        for mutant in mutants(source):
            tried += 1
            if _keeps_full_marks(exercise, judges, mutant.source, namespace):
                kept.append(mutant.change)
                if mutant.change not in excused:
                    tell(f"{exercise.id}: {mutant.change}")
    finally:
        exercise.time_limit_s = limit_s
    survivors = tuple(change for change in kept if change not in excused)
    equivalent = tuple(change for change in kept if change in excused)
    return Outcome(exercise.id, tried, survivors, equivalent, tuple(sorted(set(excused) - set(kept))))


def _reference(exercise_id: str) -> tuple[str, dict[str, Any]]:
    """The source of the cell with the solution, and the namespace that it runs in."""
    (path,) = (ROOT / "solutions").glob(f"{exercise_id[:2]}_*.ipynb")
    cells = read_notebook(path)
    (answer,) = (answer for answer in find_answers(cells) if answer.exercise.id == exercise_id)
    return answer.source, namespace_of(cells, answer)


def _drawn_once(case: Case) -> Case:
    """The case, which draws what it drew before for the same secret."""
    drawn: dict[int, dict[str, Any]] = {}

    def draw(rng: Any) -> dict[str, Any]:
        seed = rng.initial_seed()
        if seed not in drawn:
            drawn[seed] = case.draw(rng)
        return drawn[seed]

    return Case(case.name, draw)


def _keeps_full_marks(exercise: Exercise, judges: list[Judge], source: str, namespace: dict[str, Any]) -> bool:
    changed = dict(namespace)
    try:
        exec(compile(source, "<mutant>", "exec"), changed)
    except Exception:  # it can't even be defined
        return False
    runner = LocalRunner(changed)
    visible = [judge for judge in judges if not judge.hidden]
    return all(
        judge_exercise(exercise, runner, judges=some, secret=secret).passed
        for secret in SECRETS
        for some in (visible, judges)  # most fall at a visible one, which is half of the work
    )


@cache
def equivalents() -> dict[str, dict[str, str]]:
    """Exercise id -> {change: why it makes no wrong answer}."""
    return tomllib.loads(EQUIVALENTS.read_text(encoding="utf-8"))
