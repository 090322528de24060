"""An open investigation: one change of how a detector is trained, by its AP50 on validation scenes."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_record
from course.exercises.investigation_record import read_record
from course.judging import Exercise

# AP50 on validation scenes of the chapter's setting in the workbench cell, for seeds 0, 1, 2, ...
BASELINE = (0.464, 0.465, 0.552, 0.447, 0.474)
TOLERANCE = 0.06  # of one AP50, on another machine

exercise = Exercise(
    "06-investigate-a-setting",
    answer="investigation",
    call="investigation()",
    title="Investigate one setting",
    hints=(
        "Change one value of CHANGED, write down what you expect, and only then run the workbench. If you changed two "
        "values, which of them would have caused the difference?",
        "Copy the two lists that the workbench prints, in the order of the seeds. Both hold AP50 on the same "
        "validation scenes.",
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


judge_record(exercise, the_record, known=BASELINE, tolerance=TOLERANCE)
