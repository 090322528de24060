"""Chapter 04: fine-tuning: rates by depth, unfreezing and freezing again, head first and then everything, LoRA."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb04_fine_tune.group_by_depth import exercise as group_by_depth_exercise
from course.exercises.nb04_fine_tune.unfreeze_a_stage import exercise as unfreeze_a_stage_exercise
from course.exercises.nb04_fine_tune.freeze_again import exercise as freeze_again_exercise
from course.exercises.nb04_fine_tune.head_then_everything import exercise as head_then_everything_exercise
from course.exercises.nb04_fine_tune.adapt_low_rank import exercise as adapt_low_rank_exercise

__all__ = [
    "group_by_depth_exercise",
    "unfreeze_a_stage_exercise",
    "freeze_again_exercise",
    "head_then_everything_exercise",
    "adapt_low_rank_exercise",
]
