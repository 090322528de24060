"""Chapter 11: where the field goes. Sounds as pictures, pictures as sequences, slow teachers, soft answers."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb11_look_ahead.draw_sound import exercise as draw_sound_exercise
from course.exercises.nb11_look_ahead.cut_patches import exercise as cut_patches_exercise
from course.exercises.nb11_look_ahead.follow_student import exercise as follow_student_exercise
from course.exercises.nb11_look_ahead.soften_answers import exercise as soften_answers_exercise

__all__ = [
    "draw_sound_exercise",
    "cut_patches_exercise",
    "follow_student_exercise",
    "soften_answers_exercise",
]
