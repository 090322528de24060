"""Chapter 01: a training step, the contrastive loss, collapse, BYOL, masked words, and an investigation."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb01_pretrain_a_backbone.train_step import exercise as train_step_exercise
from course.exercises.nb01_pretrain_a_backbone.write_nt_xent import exercise as write_nt_xent_exercise
from course.exercises.nb01_pretrain_a_backbone.score_collapse import exercise as score_collapse_exercise
from course.exercises.nb01_pretrain_a_backbone.write_byol_step import exercise as write_byol_step_exercise
from course.exercises.nb01_pretrain_a_backbone.mask_tokens import exercise as mask_tokens_exercise
from course.exercises.nb01_pretrain_a_backbone.investigate_contrast import exercise as investigate_contrast_exercise

__all__ = [
    "train_step_exercise",
    "write_nt_xent_exercise",
    "score_collapse_exercise",
    "write_byol_step_exercise",
    "mask_tokens_exercise",
    "investigate_contrast_exercise",
]
