"""An open investigation: one change of the way to fine-tune a text model, measured on validation sentences."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_conclusion, judge_measurements, judge_plan
from course.exercises.investigation_record import read_record
from course.judging import Exercise

# Validation accuracy of the chapter's setting in the workbench cell, for seeds 0, 1, 2, ...
BASELINE = (0.62, 0.68, 0.56, 0.65, 0.65, 0.64, 0.52, 0.63)
VALIDATION_SENTENCES = 60
TOLERANCE = 0.084  # of one accuracy, on another machine: five of the sentences

exercise = Exercise(
    "08-investigate-a-change",
    answer="investigation",
    call="investigation()",
    title="Investigate one change",
    hints=(
        "Change one value of CHANGED, write down what you expect, and only then run the workbench. What else would "
        "differ between the two settings if you changed two values?",
        "Copy the two lists that the workbench prints, in the order of the seeds. They are the accuracies of the "
        "baseline and of your change on the same validation sentences.",
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
    """The numbers can be accuracies on the validation sentences, and the baseline is the chapter's setting."""
    judge_measurements(result, samples=VALIDATION_SENTENCES, known=BASELINE, tolerance=TOLERANCE)


@exercise.judge(the_record, points=1)
def the_conclusion_follows(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The conclusion is what the paired interval of these numbers says."""
    judge_conclusion(result)
