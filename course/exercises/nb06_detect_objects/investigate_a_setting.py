"""An open investigation: one change of how a detector is trained, by its AP50 on validation scenes."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises.investigation import judge_conclusion, judge_measurements, judge_plan
from course.exercises.investigation_record import read_record
from course.judging import Exercise, expect

# AP50 on validation scenes of the chapter's setting in the workbench cell, for seeds 0, 1, 2, ...
BASELINE = (0.464, 0.465, 0.552, 0.447, 0.474)
STEPS = 1000  # AP50 is printed to three digits
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


@exercise.judge(the_record, points=1)
def a_question_and_enough_seeds(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The record has a question, an expectation, and the same five or more seeds for both settings."""
    judge_plan(result)


@exercise.judge(the_record, points=2)
def both_settings_were_measured(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The numbers can be values of AP50, and the baseline is the chapter's setting."""
    for name in ("baseline", "changed"):
        outside = [value for value in result[name] if not 0 <= value <= 1]
        expect(
            not outside,
            tried=f"reading {name!r}",
            got=outside,
            expected="values of AP50 between 0 and 1",
            because="copy the numbers as the workbench prints them",
        )
    judge_measurements(result, samples=STEPS, known=BASELINE, tolerance=TOLERANCE)


@exercise.judge(the_record, points=1)
def the_conclusion_follows(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The conclusion is what the paired interval of these numbers says."""
    judge_conclusion(result)
