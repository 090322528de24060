"""What the reports are made from: every learner, what counts, and what was before; read in a few queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from course.errors import UnknownName
from course.grading.capstone import rules
from course.grading.gradebook.book import Gradebook
from course.grading.gradebook.rows import HandedIn
from course.grading.gradebook.standings import Policy, Standing, newest
from course.grading.grades import Grade
from course.grading.reports.files import file_name
from course.judging.exercise import Exercise, exercises_of, find_exercise, notebook_title


@dataclass(frozen=True)
class Attempt:
    """One notebook that was handed in, with what it earned so far."""

    submission: HandedIn
    counts: bool
    score: float
    points: float
    waiting: int  # exercises without a score


@dataclass
class Learner:
    """Everything known of one learner. `standings` are by notebook; `history` has every attempt, by notebook."""

    name: str
    file: str  # of the pages, without the ending
    standings: list[Standing] = field(default_factory=list)
    history: dict[str, list[Attempt]] = field(default_factory=dict)
    full_name: str = ""  # where a roster gave one

    @property
    def called(self) -> str:
        """What the learner is sorted by: the full name where there is one."""
        return self.full_name or self.name

    @cached_property
    def grades(self) -> dict[str, Grade]:
        """The grades that count, by exercise."""
        return {name: grade for standing in self.standings for name, grade in standing.grades.items()}

    @property
    def score(self) -> float:
        return sum(grade.score or 0.0 for grade in self.grades.values())

    @property
    def points(self) -> float:
        return sum(grade.points for grade in self.grades.values())

    @property
    def scored(self) -> bool:
        """Whether anything that counts has a score."""
        return any(grade.score is not None for grade in self.grades.values())

    @property
    def notebooks(self) -> list[str]:
        """The notebooks that count and could be read, the capstone among them."""
        return [
            standing.notebook
            for standing in self.standings
            if standing.notebook and (standing.grades or not standing.submission.problem)
        ]

    @property
    def unreadable(self) -> bool:
        """Whether nothing that counts could be read, so that there is no score at all."""
        return not self.grades and any(standing.submission.problem for standing in self.standings)

    @property
    def missing(self) -> list[str]:
        """Exercises that have no score yet."""
        return [name for standing in self.standings for name in standing.missing]


@dataclass(frozen=True)
class Classroom:
    """The class under one policy. `exercises` are the ids of all that somebody handed in, in the course's order.

    `absent` are those of the roster who handed in nothing: full names, some empty, by learner.
    """

    learners: list[Learner]
    exercises: list[str]
    policy: Policy
    absent: Mapping[str, str] = field(default_factory=dict)


def read(gradebook: Gradebook, policy: Policy) -> Classroom:
    """The class as the gradebook has it now."""
    learners: dict[str, Learner] = {}
    for standing in gradebook.standings(policy):
        learner = learners.setdefault(standing.learner, Learner(standing.learner, file_name(standing.learner)))
        learner.standings.append(standing)
    earned: dict[str, dict[str, Grade]] = defaultdict(dict)
    for (digest, exercise), grade in newest(gradebook.grades(details=False)).items():
        earned[digest][exercise] = grade
    for submission in gradebook.submissions():
        if submission.learner in learners:  # or handed in just now, while this reads
            _add_attempt(learners[submission.learner], submission, earned.get(submission.digest, {}))
    for learner in learners.values():
        for attempts in learner.history.values():
            attempts.sort(key=lambda attempt: (str(attempt.submission.handed_in or ""), attempt.submission.id))
    found = {name for learner in learners.values() for name in (*learner.grades, *learner.missing)}
    ordered = sorted(learners.values(), key=lambda learner: learner.called.casefold())
    return Classroom(ordered, in_order(found), policy, gradebook.absent())


def _add_attempt(learner: Learner, submission: HandedIn, grades: Mapping[str, Grade]) -> None:
    learner.full_name = submission.full_name or learner.full_name
    counts = any(standing.submission.id == submission.id for standing in learner.standings)
    scored = [grade for grade in grades.values() if grade.score is not None]
    attempt = Attempt(
        submission,
        counts,
        sum(grade.score or 0.0 for grade in scored),
        sum(grade.points for grade in grades.values()),
        len({*submission.exercises, *grades} - {grade.exercise for grade in scored}),
    )
    learner.history.setdefault(submission.notebook, []).append(attempt)


def in_order(exercises: Iterable[str]) -> list[str]:
    """Exercise ids as the course orders them, those it does not know at the end of their notebook."""
    found = set(exercises)
    ordered: list[str] = []
    for number in sorted({name[:2] for name in found}):
        known = [exercise.id for exercise in exercises_of(number) if exercise.id in found]
        ordered += known + sorted(name for name in found if name[:2] == number and name not in known)
    return ordered


@cache
def exercise_or_none(exercise_id: str) -> Exercise | None:
    """The exercise, or None for one of another version of the course."""
    try:
        return find_exercise(exercise_id)
    except UnknownName:
        return None


def exercise_title(exercise_id: str) -> str:
    """What an exercise is called, or an empty text for one of another version of the course."""
    exercise = exercise_or_none(exercise_id)
    return exercise.title if exercise else rules.TITLE if exercise_id == rules.EXERCISE else ""


def title_of(notebook: str) -> str:
    """What was handed in, by its number: a notebook's title, or the capstone."""
    return "Capstone" if notebook == rules.NOTEBOOK else notebook_title(notebook)
