"""What a learner may read of a grade, as plain text: of a hidden judge its title and whether it passed, no more."""

from __future__ import annotations

from dataclasses import dataclass

from course.errors import ExportError
from course.grading.gradebook.standings import Standing
from course.grading.grades import GRADED, Grade
from course.judging.results import Outcome
from course.legible import legible, one_line, shortened

MAX_TEXT = 4_000  # characters of one message


@dataclass(frozen=True)
class Check:
    """One line of feedback: what was checked, whether it passed, its points, and what to say about it."""

    exercise: str
    title: str
    passed: bool
    score: float
    points: float
    text: str = ""
    hidden: bool = False


def message(text: str) -> str:
    """The text, legible and of a length that other systems take."""
    return shortened(legible(text), MAX_TEXT)


def checks(grade: Grade) -> list[Check]:
    """A grade's outcomes; one check for the whole where they don't add up to its score (a tampered reply, say)."""
    assert grade.score is not None  # `judged` let it pass
    found = [
        Check(
            grade.exercise,
            one_line(message(outcome.claim)),
            outcome.passed,
            outcome.earned,
            outcome.points,
            _said(outcome),
            outcome.hidden,
        )
        for outcome in grade.outcomes
    ]
    if found and sum(c.score for c in found) == grade.score and sum(c.points for c in found) == grade.points:
        return found
    passed = grade.score >= grade.points and grade.status == GRADED
    return [Check(grade.exercise, grade.exercise, passed, grade.score, grade.points, about(grade))]


def about(grade: Grade) -> str:
    """What to say about an exercise as a whole: its status when it isn't simply graded, and the grader's notes."""
    parts = [] if grade.status == GRADED else [grade.status]
    if grade.failure and grade.failure.message:
        parts.append(grade.failure.message)
    return message("\n".join(map(legible, [*parts, *grade.notes])))


def summary(standing: Standing) -> str:
    """All of a standing in one line, for systems that take one text a learner."""
    parts = ["handed in late"] if standing.late else []
    for grade in standing.grades.values():
        if grade.score is None:
            continue
        status = "" if grade.status == GRADED else f", {grade.status}"
        lines = [f"{'passed' if check.passed else 'not yet'}: {check.title}" for check in checks(grade)]
        parts.append(f"{grade.exercise} {grade.score:g}/{grade.points:g}{status} ({'; '.join(lines)})")
    return " ".join(" | ".join(parts).split())


def judged(standings: list[Standing]) -> list[Standing]:
    """The same standings. Raises ExportError when one misses a score: what is not judged must not become a zero."""
    for standing in standings:
        if standing.missing:
            raise ExportError(
                f"{one_line(standing.learner)}'s notebook {standing.notebook} is not graded yet "
                f"({', '.join(standing.missing)}); run course grade again"
            )
    return standings


def _said(outcome: Outcome) -> str:
    if outcome.hidden or outcome.passed:
        return ""
    parts = {"Tried": outcome.tried, "Got": outcome.got, "Expected": outcome.expected, "": outcome.because}
    return "\n".join(f"{name}: {message(text)}" if name else message(text) for name, text in parts.items() if text)
