"""`check`, which a learner calls in the notebook, and `check_notebook`, the same from a shell."""

from __future__ import annotations

import ast
import hashlib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from course.errors import CheckFailed, CourseError, ExerciseError
from course.judging.answers import (
    COMMENT,
    AnswerCell,
    find_answers,
    is_untouched,
    lost_cells,
    lost_message,
    parse,
    problem_of,
    source_of,
    syntax_error,
)
from course.judging.definitions import TOTAL_LIMIT_S, execute, moved_imports
from course.judging.dependencies import Plan, Statement, plan_of
from course.judging.exercise import Exercise, find_exercise
from course.judging.hints import show_result
from course.judging.isolation import captured
from course.judging.notebook_files import Notebook, open_notebook
from course.judging.results import Result
from course.judging.translation import old_imports
from course.judging.verdict import judge_exercise, unattempted, unreadable
from course.notebook import record


def check(exercise_id: str) -> float | None:
    """Judge the answer that this notebook defines and show the result; nothing is handed in anywhere.

    Never raises and writes nothing to stderr, but for COURSE_STRICT=1: then CheckFailed for less than full marks.
    nbgrader's autograde is strict unless COURSE_STRICT=0; partial marks are returned as the number that it reads.
    """
    namespace = sys._getframe(1).f_globals
    try:
        with captured() as screen:
            exercise = find_exercise(exercise_id)
            result = _judge_in(namespace, exercise)
        _remember(result, _latest_source(namespace, exercise) or source_of(namespace.get(exercise.answer)))
        show_result(result, exercise)
    except CourseError as error:
        _refuse(error, str(error))
        return None
    except Exception as error:
        where = traceback.format_exc(limit=-3) + screen.text()
        _refuse(error, f"this check broke, and that is the course's fault, not yours; please report it:\n{where}")
        return None
    return _strict(result)


def _judge_in(namespace: dict[str, Any], exercise: Exercise) -> Result:
    latest = _latest_source(namespace, exercise)
    if message := syntax_error(latest) or _failed_import(latest):
        return unreadable(
            exercise, f"the last version of this cell did not run: {message}; correct it and run it again"
        )
    answer = namespace.get(exercise.answer)
    if answer is None:
        missing = f"`{exercise.answer}` is not defined here; write it in its cell and run that cell first"
        return unattempted(exercise, missing, *_earlier(exercise), *_missing_imports(namespace))
    if is_untouched(source_of(answer), exercise.answer):
        return unattempted(exercise, *_earlier(exercise))
    result = _judge_beside(exercise, namespace)
    return result if result.passed else replace(result, notes=(*result.notes, *_missing_imports(namespace)))


def _judge_beside(exercise: Exercise, namespace: dict[str, Any]) -> Result:
    # They bring torch._dynamo: seconds that no setup cell should wait for.
    from course.judging.attempts import judge_twice_if_busy
    from course.judging.runner import LocalRunner

    return judge_twice_if_busy(lambda: judge_exercise(exercise, LocalRunner(namespace)))


def _failed_import(cell: str) -> str:
    """What to write for an import at the top of a cell that has moved, at which the cell stopped; empty for none."""
    return next((str(moved) for moved in old_imports(_imports_at_top(cell)) if moved.fails), "")


def _missing_imports(namespace: dict[str, Any]) -> list[str]:
    """A line for each import that failed in a cell of this kernel, as what it imports has moved."""
    found = [moved for cell in _cells_run(namespace) for moved in old_imports(_imports_at_top(cell))]
    return [str(moved) for moved in dict.fromkeys(found) if moved.fails and not moved.binds <= namespace.keys()]


def _imports_at_top(cell: str) -> list[ast.stmt]:
    return [node for node in parse(cell).body if isinstance(node, (ast.Import, ast.ImportFrom))]


def _earlier(exercise: Exercise) -> list[str]:
    """A line on the answer that was checked last, for when the kernel was restarted and has none."""
    tried = (event for event in reversed(record.read()) if event["kind"] == "check" and event.get("id") == exercise.id)
    last = next((event for event in tried if event.get("score")), None)
    return [f"your last answer had {last['score']:g} of {last.get('points', 0):g}: run its cell again"] if last else []


def _latest_source(namespace: dict[str, Any], exercise: Exercise) -> str:
    """The exercise's cell as it was last run in this kernel; empty outside one.

    A cell with a syntax error leaves the function of the run before it in place, which must not be judged instead.
    """
    claimed = ((source, COMMENT.search(source)) for source in reversed(_cells_run(namespace)))
    return next((source for source, claim in claimed if claim and claim[1] == exercise.id), "")


def _cells_run(namespace: dict[str, Any]) -> list[str]:
    """What was run in this kernel, in order; nothing outside one."""
    runs = namespace.get("In")
    return [source for source in runs if isinstance(source, str)] if isinstance(runs, list) else []


def _remember(result: Result, source: str) -> None:
    """Keep what came out, with a digest of the answer, by which the same answer is recognised; None where unknown."""
    source = source.strip()
    answer = hashlib.sha256(source.encode(errors="replace")).hexdigest()[:12] if source else None
    fields = {"status": result.status, "score": result.score, "points": result.points, "answer": answer}
    record.append("check", id=result.id, **fields)


def _refuse(error: Exception, message: str) -> None:
    if _is_strict():
        raise error
    print(message)


def _is_strict() -> bool:
    # Without an exception nbgrader would give full marks to everybody.
    default = "1" if _is_autograded() else "0"
    return os.environ.get("COURSE_STRICT", default) not in ("", "0")


def _is_autograded() -> bool:
    return os.environ.get("NBGRADER_EXECUTION") == "autograde"


def _strict(result: Result) -> float | None:
    if not _is_strict() or result.passed:
        return None
    if result.score and _is_autograded():
        return float(result.score)
    raise CheckFailed(str(result))


def check_notebook(path: str | Path) -> list[Result]:
    """The results of every exercise in a notebook file, as the grader would judge them.

    Only what an answer needs is executed, in this process: for your own notebooks. Raises ExerciseError when the file
    is not a notebook or holds no exercise, MachineBusy where this machine has no time.
    """
    notebook = open_notebook(Path(path))
    answers = find_answers(notebook.cells)
    if not answers:
        raise ExerciseError(
            f"{path} holds no exercise of the course; open one of notebooks/ and save your answers there"
        )
    results = []
    for answer in answers:
        plan = plan_of(notebook.cells, answer) if answer.attempted else Plan()
        old = moved_imports(answer, plan.needed) if answer.attempted else ()
        result = _judge_answer(answer, plan, notebook)
        results.append(replace(result, notes=(*result.notes, *answer.notes, *(moved.note for moved in old))))
        _remember(results[-1], answer.source)
    for name, kind in lost_cells(notebook, answers).items():
        results.append(unreadable(find_exercise(name), lost_message(kind)))
    return results


def _judge_answer(answer: AnswerCell, plan: Plan, notebook: Notebook) -> Result:
    from course.judging.attempts import judge_attempt, judge_twice_if_busy
    from course.judging.runner import LocalRunner

    if problem := problem_of(answer.source, notebook):
        return unreadable(answer.exercise, problem.message, lacks=problem.lacks)
    if not answer.attempted:
        return unattempted(answer.exercise)

    def runner_of(statements: Sequence[Statement], total_s: float) -> LocalRunner:
        made = execute(statements, limit_s=total_s, total_s=total_s)
        return LocalRunner(made.namespace, made.not_run)

    return judge_twice_if_busy(lambda: judge_attempt(answer.exercise, plan, runner_of, TOTAL_LIMIT_S))
