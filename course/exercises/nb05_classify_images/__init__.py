"""Chapter 05: from a folder of one's own pictures to predictions, and what they are worth."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb05_classify_images.read_folder import exercise as read_folder_exercise
from course.exercises.nb05_classify_images.predict_pictures import exercise as predict_pictures_exercise
from course.exercises.nb05_classify_images.count_confusions import exercise as count_confusions_exercise
from course.exercises.nb05_classify_images.bound_accuracy import exercise as bound_accuracy_exercise

__all__ = [
    "read_folder_exercise",
    "predict_pictures_exercise",
    "count_confusions_exercise",
    "bound_accuracy_exercise",
]
