"""An open investigation: which stages' BatchNorm may run in train mode, judged by paired validation accuracies."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_conclusion, judge_measurements, judge_plan
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


@exercise.judge(the_record, points=1)
def a_question_and_an_expectation(case: dict[str, Any], result: dict[str, Any]) -> None:
    """There is a question, an expectation, and five seeds or more on both sides."""
    judge_plan(result)


@exercise.judge(the_record, points=2)
def measured_with_the_chapters_baseline(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The baseline is the chapter's frozen backbone, and the values are accuracies on its validation sets."""
    judge_measurements(result, samples=SAMPLES, known=FROZEN, tolerance=0.05)


@exercise.judge(the_record, points=1)
def concluded_from_the_interval(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The conclusion is what the paired interval says."""
    judge_conclusion(result)
