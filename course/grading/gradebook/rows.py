"""Converts submissions and grades to database rows and back: whatever a learner's text holds can be stored."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from course.errors import GradebookError
from course.grading.grades import ERROR, MACHINERY, STATUSES, Grade, Submission
from course.judging.results import Failure, Outcome
from course.legible import legible

MAX_NAME = 200  # characters of a learner's name: an index of PostgreSQL holds no more than 2,700 bytes


@dataclass(frozen=True)
class HandedIn:
    """A submission as the gradebook keeps it; `digest` leads to its grades."""

    id: int  # in the order in which they were recorded
    learner: str
    digest: str
    notebook: str  # "02", or "" when it is unknown
    exercises: tuple[str, ...]
    path: str
    member: str
    handed_in: datetime | None
    late: bool
    problem: str
    full_name: str = ""  # as in Submission
    reader: str = ""  # what found the problem in the content itself, so that it need not look again


def storable(text: str) -> str:
    """The text with NULs and lone surrogates spelled out, which databases and files refuse. Only for storing it: what
    is shown to anybody is made legible on its way out (see `course.legible`)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def learner_name(name: str) -> str:
    """The name as the gradebook knows it: plain, and when very long cut, with a hash so that two stay two."""
    name = storable(name)
    if len(name) <= MAX_NAME:
        return name
    return f"{name[: MAX_NAME - 20]}… {hashlib.sha256(name.encode()).hexdigest()[:16]}"


def time_text(time: datetime | None) -> str | None:
    """In UTC and of one width. A time without a zone is taken as UTC."""
    if time is None:
        return None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.isoformat(timespec="microseconds")


def submission_values(
    submission: Submission, digest: str, notebook: str, exercises: Sequence[str], problem: str, reader: str = ""
) -> dict[str, Any]:
    """A row for the table of submissions."""
    return {
        "learner": learner_name(submission.learner),
        "digest": digest,
        "notebook": storable(notebook),
        "exercises": json.dumps([storable(exercise) for exercise in exercises]),
        "path": storable(str(submission.path)),
        "member": storable(submission.member),
        "handed_in": time_text(submission.handed_in),
        "late": submission.late,
        "problem": legible(problem or submission.problem),  # only ever shown, and no text that is legible is refused
        "full_name": storable(submission.full_name),
        "reader": reader,
    }


def grade_values(grade: Grade) -> dict[str, Any]:
    """A row for the table of grades. Raises GradebookError for a grade that contradicts itself."""
    without = {MACHINERY, ERROR} if grade.lacks else {MACHINERY}
    if grade.status not in STATUSES or (grade.score is None) != (grade.status in without):
        raise GradebookError(
            f"the grade of {grade.exercise} has the status {grade.status!r} and the score {grade.score}; a failure of "
            "ours and an answer for which something is not installed have no score, any other has one; please report "
            "this error in the grader"
        )
    for number in (grade.score or 0.0, grade.points, grade.seconds):
        if not math.isfinite(number):
            raise GradebookError(
                f"the grade of {grade.exercise} holds {number}; please report this error in the grader"
            )
    detail = {
        "outcomes": [dataclasses.asdict(outcome) for outcome in grade.outcomes],
        "failure": dataclasses.asdict(grade.failure) if grade.failure else None,
        "printed": grade.printed,
        "notes": grade.notes,
        "source": grade.source,
        "measures": grade.measures,
    }
    names = "submission", "exercise", "judges", "seed", "status", "score", "points", "isolation", "seconds"
    return {
        **{name: getattr(grade, name) for name in names},
        "machine": storable(grade.machine),
        "graded_at": time_text(grade.graded_at or datetime.now(UTC)),
        "detail": json.dumps(detail, ensure_ascii=True),  # NULs and surrogates become \u escapes: nothing is lost
    }


def read_grade(row: Mapping[str, Any]) -> Grade:
    """A row of the table of grades; without its column "detail" the outcomes and texts stay empty."""
    detail = json.loads(row["detail"]) if "detail" in row else {}
    failure = detail.get("failure")
    names = "submission", "exercise", "judges", "seed", "status", "score", "points", "isolation", "seconds", "machine"
    return Grade(
        **{name: row[name] for name in names},
        outcomes=tuple(Outcome(**outcome) for outcome in detail.get("outcomes", ())),
        failure=Failure(**failure) if failure else None,
        printed=detail.get("printed", ""),
        notes=tuple(detail.get("notes", ())),
        source=detail.get("source", ""),
        graded_at=datetime.fromisoformat(row["graded_at"]),
        measures=tuple((name, value) for name, value in detail.get("measures", ())),
    )


def read_submission(row: Mapping[str, Any]) -> HandedIn:
    """A row of the table of submissions."""
    names = "id", "learner", "digest", "notebook", "path", "member", "late", "problem", "full_name", "reader"
    return HandedIn(
        **{name: row[name] for name in names},
        exercises=tuple(json.loads(row["exercises"])),
        handed_in=datetime.fromisoformat(row["handed_in"]) if row["handed_in"] else None,
    )
