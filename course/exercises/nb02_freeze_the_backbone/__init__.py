"""Chapter 02: the three meanings of frozen (no gradient, fixed buffers, not in the optimiser), and cached features."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb02_freeze_the_backbone.freeze_backbone import exercise as freeze_backbone_exercise
from course.exercises.nb02_freeze_the_backbone.set_train_mode import exercise as set_train_mode_exercise
from course.exercises.nb02_freeze_the_backbone.list_trainable import exercise as list_trainable_exercise
from course.exercises.nb02_freeze_the_backbone.audit_freeze import exercise as audit_freeze_exercise
from course.exercises.nb02_freeze_the_backbone.cache_features import exercise as cache_features_exercise
from course.exercises.nb02_freeze_the_backbone.investigate_batchnorm import exercise as investigate_batchnorm_exercise

__all__ = [
    "freeze_backbone_exercise",
    "set_train_mode_exercise",
    "list_trainable_exercise",
    "audit_freeze_exercise",
    "cache_features_exercise",
    "investigate_batchnorm_exercise",
]
