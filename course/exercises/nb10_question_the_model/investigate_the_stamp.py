"""An open investigation: one change of the stamped data set or of the model, measured on validation data."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_record
from course.exercises.investigation_record import read_record
from course.judging import Exercise

# Accuracy of the chapter's setting on stamped validation pictures, for seeds 0, 1, 2, ...
BASELINE = (0.547, 0.533, 0.573, 0.573, 0.6, 0.647, 0.393, 0.52)
VALIDATION_PICTURES = 150
TOLERANCE = 0.08  # of one accuracy, on another machine: twelve of the pictures

exercise = Exercise(
    "10-investigate-the-stamp",
    answer="investigation",
    call="investigation()",
    title="Investigate the stamp",
    hints=(
        "Change one value of CHANGED, write down what you expect, and only then run the workbench. What would you be "
        "able to conclude if you changed two values at once?",
        "Copy the two lists that the workbench prints, in the order of the seeds. They are accuracies on the same "
        "validation pictures, with a stamp on every one of them.",
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
