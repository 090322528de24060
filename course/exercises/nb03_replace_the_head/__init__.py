"""Chapter 03: the head of any architecture, its optimiser, its loss, its rows, its size, and several heads at once."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb03_replace_the_head.replace_head import exercise as replace_head_exercise
from course.exercises.nb03_replace_the_head.build_optimizer import exercise as build_optimizer_exercise
from course.exercises.nb03_replace_the_head.write_loss import exercise as write_loss_exercise
from course.exercises.nb03_replace_the_head.share_backbone import exercise as share_backbone_exercise
from course.exercises.nb03_replace_the_head.transfer_rows import exercise as transfer_rows_exercise
from course.exercises.nb03_replace_the_head.investigate_head import exercise as investigate_head_exercise

__all__ = [
    "replace_head_exercise",
    "build_optimizer_exercise",
    "write_loss_exercise",
    "share_backbone_exercise",
    "transfer_rows_exercise",
    "investigate_head_exercise",
]
