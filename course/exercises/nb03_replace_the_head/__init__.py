"""Chapter 03: the head of any architecture, its optimiser, its rows and its contract (logits, not probabilities)."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb03_replace_the_head.replace_head import exercise as replace_head_exercise
from course.exercises.nb03_replace_the_head.build_optimizer import exercise as build_optimizer_exercise
from course.exercises.nb03_replace_the_head.transfer_rows import exercise as transfer_rows_exercise
from course.exercises.nb03_replace_the_head.write_loss import exercise as write_loss_exercise

__all__ = [
    "replace_head_exercise",
    "build_optimizer_exercise",
    "transfer_rows_exercise",
    "write_loss_exercise",
]
