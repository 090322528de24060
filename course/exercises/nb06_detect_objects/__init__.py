"""Chapter 06: overlap, box offsets, anchors, the predictor swap, duplicates, precision, an investigation."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb06_detect_objects.measure_overlap import exercise as measure_overlap_exercise
from course.exercises.nb06_detect_objects.encode_boxes import exercise as encode_boxes_exercise
from course.exercises.nb06_detect_objects.match_anchors import exercise as match_anchors_exercise
from course.exercises.nb06_detect_objects.swap_predictor import exercise as swap_predictor_exercise
from course.exercises.nb06_detect_objects.suppress_duplicates import exercise as suppress_duplicates_exercise
from course.exercises.nb06_detect_objects.score_detections import exercise as score_detections_exercise
from course.exercises.nb06_detect_objects.investigate_a_setting import exercise as investigate_a_setting_exercise

__all__ = [
    "measure_overlap_exercise",
    "encode_boxes_exercise",
    "match_anchors_exercise",
    "swap_predictor_exercise",
    "suppress_duplicates_exercise",
    "score_detections_exercise",
    "investigate_a_setting_exercise",
]
