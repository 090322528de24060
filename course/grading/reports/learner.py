"""The page of one learner: what passed, what did not and why, and what to do next.

There are two of each: one for the learner, in which a hidden judge is a title that passed or did not, and one for the
instructor, with everything. What the first must not show is taken out here, before any template sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePath

from markupsafe import Markup

from course.grading.gradebook.standings import Policy, Standing
from course.grading.grades import MACHINERY, NOT_ATTEMPTED, Grade
from course.grading.reports.classroom import Attempt, Learner, exercise_or_none, exercise_title, title_of
from course.grading.reports.pages import render
from course.grading.reports.path_redaction import without_places
from course.grading.reports.status_texts import ISOLATION, SOLVED, STATUS, STOPPED_UNSEEN, Words, standing_of
from course.judging.results import Outcome


@dataclass(frozen=True)
class ExercisePart:
    """One exercise on a page."""

    id: str
    title: str
    status: str
    words: Words
    grade: Grade | None
    outcomes: tuple[Outcome, ...]
    message: str  # why nothing could be judged, said once
    hints: tuple[str, ...]
    isolation: str

    @property
    def draws(self) -> bool:
        """Whether inputs were drawn for it: not for what was not attempted, nor for a capstone."""
        return bool(self.isolation) and self.grade is not None and self.grade.isolation != "data"


@dataclass(frozen=True)
class NotebookPart:
    """One notebook on a page: the submission that counts, its exercises, and all attempts at it."""

    title: str
    standing: Standing
    exercises: list[ExercisePart]
    attempts: list[Attempt]

    @property
    def unreadable(self) -> bool:
        return bool(self.standing.submission.problem) and not self.standing.grades

    @property
    def score(self) -> float:
        return sum(grade.score or 0.0 for grade in self.standing.grades.values())


def learner_page(learner: Learner, policy: Policy, *, everything: bool) -> str:
    """The page as text; with `everything` it is the instructor's."""
    notebooks = [
        NotebookPart(
            _title(standing),
            standing,
            [_exercise(name, standing.grades.get(name), everything) for name in _names(standing)],
            learner.history.get(standing.notebook, []),
        )
        for standing in learner.standings
    ]
    return render(
        "learner.html.j2",
        learner=learner,
        notebooks=notebooks,
        policy=policy,
        everything=everything,
        draws=any(part.draws for notebook in notebooks for part in notebook.exercises),
        verdict=_verdict,
        hints=_hints,
    )


def _title(standing: Standing) -> str:
    """What the notebook is called; one that is of no known chapter, by its file."""
    handed_in = standing.submission
    return title_of(standing.notebook) if standing.notebook else PurePath(handed_in.member or handed_in.path).name


def _verdict(part: ExercisePart) -> Markup:
    """What the judges say of one exercise, as HTML."""
    grade = part.grade
    if grade:  # without what differs between two who earned the same for the same reasons
        grade = Grade(
            "",
            grade.exercise,
            "",
            "",
            grade.status,
            grade.score,
            grade.points,
            (),
            grade.failure,
            grade.printed,
            grade.notes,
        )
    return _verdict_of(replace(part, grade=grade, hints=(), isolation=""))


@lru_cache(maxsize=2_000)  # most of a class got the same verdict on an exercise, above all where the answer is right
def _verdict_of(part: ExercisePart) -> Markup:
    return Markup(render("verdict.html.j2", part=part))


@lru_cache(maxsize=200)
def _hints(hints: tuple[str, ...]) -> Markup:
    return Markup(render("hints.html.j2", hints=hints))


def _names(standing: Standing) -> list[str]:
    return list(dict.fromkeys((*standing.submission.exercises, *standing.grades)))


def _exercise(name: str, grade: Grade | None, everything: bool) -> ExercisePart:
    exercise, status = exercise_or_none(name), standing_of(grade)
    message = grade.failure.message if grade and grade.failure else ""
    outcomes = grade.outcomes if grade else ()
    if not everything:
        outcomes = tuple(map(_as_learners_see_it, outcomes))
        message = "" if status == MACHINERY else message  # it may describe the machine, and is of no use to a learner
        grade = _traceless(grade) if grade else None
        message = without_places(message)
    words = STATUS[status]
    if status in STOPPED_UNSEEN and grade and not grade.failure and outcomes:
        words = replace(words, advice=STOPPED_UNSEEN[status])
    return ExercisePart(
        name,
        exercise_title(name),
        status,
        words,
        grade,
        tuple(
            replace(outcome, because="") if message and outcome.because == message else outcome for outcome in outcomes
        ),
        message,
        exercise.hints if exercise and status != SOLVED else (),
        ISOLATION.get(grade.isolation, f"It ran at the isolation level {grade.isolation}.")
        if grade and grade.score is not None and status != NOT_ATTEMPTED
        else "",
    )


def _as_learners_see_it(outcome: Outcome) -> Outcome:
    if not outcome.hidden:
        got, because = without_places(outcome.got), without_places(outcome.because)
        return (
            outcome if (got, because) == (outcome.got, outcome.because) else replace(outcome, got=got, because=because)
        )
    return Outcome(outcome.name, outcome.claim, outcome.points, outcome.passed, hidden=True)


def _traceless(grade: Grade) -> Grade:
    """Without where things lie on the machine that ran the answer, which a traceback or what it printed may reveal."""
    failure = grade.failure
    if failure and failure.traceback:
        failure = replace(failure, traceback=without_places(failure.traceback))
    printed = without_places(grade.printed)
    return (
        grade
        if (failure, printed) == (grade.failure, grade.printed)
        else replace(grade, failure=failure, printed=printed)
    )
