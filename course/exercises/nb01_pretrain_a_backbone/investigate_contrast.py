"""An open investigation: one change to the contrastive pretraining, measured on validation objects."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_record
from course.exercises.investigation_record import read_record
from course.judging import Exercise

exercise = Exercise(
    "01-investigate-contrast",
    answer="investigation",
    call="investigation()",
    title="Investigate contrastive pretraining",
    hints=(
        "Write down what you expect before you run the workbench. A wrong expectation costs nothing.",
        "Both lists use the same seeds in the same order: baseline[i] and changed[i] come from one seed.",
        "Conclude from the interval of changed - baseline that the workbench prints. If it includes 0: 'cannot tell'.",
    ),
    idea="Copy the two lists that the workbench prints, then set 'concluded' to 'better' if the whole interval is "
    "above 0, to 'worse' if it is below 0, and otherwise to 'cannot tell'.",
)

DRAWINGS = 150  # validation objects in three styles
KNOWN = (0.440, 0.580, 0.587, 0.507, 0.507, 0.487, 0.507, 0.473, 0.513, 0.547)
TOLERANCE = 0.1


@exercise.case
def the_record(rng: torch.Generator) -> dict[str, Any]:
    return {}


@exercise.probe
def probe_investigation(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    return read_record(answer)


judge_record(exercise, the_record, known=KNOWN, tolerance=TOLERANCE, samples=DRAWINGS)
