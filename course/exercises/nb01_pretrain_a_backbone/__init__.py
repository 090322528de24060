"""Chapter 01: one training step, the contrastive loss, masked words, and how to see that embeddings collapsed."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb01_pretrain_a_backbone.train_step import exercise as train_step_exercise
from course.exercises.nb01_pretrain_a_backbone.write_nt_xent import exercise as write_nt_xent_exercise
from course.exercises.nb01_pretrain_a_backbone.mask_tokens import exercise as mask_tokens_exercise
from course.exercises.nb01_pretrain_a_backbone.score_collapse import exercise as score_collapse_exercise

__all__ = [
    "train_step_exercise",
    "write_nt_xent_exercise",
    "mask_tokens_exercise",
    "score_collapse_exercise",
]
