"""Chapter 09: models from several libraries, chosen, carried over and compared."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb09_visit_the_model_zoos.choose_weights import exercise as choose_weights_exercise
from course.exercises.nb09_visit_the_model_zoos.adapt_model import exercise as adapt_model_exercise
from course.exercises.nb09_visit_the_model_zoos.carry_weights import exercise as carry_weights_exercise
from course.exercises.nb09_visit_the_model_zoos.compare_outputs import exercise as compare_outputs_exercise
from course.exercises.nb09_visit_the_model_zoos.investigate_budget import exercise as investigate_budget_exercise

__all__ = [
    "choose_weights_exercise",
    "adapt_model_exercise",
    "carry_weights_exercise",
    "compare_outputs_exercise",
    "investigate_budget_exercise",
]
