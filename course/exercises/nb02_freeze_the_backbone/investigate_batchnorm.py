"""An open investigation: which stages' BatchNorm may run in train mode, judged by paired validation accuracies."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_record
from course.exercises.investigation_record import read_record
from course.judging import Exercise

SAMPLES = 150  # pictures in the validation set of each seed
# The chapter's frozen backbone in eval mode with seeds 0, 1, 2, ..., as the workbench prints them.
FROZEN = (0.58, 0.5867, 0.5733, 0.5333, 0.62)

exercise = Exercise(
    "02-investigate-batchnorm",
    answer="investigation",
    call="investigation()",
    title="Which BatchNorm layers matter?",
    hints=(
        "Choose one part of the backbone: one stage, the first half, the last three. Write down what you expect before "
        "you run the workbench.",
        "The workbench trains both settings with the same seeds, so run i of one belongs to run i of the other. The "
        "differences decide, not the two means.",
        "`better` if the whole 95 % interval of changed - baseline is above zero, `worse` if it is below zero, `cannot "
        "tell` otherwise. All three are good answers.",
    ),
    idea="Uncomment the workbench's last line, copy the two lists that it prints into the record, and conclude from "
    "the interval that it prints as well.",
)


@exercise.case
def the_record(rng: torch.Generator) -> dict[str, Any]:
    return {}


@exercise.probe
def probe_investigation(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    return read_record(answer)


judge_record(exercise, the_record, known=FROZEN, tolerance=0.05, samples=SAMPLES)
