"""Chapter 04, fine-tuning: rate and depth, unfreezing and freezing again, head first, LoRA, an investigation."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb04_fine_tune.find_a_rate import exercise as find_a_rate_exercise
from course.exercises.nb04_fine_tune.group_by_depth import exercise as group_by_depth_exercise
from course.exercises.nb04_fine_tune.unfreeze_a_stage import exercise as unfreeze_a_stage_exercise
from course.exercises.nb04_fine_tune.freeze_again import exercise as freeze_again_exercise
from course.exercises.nb04_fine_tune.head_then_everything import exercise as head_then_everything_exercise
from course.exercises.nb04_fine_tune.adapt_low_rank import exercise as adapt_low_rank_exercise
from course.exercises.nb04_fine_tune.investigate_a_change import exercise as investigate_a_change_exercise

__all__ = [
    "find_a_rate_exercise",
    "group_by_depth_exercise",
    "unfreeze_a_stage_exercise",
    "freeze_again_exercise",
    "head_then_everything_exercise",
    "adapt_low_rank_exercise",
    "investigate_a_change_exercise",
]
