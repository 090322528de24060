"""Which submission of a learner counts, and under which judges its exercises do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from course.grading.gradebook.rows import HandedIn
from course.grading.grades import Grade

Policy = Literal["last", "best"]
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Standing:
    """Where a learner stands in one notebook: the submission that counts, and its grades by exercise."""

    learner: str
    notebook: str
    submission: HandedIn
    grades: dict[str, Grade] = field(default_factory=dict)  # in the notebook's order

    @property
    def missing(self) -> tuple[str, ...]:
        """The exercises that have no score yet: not judged, or a failure of the machinery."""
        judged = {exercise for exercise, grade in self.grades.items() if grade.score is not None}
        return tuple(name for name in dict.fromkeys((*self.submission.exercises, *self.grades)) if name not in judged)

    @property
    def score(self) -> float | None:
        """The sum over its exercises; None while any is missing, because a part is not a total."""
        if self.missing or not self.grades:
            return None
        return sum(grade.score or 0.0 for grade in self.grades.values())

    @property
    def points(self) -> float:
        """What the judged exercises are worth together."""
        return sum(grade.points for grade in self.grades.values())

    @property
    def late(self) -> bool:
        return self.submission.late


def newest(grades: Iterable[Grade]) -> dict[tuple[str, str], Grade]:
    """One grade for each submission and exercise, from grades in the order in which they were recorded.

    The last that has a score counts; one without counts only where there is nothing else.
    """
    chosen: dict[tuple[str, str], Grade] = {}
    for grade in grades:
        key = grade.submission, grade.exercise
        if key not in chosen or grade.score is not None or chosen[key].score is None:
            chosen[key] = grade
    return chosen


def choose(submissions: Iterable[HandedIn], grades: Mapping[tuple[str, str], Grade], policy: Policy) -> list[Standing]:
    """One standing for each learner and notebook, sorted by both."""
    by_digest: dict[str, dict[str, Grade]] = {}
    for (digest, exercise), grade in grades.items():
        by_digest.setdefault(digest, {})[exercise] = grade
    counts: dict[tuple[str, str], Standing] = {}
    for submission in submissions:
        key = submission.learner, submission.notebook
        standing = Standing(*key, submission, _in_order(submission, by_digest.get(submission.digest, {})))
        if key not in counts or _rank(standing, policy) > _rank(counts[key], policy):
            counts[key] = standing
    return [counts[key] for key in sorted(counts)]


def _in_order(submission: HandedIn, grades: dict[str, Grade]) -> dict[str, Grade]:
    names = submission.exercises or sorted(grades)
    return {name: grades[name] for name in names if name in grades}


def _rank(standing: Standing, policy: Policy) -> tuple[float, datetime, int]:
    score = -1.0 if standing.score is None else standing.score
    handed_in = standing.submission.handed_in or _LONG_AGO  # without a time: before those that have one
    return (score if policy == "best" else 0.0), handed_in, standing.submission.id
