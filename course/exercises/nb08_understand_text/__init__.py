"""Chapter 08: one vector per text, tags of words on tokens, F1 over whole entities, a rate that warms up and decays."""

# ruff: noqa: I001, RUF022 (the order is the notebook's, and `exercises_of` keeps it)

from course.exercises.nb08_understand_text.pool_tokens import exercise as pool_tokens_exercise
from course.exercises.nb08_understand_text.schedule_rate import exercise as schedule_rate_exercise
from course.exercises.nb08_understand_text.align_labels import exercise as align_labels_exercise
from course.exercises.nb08_understand_text.score_entities import exercise as score_entities_exercise

__all__ = [
    "pool_tokens_exercise",
    "schedule_rate_exercise",
    "align_labels_exercise",
    "score_entities_exercise",
]
