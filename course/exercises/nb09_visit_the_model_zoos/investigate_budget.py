"""An open investigation: what to do with a budget of operations, measured on validation data."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_conclusion, judge_measurements, judge_plan
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


@exercise.judge(the_record, points=1)
def a_question_and_enough_seeds(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The record has a question, an expectation, and the same five or more seeds for both settings."""
    judge_plan(result)


@exercise.judge(the_record, points=2)
def both_settings_were_measured(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The numbers can be accuracies on the validation pictures, and the baseline is the chapter's setting."""
    judge_measurements(result, samples=VALIDATION_PICTURES, known=BASELINE, tolerance=TOLERANCE)


@exercise.judge(the_record, points=1)
def the_conclusion_follows(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The conclusion is what the paired interval of these numbers says."""
    judge_conclusion(result)
