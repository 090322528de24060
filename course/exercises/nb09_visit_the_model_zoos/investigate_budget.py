"""An open investigation: what to do with a budget of operations, measured on validation data."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_record
from course.exercises.investigation_record import read_record
from course.judging import Exercise

# Validation accuracy of the chapter's setting in the workbench cell, for seeds 0, 1, 2, ...
BASELINE = (0.53, 0.54, 0.52, 0.48, 0.51, 0.52, 0.52, 0.47)
VALIDATION_PICTURES = 100
TOLERANCE = 0.04  # of one accuracy, on another machine: four of the pictures

exercise = Exercise(
    "09-investigate-budget",
    answer="investigation",
    call="investigation()",
    title="Investigate a budget",
    hints=(
        "Change one value of CHANGED, write down what you expect, and only then run the workbench. If you changed two "
        "values, which of them would explain the difference?",
        "Copy the two lists that the workbench prints, in the order of the seeds. They are the accuracies of the "
        "baseline and of your change on the same validation pictures.",
        'The conclusion follows from the printed interval of changed - baseline: above zero is "better", below zero '
        '"worse", and an interval that includes zero is "cannot tell", whatever you expected.',
    ),
    idea="A record with a question of a sentence, your expectation, both lists, and the conclusion that the paired "
    '95 % interval of the differences allows. "cannot tell" is a full answer if that is what was measured.',
)


@exercise.case
def the_record(rng: torch.Generator) -> dict[str, Any]:
    return {}


@exercise.probe
def probe_investigation(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    return read_record(answer)


judge_record(exercise, the_record, known=BASELINE, tolerance=TOLERANCE, samples=VALIDATION_PICTURES)
