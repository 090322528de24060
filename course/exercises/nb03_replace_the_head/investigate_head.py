"""An open investigation: another head than the chapter's linear one, judged by paired validation accuracies."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_record
from course.exercises.investigation_record import read_record
from course.judging import Exercise

SAMPLES = 200  # pictures in the validation set of each seed
# The linear head of the chapter with seeds 0, 1, 2, ..., as the workbench prints them.
LINEAR = (0.465, 0.48, 0.475, 0.52, 0.48, 0.53, 0.535, 0.565, 0.53, 0.475)

exercise = Exercise(
    "03-investigate-head",
    answer="investigation",
    call="investigation()",
    title="Does a larger head pay?",
    hints=(
        "Change one thing at a time: the hidden width, the dropout, or another layer. Write down what you expect "
        "before you run the workbench.",
        "The workbench trains both heads with the same seeds, so run i of one belongs to run i of the other. The "
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


judge_record(exercise, the_record, known=LINEAR, tolerance=0.05, samples=SAMPLES)
