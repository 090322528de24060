"""The parameters of the exercises' tests, drawn from the chapters that were asked for."""

import pytest

from course.judging.exercise import exercises_of
from tests.conftest import named_exercise
from tests.exercises.samples import chapters, right_answers, wrong_answers


def pytest_generate_tests(metafunc):
    exercises = [exercise for number in chapters(metafunc.config) for exercise in exercises_of(number)]
    if "exercise" in metafunc.fixturenames:
        metafunc.parametrize("exercise", [_exercise(one, metafunc) for one in exercises])
    if "mistake" in metafunc.fixturenames:
        samples = [(one.id, *wrong) for one in exercises for wrong in wrong_answers(one.id)]
        metafunc.parametrize("mistake", samples, ids=[f"{id}-{answer.__name__}" for id, answer, _ in samples])
    if "right" in metafunc.fixturenames:
        samples = [(one.id, answer) for one in exercises for answer in right_answers(one.id)]
        metafunc.parametrize("right", samples, ids=[f"{id}-{answer.__name__}" for id, answer in samples])


def _exercise(exercise, metafunc):
    """The exercise as a parameter; slow where a test takes one per chapter and this is another one."""
    number = exercise.id[:2]
    is_sample = exercise == exercises_of(number)[0] or exercise.id == named_exercise(metafunc.config)
    one_per_chapter = metafunc.definition.get_closest_marker("one_per_chapter")
    marks = [pytest.mark.slow] if one_per_chapter and not is_sample else []
    return pytest.param(exercise, id=exercise.id, marks=marks)
