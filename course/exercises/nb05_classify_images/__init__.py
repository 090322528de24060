"""Chapter 05: from a folder of your own pictures to predictions, and what they are worth."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb05_classify_images.read_folder import exercise as read_folder_exercise
from course.exercises.nb05_classify_images.predict_pictures import exercise as predict_pictures_exercise
from course.exercises.nb05_classify_images.count_confusions import exercise as count_confusions_exercise
from course.exercises.nb05_classify_images.suspect_labels import exercise as suspect_labels_exercise
from course.exercises.nb05_classify_images.compare_models import exercise as compare_models_exercise
from course.exercises.nb05_classify_images.investigate_a_change import exercise as investigate_a_change_exercise

__all__ = [
    "read_folder_exercise",
    "predict_pictures_exercise",
    "count_confusions_exercise",
    "suspect_labels_exercise",
    "compare_models_exercise",
    "investigate_a_change_exercise",
]
