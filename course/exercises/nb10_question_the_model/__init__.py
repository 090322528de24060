"""Chapter 10: where a model looks, what its confidence is worth, models between models, large batches in parts."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb10_question_the_model.draw_grad_cam import exercise as draw_grad_cam_exercise
from course.exercises.nb10_question_the_model.measure_calibration import exercise as measure_calibration_exercise
from course.exercises.nb10_question_the_model.interpolate_weights import exercise as interpolate_weights_exercise
from course.exercises.nb10_question_the_model.accumulate_gradients import exercise as accumulate_gradients_exercise

__all__ = [
    "draw_grad_cam_exercise",
    "measure_calibration_exercise",
    "interpolate_weights_exercise",
    "accumulate_gradients_exercise",
]
