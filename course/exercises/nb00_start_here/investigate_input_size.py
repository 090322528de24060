"""An open investigation: how the input size of the frozen backbone changes the accuracy of a linear head."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_record
from course.exercises.investigation_record import read_record
from course.judging import Exercise

exercise = Exercise(
    "00-investigate-input-size",
    answer="investigation",
    call="investigation()",
    title="Investigate the input size",
    hints=(
        "Change one setting at a time. Write down what you expect before you run the workbench.",
        "`measure(96)` is the chapter's own setting and gives the baseline; call it once more with your size. Both "
        "use the same seeds, so the two lists belong together, pair by pair.",
        "`Interval.of([b - a for a, b in zip(baseline, changed)])` from course.training.intervals is the paired "
        "interval: above zero is better, below zero is worse, and anything else is cannot tell.",
    ),
    idea="Run measure(96) and measure(size) with the same seeds, copy both lists into the record, and read the "
    "conclusion from the paired interval of the differences.",
)

VALIDATION_IMAGES = 200
KNOWN = (
    0.51,
    0.5,
    0.51,
    0.52,
    0.525,
    0.525,
    0.535,
    0.545,
    0.525,
    0.49,
)  # the chapter's setting, 96 pixels, seeds 0 to 9
TOLERANCE = 0.03


@exercise.case
def the_record(rng: torch.Generator) -> dict[str, Any]:
    return {}


@exercise.probe
def probe_investigation(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    return read_record(answer)


judge_record(exercise, the_record, known=KNOWN, tolerance=TOLERANCE, samples=VALIDATION_IMAGES, points=(1, 2, 2))
