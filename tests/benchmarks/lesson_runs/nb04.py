"""Chapter 04: what fine-tuning gains over a probe, what ruins it, and what its variants change."""

from __future__ import annotations

from collections.abc import Callable

from course.errors import UnknownName
from course.training.experiments import stored_table
from tests.benchmarks import fine_tuning
from tests.benchmarks.lesson_runs import Lesson


def _accuracy(setting: str, seed: int, metric: str) -> float:
    """From the stored table of `fine_tuning`, which has ten seeds; measured if it is not there."""
    try:
        rows = stored_table("fine_tuning").rows
    except UnknownName:
        rows = []
    for row in rows:
        if (row["setting"], row["seed"]) == (setting, seed) and metric in row:
            return float(row[metric])
    return float(fine_tuning.run(setting, seed)[metric])


def _difference(ahead: str, behind: str, metric: str) -> Callable[[int], float]:
    return lambda seed: _accuracy(ahead, seed, metric) - _accuracy(behind, seed, metric)


LESSONS = [
    Lesson(
        "04-fine-tuning-pays",
        "With its rate chosen on validation data, fine-tuning is ahead of a probe on unseen objects in the same style.",
        _difference("fine-tuning", "probe", "fluent"),
    ),
    Lesson(
        "04-fine-tuning-pays-under-a-shift",
        "Fine-tuning is ahead of a probe on unseen objects in styles that it was not trained on.",
        _difference("fine-tuning", "probe", "shifted"),
    ),
    Lesson(
        "04-too-high-a-rate-erases-pretraining",
        "At ten times its best rate or more, fine-tuning falls behind the probe.",
        _difference("probe", fine_tuning.TOO_HIGH, "fluent"),
    ),
    Lesson(
        "04-pretraining-beats-pixels",
        "A probe on pretrained features is ahead of logistic regression on the pixels.",
        _difference("probe", "pixels", "fluent"),
    ),
    Lesson(
        "04-but-not-under-a-shift",
        "On other styles, logistic regression on the pixels is ahead of the probe.",
        _difference("pixels", "probe", "shifted"),
    ),
    Lesson(
        "04-augmentation-helps-under-a-shift",
        "Augmentation raises the accuracy of fine-tuning on styles that it was not trained on.",
        _difference("augmented", "fine-tuning", "shifted"),
    ),
    Lesson("04-lora-pays", "LoRA is ahead of the probe in distribution.", _difference("LoRA", "probe", "fluent")),
    Lesson(
        "04-lora-pays-under-a-shift",
        "LoRA is ahead of the probe on styles that it was not trained on.",
        _difference("LoRA", "probe", "shifted"),
    ),
    Lesson(
        "04-bitfit-gains-less",
        "BitFit is behind fine-tuning in distribution.",
        _difference("fine-tuning", "BitFit", "fluent"),
    ),
]
