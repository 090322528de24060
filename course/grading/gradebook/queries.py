"""The statements that a gradebook sends: what to read, and the two writes that may find their row already there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, bindparam, case, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from course.grading.gradebook.rows import learner_name
from course.grading.gradebook.schema import grades, submissions
from course.grading.grades import MACHINERY

_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_GRADE = ["submission", "exercise", "judges", "seed"]
# Made once: a run that has nothing to do asks both of them for every submission.
OF_LEARNER = select(submissions).where(submissions.c.learner == bindparam("learner")).order_by(submissions.c.id)
ALL_GRADED = select(*(grades.c[name] for name in _GRADE)).where(grades.c.score.is_not(None))


def submissions_where(
    *, learner: str | None = None, notebook: str | None = None, digest: str | None = None, column: Any = submissions
) -> Select:
    """Submissions, or one column of them, in the order in which they were recorded."""
    query = select(column).order_by(submissions.c.id)
    if learner is not None:
        query = query.where(submissions.c.learner == learner_name(learner))
    if notebook is not None:
        query = query.where(submissions.c.notebook == notebook)
    if digest is not None:
        query = query.where(submissions.c.digest == digest)
    return query


def grades_where(
    *,
    submission: str | None = None,
    exercise: str | None = None,
    learner: str | None = None,
    notebook: str | None = None,
    details: bool = True,
) -> Select:
    """Grades in the order in which they were recorded."""
    query = select(*(column for column in grades.c if details or column.name != "detail")).order_by(grades.c.id)
    if submission is not None:
        query = query.where(grades.c.submission == submission)
    if exercise is not None:
        query = query.where(grades.c.exercise == exercise)
    if learner is not None or notebook is not None:
        digests = submissions_where(learner=learner, notebook=notebook, column=submissions.c.digest).order_by(None)
        query = query.where(grades.c.submission.in_(digests))
    return query


def write_submission(dialect: str, values: dict[str, Any]) -> Any:
    """Insert, or keep the earliest time and the newest reading of the same hand-in."""
    statement = _INSERT[dialect](submissions).values(values)
    new, old = statement.excluded, submissions.c
    earlier = or_(old.handed_in.is_(None), new.handed_in <= old.handed_in)
    changed = {
        "problem": new.problem,
        "reader": new.reader,
        "full_name": case((new.full_name != "", new.full_name), else_=old.full_name),
    }
    for name in ("notebook", "exercises"):
        changed[name] = case((new.notebook != "", new[name]), else_=old[name])
    for name in ("handed_in", "late", "path", "member"):
        changed[name] = case((earlier, new[name]), else_=old[name])
    return statement.on_conflict_do_update(index_elements=["learner", "digest", "again"], set_=changed)


def write_grade(dialect: str, values: dict[str, Any]) -> Any:
    """Insert, or put a grade for one that has no score; a row comes back if either was done."""
    statement = _INSERT[dialect](grades).values(values)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=_GRADE,
        set_={column.name: new[column.name] for column in grades.c if column.name not in (*_GRADE, "id")},
        where=or_(
            and_(grades.c.score.is_(None), new.score.is_not(None)),
            and_(grades.c.status == MACHINERY, new.status != MACHINERY),  # which says more
        ),
    ).returning(grades.c.id)
