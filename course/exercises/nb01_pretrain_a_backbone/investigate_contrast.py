"""An open investigation: one change to the contrastive pretraining, measured on validation objects."""

from __future__ import annotations

from typing import Any

import torch

from course.exercises import investigation
from course.exercises.investigation_record import read_record
from course.judging import Exercise, expect

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
    return {"record": read_record(answer)}


@exercise.judge(the_record, points=1)
def the_plan_is_complete(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The record states a question, an expectation and a conclusion, with five seeds or more in both settings."""
    investigation.judge_plan(result["record"])


@exercise.judge(the_record, points=2)
def the_measurements_are_accuracies(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The numbers are accuracies on the validation drawings, and the baseline is the chapter's own setting."""
    investigation.judge_measurements(result["record"], samples=DRAWINGS, known=KNOWN, tolerance=TOLERANCE)


@exercise.judge(the_record, points=1)
def the_conclusion_follows(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The conclusion is what the paired interval of the recorded numbers supports."""
    investigation.judge_conclusion(result["record"])


def expect_runs_that_differ(record: dict[str, Any]) -> None:
    """Raise Wrong if one accuracy is repeated for every seed of a setting."""
    investigation.judge_plan(record)
    for name in ("baseline", "changed"):
        expect(
            len(set(record[name])) > 1,
            tried=f"reading {name!r}",
            got=f"{record[name][0]} for every seed",
            expected="one accuracy per seed",
            because="each seed draws other validation objects and other first weights, so the accuracies vary",
        )
