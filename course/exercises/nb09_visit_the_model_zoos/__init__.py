"""Chapter 09: models from several libraries, chosen, carried over and compared."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb09_visit_the_model_zoos.choose_weights import exercise as choose_weights_exercise
from course.exercises.nb09_visit_the_model_zoos.carry_weights import exercise as carry_weights_exercise
from course.exercises.nb09_visit_the_model_zoos.compare_outputs import exercise as compare_outputs_exercise

__all__ = [
    "choose_weights_exercise",
    "carry_weights_exercise",
    "compare_outputs_exercise",
]
