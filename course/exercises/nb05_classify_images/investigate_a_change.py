"""An open investigation: does one change to a frozen backbone's classifier raise the validation accuracy?"""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_record
from course.exercises.investigation_record import read_record
from course.judging import Exercise

# The chapter's setting with seeds 0 to 9: five labels per class, right answers of 100 validation pictures.
KNOWN = (0.46, 0.45, 0.54, 0.55, 0.59, 0.41, 0.43, 0.57, 0.54, 0.57)
SAMPLES = 100
TOLERANCE = 0.04

exercise = Exercise(
    "05-investigate-a-change",
    answer="investigation",
    call="investigation()",
    title="Does a change help?",
    hints=(
        "Change one setting in the workbench, write down what you expect, and only then run it: five seeds or "
        "more, the same ones for the chapter's setting and for yours.",
        "Copy the printed accuracies into the record, in the order of the seeds, as fractions.",
        "The conclusion follows from the printed interval of `changed - baseline`: better if it lies above zero, worse "
        "if it lies below, cannot tell if it contains zero.",
    ),
    idea='return {"question": "do ten labels per class beat five?", "expected": "better", "baseline": [...], '
    '"changed": [...], "concluded": "better"}, with the numbers you measured and the conclusion they support.',
)


@exercise.case
def a_record(rng: torch.Generator) -> dict[str, Any]:
    return {"asked": "a record"}


@exercise.probe
def probe_investigation(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    return read_record(answer)


judge_record(exercise, a_record, known=KNOWN, tolerance=TOLERANCE, samples=SAMPLES, points=(1, 2, 2))
