"""Every exercise against its wrong answers, its second right answers and the solution in the notebook."""

import importlib

import pytest

from course.judging.exercise import find_exercise
from tests.exercises.samples import all_judges, answers_to, hidden, judged, right_answers, solution, wrong_answers


def test_a_wrong_answer_is_rejected_with_its_misconception_named(mistake):
    exercise_id, answer, words = mistake
    result = judged(exercise_id, answer)
    assert result.score < result.points
    failed = [outcome for outcome in result.outcomes if not outcome.passed]
    told = " ".join(f"{o.tried} {o.got} {o.expected} {o.because}" for o in failed)
    assert words in told, told
    assert all(outcome.because for outcome in failed), str(result)


NOT_TO_BLAME = [
    (
        "00-preprocess-image",
        "not_normalised",
        "a_float_tensor_of_the_right_shape, the_middle_of_the_picture, greyscale_gets_three_channels",
    ),
    (
        "00-preprocess-image",
        "blue_first",
        "a_float_tensor_of_the_right_shape, the_middle_of_the_picture, greyscale_gets_three_channels",
    ),
    (
        "00-preprocess-image",
        "the_numbers_of_resnet",
        "a_float_tensor_of_the_right_shape, the_middle_of_the_picture, greyscale_gets_three_channels",
    ),
    ("00-preprocess-image", "bilinear", "a_float_tensor_of_the_right_shape, numbers_as_in_pretraining"),
    ("00-preprocess-image", "bilinear_and_not_normalised", "a_float_tensor_of_the_right_shape"),
    ("00-draw-labels", "first_k", "exactly_k_of_each_class, a_short_class_is_drawn_whole"),
    (
        "00-draw-labels",
        "seed_forgotten",
        "exactly_k_of_each_class, every_label_has_its_chance, a_short_class_is_drawn_whole",
    ),
    ("05-predict-pictures", "left_in_train_mode", "a_batch_at_a_time, no_graph_is_kept"),
    ("05-predict-pictures", "along_the_batch", "a_batch_at_a_time, no_graph_is_kept"),
    ("05-read-folder", "classes_backwards", "every_whole_picture_is_a_sample, what_is_no_picture_is_named"),
]


@pytest.mark.parametrize(("exercise_id", "answer", "passed"), NOT_TO_BLAME)
def test_a_mistake_costs_the_points_of_the_step_it_is_in_and_no_others(exercise_id, answer, passed):
    result = judged(exercise_id, getattr(answers_to(exercise_id[:2]), answer))
    assert ", ".join(outcome.name for outcome in result.outcomes if outcome.passed) == passed


MISLEADING = [
    ("02-cache-features", "one_pass_in_train_mode", "same pass"),
    ("02-set-train-mode", "every_batchnorm_asleep", "the whole backbone"),
    ("02-set-train-mode", "just_eval", "the whole backbone"),
    ("02-freeze-backbone", "only_eval_mode", "clearing"),
    ("02-freeze-backbone", "gradients_cleared", "no_grad"),
    ("01-write-nt-xent", "not_normalised", "expected: a tensor"),
    ("10-draw-grad-cam", "of_a_saturated_probability", "kept from one call to the next"),
]


@pytest.mark.parametrize(("exercise_id", "answer", "words"), MISLEADING)
def test_no_other_mistake_is_blamed(exercise_id, answer, words):
    assert words not in str(judged(exercise_id, getattr(answers_to(exercise_id[:2]), answer)))


def test_what_two_judges_find_is_said_in_full_once():
    said = str(judged("00-draw-labels", answers_to("00").k_in_all))
    assert said.count("k samples were drawn in total") == said.count("fix that first") == 1
    assert said.count("why: as above") == 2


@pytest.mark.parametrize("secret", ["open", "one", "two"])
def test_a_right_answer_by_another_approach_gets_full_marks(right, secret):
    exercise_id, answer = right
    result = judged(exercise_id, answer, judges=all_judges(find_exercise(exercise_id)), secret=secret)
    assert result.passed, str(result)


@pytest.mark.parametrize("secret", ["open", "one", "two"])
def test_the_solution_in_the_notebook_gets_full_marks_from_visible_and_hidden_judges(exercise, secret):
    result = judged(exercise.id, solution(exercise.id), judges=all_judges(exercise), secret=secret)
    assert result.passed, str(result)


def test_every_exercise_has_hints_wrong_and_right_answers_and_a_hidden_judge(exercise):
    assert 1 <= len(exercise.hints) <= 3
    assert exercise.idea
    assert exercise.points > 0
    assert wrong_answers(exercise.id)
    assert right_answers(exercise.id)
    assert exercise.id in {judge.exercise_id for judge in hidden(exercise.id[:2])}


def test_what_an_exercise_withholds_exists(exercise):
    for name in exercise.withholds:
        module, _, attribute = name.rpartition(".")
        assert callable(getattr(importlib.import_module(module), attribute))
