"""`check` and `hint`, what a learner calls in the notebook, and `check_notebook`, the same from a shell."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from course import record, runtime
from course.errors import CheckFailed, CourseError, ExerciseError
from course.judging.answers import find_answers, is_untouched, read_notebook, source_of
from course.judging.card import as_html, as_text
from course.judging.definitions import namespace_of
from course.judging.exercise import Exercise, find_exercise
from course.judging.student import LocalStudent
from course.judging.verdict import Result, judge, unattempted


def check(exercise_id: str) -> float | None:
    """Judge the answer that this notebook defines and show the result; nothing is handed in anywhere.

    Never raises and writes nothing to stderr, but for COURSE_STRICT=1: then CheckFailed for less than full marks.
    Inside nbgrader's autograde, partial marks are returned as the number that it reads.
    """
    try:
        exercise = find_exercise(exercise_id)
    except CourseError as error:
        return _refuse(error)
    namespace = sys._getframe(1).f_globals
    result = _judge_in(namespace, exercise)
    record.append("check", id=result.id, status=result.status, score=result.score, points=result.points)
    _show(result)
    return _strict(result)


def _judge_in(namespace: dict[str, Any], exercise: Exercise) -> Result:
    answer = namespace.get(exercise.answer)
    if answer is None or is_untouched(source_of(answer), exercise.answer):
        return unattempted(exercise)
    return judge(exercise, LocalStudent(namespace))


def _show(result: Result) -> None:
    if not runtime.is_live():
        print(as_text(result))
        return
    from IPython.display import display

    display({"text/html": as_html(result), "text/plain": as_text(result)}, raw=True)


def _refuse(error: CourseError) -> None:
    if _is_strict():
        raise error
    print(error)


def _is_strict() -> bool:
    return os.environ.get("COURSE_STRICT", "") not in ("", "0")


def _strict(result: Result) -> float | None:
    if not _is_strict() or result.passed:
        return None
    if result.score and os.environ.get("NBGRADER_EXECUTION") == "autograde":
        return float(result.score)
    raise CheckFailed(as_text(result))


def hint(exercise_id: str) -> None:
    """Print the next hint, up to three and then the worked idea. Asking costs nothing; it is remembered for you alone."""
    try:
        exercise = find_exercise(exercise_id)
    except CourseError as error:
        print(error)
        return
    steps = [*exercise.hints, f"the idea: {exercise.idea}"] if exercise.idea else list(exercise.hints)
    asked = sum(event.get("kind") == "hint" and event.get("id") == exercise.id for event in record.read())
    step = min(asked, len(steps) - 1)
    if asked < len(steps):
        record.append("hint", id=exercise.id, step=step + 1)
    for number, text in enumerate(steps[: step + 1], 1):
        print(f"hint {number} of {len(steps)}: {text}")


def check_notebook(path: str | Path) -> list[Result]:
    """The results of every exercise in a notebook file, without running the rest of it.

    Only its imports, functions, classes, constants and the assignments that an answer needs are executed, in this
    process: for your own notebooks. Raises ExerciseError when the file is no notebook or holds no exercise.
    """
    cells = read_notebook(Path(path))
    answers = find_answers(cells)
    if not answers:
        raise ExerciseError(f"{path} holds no exercise of the course; open one of notebooks/ and save your answers there")
    results = []
    namespace = namespace_of(cells, answers)
    for answer in answers:
        attempted = answer.attempted
        result = judge(answer.exercise, LocalStudent(namespace)) if attempted else unattempted(answer.exercise)
        record.append("check", id=result.id, status=result.status, score=result.score, points=result.points)
        results.append(result)
    return results
