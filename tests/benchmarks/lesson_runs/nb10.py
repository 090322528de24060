"""Chapter 10: a shortcut and its repair, noise in training, temperatures, averaged weights, pruning."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from course.errors import UnknownName
from course.training.experiments import stored_table
from tests.benchmarks import efficiency_table, merging, shortcut, under_shift
from tests.benchmarks.lesson_runs import Lesson


def _value(benchmark: ModuleType, setting: str, seed: int, metric: str) -> float:
    """From the benchmark's stored table, if it has the seed; measured if it is not there."""
    name = benchmark.__name__.rpartition(".")[2]
    try:
        rows = stored_table(name).rows
    except UnknownName:
        rows = []
    for row in rows:
        if (row["setting"], row["seed"]) == (setting, seed) and metric in row:
            return float(row[metric])
    return float(benchmark.run(setting, seed)[metric])


def _between_settings(benchmark: ModuleType, ahead: str, behind: str, metric: str) -> Callable[[int], float]:
    return lambda seed: _value(benchmark, ahead, seed, metric) - _value(benchmark, behind, seed, metric)


def _between_metrics(benchmark: ModuleType, setting: str, larger: str, smaller: str) -> Callable[[int], float]:
    return lambda seed: _value(benchmark, setting, seed, larger) - _value(benchmark, setting, seed, smaller)


LESSONS = [
    Lesson(
        "10-a-stamp-becomes-a-shortcut",
        "A classifier whose training tools are stamped recognises more stamped tools than unstamped ones.",
        _between_metrics(shortcut, "stamped tools", "tools_stamped", "tools"),
    ),
    Lesson(
        "10-a-stamp-makes-tools",
        "It calls more of the other objects tools if they are stamped.",
        _between_metrics(shortcut, "stamped tools", "others_as_tools_stamped", "others_as_tools"),
    ),
    Lesson(
        "10-painting-over-repairs",
        "Trained again without the stamp, it recognises more unstamped tools.",
        _between_settings(shortcut, "repaired", "stamped tools", "tools"),
    ),
    Lesson(
        "10-decorrelating-repairs",
        "Trained again with the stamp on half of every class, it recognises more unstamped tools.",
        _between_settings(shortcut, "half of every class stamped", "stamped tools", "tools"),
    ),
    Lesson(
        "10-a-shortcut-belongs-to-the-model-too",
        "A stamp turns fewer other objects into tools under a linear probe on averaged features.",
        _between_settings(shortcut, "stamped tools", "linear probe", "others_as_tools_stamped"),
    ),
    Lesson(
        "10-noise-in-training-helps-against-noise",
        "Fine-tuning with noise is ahead on the strongest noise.",
        _between_settings(under_shift, under_shift.NOISY, "fine-tuning", "noise_5"),
    ),
    Lesson(
        "10-overconfident",
        "The temperature of a fine-tuned model is above 1.",
        lambda seed: _value(under_shift, "fine-tuning", seed, "T") - 1,
    ),
    Lesson(
        "10-a-temperature-calibrates",
        "The temperature lowers the calibration error in distribution.",
        _between_metrics(under_shift, "fine-tuning", "ece", "ece_scaled"),
    ),
    Lesson(
        "10-a-temperature-helps-under-a-shift",
        "It lowers the calibration error on the other styles.",
        _between_metrics(under_shift, "fine-tuning", "ece_shifted", "ece_shifted_scaled"),
    ),
    Lesson(
        "10-but-not-under-strong-noise",
        "With the temperature, more calibration error remains on the strongest noise than in distribution.",
        _between_metrics(under_shift, "fine-tuning", "ece_noise_scaled", "ece_scaled"),
    ),
    Lesson(
        "10-fit-a-temperature-on-validation-data",
        "Fitted on the training pictures, a temperature raises the calibration error.",
        _between_metrics(under_shift, "fine-tuning", "ece_T_train", "ece"),
    ),
    Lesson(
        "10-weights-from-different-starts-do-not-average",
        "The average of two models with different starts is behind the mean of the two.",
        lambda seed: -_value(merging, merging.OWN, seed, "both_half_above_mean"),
    ),
    Lesson(
        "10-weights-from-one-start-average",
        "The gap is larger for different starts than for one start.",
        _between_settings(merging, merging.SHARED, merging.OWN, "both_half_above_mean"),
    ),
    Lesson(
        "10-pruning-costs-accuracy",
        "Pruning half of the weights without retraining costs accuracy.",
        _between_settings(efficiency_table, efficiency_table.FULL, efficiency_table.WEIGHTS, "accuracy"),
    ),
    Lesson(
        "10-retraining-recovers",
        "Retraining after pruning raises the accuracy.",
        _between_settings(efficiency_table, efficiency_table.WEIGHTS_AGAIN, efficiency_table.WEIGHTS, "accuracy"),
    ),
    Lesson(
        "10-channels-too",
        "Retraining after structured pruning raises the accuracy.",
        _between_settings(efficiency_table, efficiency_table.CHANNELS_AGAIN, efficiency_table.CHANNELS, "accuracy"),
    ),
]
