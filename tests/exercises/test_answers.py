"""Every exercise against its wrong answers, its second right answers and the solution in the notebook."""

import importlib
import pkgutil

import pytest

import tests.wrong
from course.judging.answers import find_answers, read_notebook
from course.judging.definitions import namespace_of
from course.judging.exercise import exercises_of, find_exercise, hidden_judges, notebook_numbers
from course.judging.runner import LocalRunner
from course.judging.verdict import judge
from tests.conftest import ROOT
from tests.wrong import nb00_start_here as nb00
from tests.wrong import nb01_pretrain_a_backbone as nb01
from tests.wrong import nb02_freeze_the_backbone as nb02
from tests.wrong import nb05_classify_images as nb05

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
    return judge(exercise, LocalRunner({exercise.answer: answer}), **options)


@pytest.mark.parametrize(("exercise_id", "answer", "words"), WRONG)
def test_a_wrong_answer_is_rejected_with_its_misconception_named(exercise_id, answer, words):
    result = judged(exercise_id, answer)
    assert result.score < result.points
    failed = [outcome for outcome in result.outcomes if not outcome.passed]
    told = " ".join(f"{o.tried} {o.got} {o.expected} {o.because}" for o in failed)
    assert words in told, told
    assert all(outcome.because for outcome in failed), str(result)


NOT_TO_BLAME = [
    ("00-preprocess-image", nb00.not_normalised, "a_float_tensor_of_the_right_shape, the_middle_of_the_picture"),
    ("00-preprocess-image", nb00.blue_first, "a_float_tensor_of_the_right_shape, the_middle_of_the_picture"),
    ("00-preprocess-image", nb00.the_numbers_of_resnet, "a_float_tensor_of_the_right_shape, the_middle_of_the_picture"),
    ("00-preprocess-image", nb00.bilinear, "a_float_tensor_of_the_right_shape, numbers_as_in_pretraining"),
    ("00-preprocess-image", nb00.bilinear_and_not_normalised, "a_float_tensor_of_the_right_shape"),
    ("00-draw-labels", nb00.first_k, "exactly_k_of_each_class"),
    ("00-draw-labels", nb00.seed_forgotten, "exactly_k_of_each_class, every_label_has_its_chance"),
    ("05-predict-pictures", nb05.left_in_train_mode, "a_batch_at_a_time, no_graph_is_kept"),
    ("05-predict-pictures", nb05.along_the_batch, "a_batch_at_a_time, no_graph_is_kept"),
    ("05-read-folder", nb05.classes_backwards, "every_whole_picture_is_a_sample, what_is_no_picture_is_named"),
]


@pytest.mark.parametrize(("exercise_id", "answer", "passed"), NOT_TO_BLAME)
def test_a_mistake_costs_the_points_of_the_step_it_is_in_and_no_others(exercise_id, answer, passed):
    result = judged(exercise_id, answer)
    assert ", ".join(outcome.name for outcome in result.outcomes if outcome.passed) == passed


MISLEADING = [
    ("02-cache-features", nb02.one_pass_in_train_mode, "same pass"),
    ("02-set-train-mode", nb02.every_batchnorm_asleep, "the whole backbone"),
    ("02-set-train-mode", nb02.just_eval, "the whole backbone"),
    ("02-freeze-backbone", nb02.only_eval_mode, "clearing"),
    ("02-freeze-backbone", nb02.gradients_cleared, "no_grad"),
    ("01-write-nt-xent", nb01.not_normalised, "expected: a tensor"),
]


@pytest.mark.parametrize(("exercise_id", "answer", "words"), MISLEADING)
def test_no_other_mistake_is_blamed(exercise_id, answer, words):
    assert words not in str(judged(exercise_id, answer))


def test_what_two_judges_find_is_said_in_full_once():
    said = str(judged("00-draw-labels", nb00.k_in_all))
    assert said.count("how many labels of each class") == 1
    assert said.count("mend that first") == said.count("why: as above") == 1


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
    student = LocalRunner(namespace_of(cells, answers))
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
