"""Chapter 07: picture and mask moved together, overlap over a data set, every classifier swapped, void left out."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb07_segment_scenes.measure_overlap import exercise as measure_overlap_exercise
from course.exercises.nb07_segment_scenes.write_loss import exercise as write_loss_exercise
from course.exercises.nb07_segment_scenes.transform_jointly import exercise as transform_jointly_exercise
from course.exercises.nb07_segment_scenes.swap_classifiers import exercise as swap_classifiers_exercise

__all__ = [
    "measure_overlap_exercise",
    "write_loss_exercise",
    "transform_jointly_exercise",
    "swap_classifiers_exercise",
]
