"""Chapter 07: overlap, borders, void, picture and mask moved together, every classifier replaced, an investigation."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb07_segment_scenes.measure_overlap import exercise as measure_overlap_exercise
from course.exercises.nb07_segment_scenes.compare_borders import exercise as compare_borders_exercise
from course.exercises.nb07_segment_scenes.write_loss import exercise as write_loss_exercise
from course.exercises.nb07_segment_scenes.transform_jointly import exercise as transform_jointly_exercise
from course.exercises.nb07_segment_scenes.swap_classifiers import exercise as swap_classifiers_exercise
from course.exercises.nb07_segment_scenes.investigate_a_change import exercise as investigate_a_change_exercise

__all__ = [
    "measure_overlap_exercise",
    "compare_borders_exercise",
    "write_loss_exercise",
    "transform_jointly_exercise",
    "swap_classifiers_exercise",
    "investigate_a_change_exercise",
]
