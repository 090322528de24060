"""A notebook to its attempts, read as data: the answer to each exercise, and the statements that it needs."""

from __future__ import annotations

from typing import Any

from course.authoring.setup_cell import PARAMETERS, setup_source
from course.errors import ExerciseError, TimeLimitReached
from course.grading.work import Attempt, Reading
from course.judging.answers import AnswerCell, cells_of, find_answers, syntax_error
from course.judging.definitions import moved_imports, needed_statements
from course.judging.exercise import Exercise, exercises_of
from course.judging.timelimit import time_limit

READ_LIMIT_S = 30.0


def read_attempts(content: bytes, notebook: str = "") -> Reading:
    """The attempts in a notebook, every exercise of it once; `notebook` is its number where the cells don't say.

    The setup cell is the released one, which a learner may have lost; what follows it, the learner's own.
    """
    try:
        with time_limit(READ_LIMIT_S):
            cells = cells_of(content, "the notebook")
            answers = {answer.exercise.id: answer for answer in find_answers(cells)}
            cells = [{"source": source} for source in (PARAMETERS, setup_source())] + cells
            numbers = sorted({exercise_id[:2] for exercise_id in answers})
            if notebook in numbers or (notebook and not numbers):  # else it is another chapter's, whatever was expected
                numbers = [notebook]
            attempts = tuple(
                _attempt(exercise, answers.get(exercise.id), cells)
                for number in numbers
                for exercise in exercises_of(number)
            )
    except TimeLimitReached as error:
        return Reading(notebook, problem=str(error))
    except ExerciseError as error:
        return Reading(notebook, problem=str(error), lasting=True)
    except Exception as error:  # whatever a file made by hand brings about is the file's fault
        return Reading(notebook, problem=f"the notebook cannot be read ({type(error).__name__}); ask for it again")
    if not attempts:
        problem = "the notebook holds no exercise of the course; ask for the one that was handed out"
        return Reading(problem=problem, lasting=True)
    return Reading(numbers[0], attempts)


def _attempt(exercise: Exercise, answer: AnswerCell | None, cells: list[dict[str, Any]]) -> Attempt:
    about = exercise.id, exercise.points
    if answer is None:
        return Attempt(*about, notes=("no cell holds this exercise",))
    if message := syntax_error(answer.source):
        return Attempt(*about, answer.source, problem=message, notes=answer.notes)
    if not answer.attempted:
        return Attempt(*about, answer.source, notes=answer.notes)
    needed = needed_statements(cells, [answer])
    notes = (*answer.notes, *(moved.note for moved in moved_imports(answer, needed)))
    statements = tuple((statement.cell, statement.index) for statement in needed)
    return Attempt(*about, answer.source, statements, notes=notes)
