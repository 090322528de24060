"""How many slightly changed reference solutions keep full marks, and are not known to be right after all."""

from __future__ import annotations

import time

from course.judging.exercise import find_exercise
from tests.benchmarks import Figure
from tests.mutants_of_answers.survivors import try_mutants, with_code

FEWEST = 1_500


def measure(*ids: str) -> Figure:
    """Of all exercises with code, or of these alone."""
    started = time.monotonic()
    outcomes = [try_mutants(exercise) for exercise in [find_exercise(id) for id in ids] or with_code()]
    tried = sum(outcome.tried for outcome in outcomes)
    if tried < FEWEST and not ids:
        raise SystemExit(f"answer_mutants: only {tried} mutants were tried, {FEWEST:,} at least are needed")
    found = [f"{outcome.exercise}: {change}" for outcome in outcomes for change in outcome.survivors]
    stale = [f"{outcome.exercise}: {change} (not equivalent)" for outcome in outcomes for change in outcome.stale]
    known = sum(len(outcome.equivalent) for outcome in outcomes)
    said = f"answer_mutants: {tried:,} mutants of {len(outcomes)} solutions tried in {time.monotonic() - started:.0f} s"
    notes = (*found, *stale, f"{said}; {known} of them are right answers")
    return Figure(len(found), "wrong answers got full marks", "0", notes, missed=bool(found or stale))
