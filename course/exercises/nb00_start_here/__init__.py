"""Chapter 00: what goes into a pretrained model, how accuracy is measured, fair draws and splits of the data."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb00_start_here.preprocess_image import exercise as preprocess_image_exercise
from course.exercises.nb00_start_here.measure_accuracy import exercise as measure_accuracy_exercise
from course.exercises.nb00_start_here.draw_labels import exercise as draw_labels_exercise
from course.exercises.nb00_start_here.investigate_input_size import exercise as investigate_input_size_exercise
from course.exercises.nb00_start_here.split_objects import exercise as split_objects_exercise

__all__ = [
    "preprocess_image_exercise",
    "measure_accuracy_exercise",
    "draw_labels_exercise",
    "investigate_input_size_exercise",
    "split_objects_exercise",
]
