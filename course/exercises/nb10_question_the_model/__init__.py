"""Chapter 10: where a model looks, calibration, averaged weights, large batches in parts, 8 bits, an investigation."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb10_question_the_model.draw_grad_cam import exercise as draw_grad_cam_exercise
from course.exercises.nb10_question_the_model.investigate_the_stamp import exercise as investigate_the_stamp_exercise
from course.exercises.nb10_question_the_model.measure_calibration import exercise as measure_calibration_exercise
from course.exercises.nb10_question_the_model.interpolate_weights import exercise as interpolate_weights_exercise
from course.exercises.nb10_question_the_model.accumulate_gradients import exercise as accumulate_gradients_exercise
from course.exercises.nb10_question_the_model.quantize_a_layer import exercise as quantize_a_layer_exercise

__all__ = [
    "draw_grad_cam_exercise",
    "investigate_the_stamp_exercise",
    "measure_calibration_exercise",
    "interpolate_weights_exercise",
    "accumulate_gradients_exercise",
    "quantize_a_layer_exercise",
]
