"""Chapter 06: overlap, duplicates, precision over recall, the predictor swap, and batches of unequal pictures."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb06_detect_objects.measure_overlap import exercise as measure_overlap_exercise
from course.exercises.nb06_detect_objects.collate_scenes import exercise as collate_scenes_exercise
from course.exercises.nb06_detect_objects.swap_predictor import exercise as swap_predictor_exercise
from course.exercises.nb06_detect_objects.suppress_duplicates import exercise as suppress_duplicates_exercise
from course.exercises.nb06_detect_objects.score_detections import exercise as score_detections_exercise

__all__ = [
    "measure_overlap_exercise",
    "collate_scenes_exercise",
    "swap_predictor_exercise",
    "suppress_duplicates_exercise",
    "score_detections_exercise",
]
