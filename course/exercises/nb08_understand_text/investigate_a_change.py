"""An open investigation: one change of the way to fine-tune a text model, measured on validation sentences."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_record
from course.exercises.investigation_record import read_record
from course.judging import Exercise

# Validation accuracy of the chapter's setting in the workbench cell, for seeds 0, 1, 2, ...
BASELINE = (0.65, 0.667, 0.833, 0.55, 0.617)
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


judge_record(exercise, the_record, known=BASELINE, tolerance=TOLERANCE, samples=VALIDATION_SENTENCES)
