"""Every exercise against its wrong answers, its second right answers and the solution in the notebook."""

import importlib
import pkgutil

import pytest

import tests.wrong
from course.judging.answers import find_answers, read_notebook
from course.judging.definitions import namespace_of
from course.judging.exercise import exercises_of, find_exercise, hidden_judges, notebook_numbers
from course.judging.student import LocalStudent
from course.judging.verdict import judge
from tests.conftest import ROOT

SAMPLES = [
    importlib.import_module(f"tests.wrong.{module.name}") for module in pkgutil.iter_modules(tests.wrong.__path__)
]
WRONG = [
    pytest.param(exercise_id, answer, words, id=f"{exercise_id}-{answer.__name__}")
    for sample in SAMPLES
    for exercise_id, answers in sample.WRONG.items()
    for answer, words in answers.items()
]
RIGHT = [
    pytest.param(exercise_id, answer, id=f"{exercise_id}-{answer.__name__}")
    for sample in SAMPLES
    for exercise_id, answers in sample.RIGHT.items()
    for answer in answers
]
EXERCISES = [exercise for number in notebook_numbers() for exercise in exercises_of(number)]
HIDDEN = hidden_judges(ROOT / "solutions" / "hidden")


def all_judges(exercise):
    return [*exercise.judges, *(hidden for hidden in HIDDEN if hidden.exercise_id == exercise.id)]


def judged(exercise_id, answer, **options):
    exercise = find_exercise(exercise_id)
    return judge(exercise, LocalStudent({exercise.answer: answer}), **options)


@pytest.mark.parametrize(("exercise_id", "answer", "words"), WRONG)
def test_a_wrong_answer_is_rejected_with_its_misconception_named(exercise_id, answer, words):
    result = judged(exercise_id, answer)
    assert result.score < result.points
    told = " ".join(f"{o.tried} {o.got} {o.expected} {o.because}" for o in result.outcomes if not o.passed)
    assert words in told, told


@pytest.mark.parametrize(("exercise_id", "answer"), RIGHT)
@pytest.mark.parametrize("secret", ["open", "one", "two"])
def test_a_right_answer_by_another_approach_gets_full_marks(exercise_id, answer, secret):
    exercise = find_exercise(exercise_id)
    result = judged(exercise_id, answer, judges=all_judges(exercise), secret=secret)
    assert result.passed, str(result)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_the_solution_in_the_notebook_gets_full_marks_from_visible_and_hidden_judges(exercise):
    (path,) = (ROOT / "solutions").glob(f"{exercise.id[:2]}_*.ipynb")
    cells = read_notebook(path)
    answers = find_answers(cells)
    assert exercise.id in {answer.exercise.id for answer in answers}
    student = LocalStudent(namespace_of(cells, answers))
    for secret in ("open", "one", "two"):
        result = judge(exercise, student, judges=all_judges(exercise), secret=secret)
        assert result.passed, str(result)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_every_exercise_has_hints_wrong_and_right_answers_and_a_hidden_judge(exercise):
    assert 1 <= len(exercise.hints) <= 3
    assert exercise.idea
    assert exercise.points > 0
    assert exercise.id in {param.values[0] for param in WRONG}
    assert exercise.id in {param.values[0] for param in RIGHT}
    assert exercise.id in {hidden.exercise_id for hidden in HIDDEN}


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_what_an_exercise_withholds_exists(exercise):
    for name in exercise.withholds:
        module, _, attribute = name.rpartition(".")
        assert callable(getattr(importlib.import_module(module), attribute))
