"""Chapter 08: attention, one vector per text, a schedule, fine-tuning of upper layers, labels for tokens, entity F1."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb08_understand_text.attend_with_mask import exercise as attend_with_mask_exercise
from course.exercises.nb08_understand_text.pool_tokens import exercise as pool_tokens_exercise
from course.exercises.nb08_understand_text.schedule_rate import exercise as schedule_rate_exercise
from course.exercises.nb08_understand_text.tune_upper_layers import exercise as tune_upper_layers_exercise
from course.exercises.nb08_understand_text.investigate_a_change import exercise as investigate_a_change_exercise
from course.exercises.nb08_understand_text.align_labels import exercise as align_labels_exercise
from course.exercises.nb08_understand_text.score_entities import exercise as score_entities_exercise

__all__ = [
    "attend_with_mask_exercise",
    "pool_tokens_exercise",
    "schedule_rate_exercise",
    "tune_upper_layers_exercise",
    "investigate_a_change_exercise",
    "align_labels_exercise",
    "score_entities_exercise",
]
