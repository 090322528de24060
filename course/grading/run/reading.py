"""A notebook to its attempts, read as data: the answer to each exercise, and the statements that it needs."""

from __future__ import annotations

from dataclasses import replace

from course.authoring.setup_cell import PARAMETERS, setup_source
from course.errors import ExerciseError, MachineBusy, TimeLimitReached
from course.grading.work import Attempt, Reading
from course.judging.answers import AnswerCell, find_answers, lost_cells, lost_message, problem_of
from course.judging.definitions import moved_imports
from course.judging.dependencies import plan_of
from course.judging.exercise import Exercise, exercises_of
from course.judging.notebook_files import Notebook, notebook_of
from course.judging.timelimit import time_limit

READ_LIMIT_S = 30.0
_NO_CELL = "no cell holds this exercise"


def read_attempts(content: bytes, notebook: str = "") -> Reading:
    """The attempts in a notebook, every exercise of it once; `notebook` is its number where the cells don't say.

    The setup cell is the released one, which a learner may have lost; what follows it, the learner's own.
    """
    try:
        with time_limit(READ_LIMIT_S):
            notebook_read = notebook_of(content, "the notebook")
            found = find_answers(notebook_read.cells)
            answers = {answer.exercise.id: answer for answer in found}
            lost = lost_cells(notebook_read, found)
            above = [{"source": source} for source in (PARAMETERS, setup_source())]
            whole = replace(notebook_read, cells=above + notebook_read.cells)
            numbers = sorted({exercise_id[:2] for exercise_id in answers})
            if notebook in numbers or (notebook and not numbers):  # else it is another chapter's, whatever was expected
                numbers = [notebook]
            attempts = tuple(
                _attempt(exercise, answers.get(exercise.id), whole, lost.get(exercise.id, ""))
                for number in numbers
                for exercise in exercises_of(number)
            )
    except TimeLimitReached:
        problem = f"reading it takes over {READ_LIMIT_S:g} s; ask for a notebook without cells that are no answers"
        return Reading(notebook, problem=problem, lasting=True)
    except MachineBusy:
        raise
    except ExerciseError as error:
        return Reading(notebook, problem=str(error), lasting=True)
    except Exception as error:  # whatever a file made by hand brings about is the file's fault
        return Reading(notebook, problem=f"the notebook cannot be read ({type(error).__name__}); ask for it again")
    if not attempts:
        problem = "the notebook holds no exercise of the course; ask for the one that was handed out"
        return Reading(problem=problem, lasting=True)
    return Reading(numbers[0], attempts)


def _attempt(exercise: Exercise, answer: AnswerCell | None, notebook: Notebook, lost: str) -> Attempt:
    about = exercise.id, exercise.points
    if answer is None:
        return Attempt(*about, problem=lost_message(lost)) if lost else Attempt(*about, notes=(_NO_CELL,))
    if problem := problem_of(answer.source, notebook):
        return Attempt(*about, answer.source, problem=problem.message, lacks=problem.lacks, notes=answer.notes)
    if not answer.attempted:
        return Attempt(*about, answer.source, notes=answer.notes)
    plan = plan_of(notebook.cells, answer)
    notes = (*answer.notes, *(moved.note for moved in moved_imports(answer, plan.needed)))
    return Attempt(*about, answer.source, plan, notes=notes)
