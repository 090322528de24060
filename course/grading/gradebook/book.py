"""`Gradebook`: submissions and grades in a database."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from sqlalchemy import Connection, Engine, Select, delete, insert, select, update

from course.errors import GradebookError
from course.grading.gradebook import schema
from course.grading.gradebook.engines import connect, explained
from course.grading.gradebook.queries import (
    ALL_GRADED,
    OF_LEARNER,
    grades_where,
    submissions_where,
    write_grade,
    write_submission,
)
from course.grading.gradebook.repeats import which_time
from course.grading.gradebook.rows import (
    HandedIn,
    grade_values,
    learner_name,
    read_grade,
    read_submission,
    storable,
    submission_values,
)
from course.grading.gradebook.standings import Policy, Standing, choose, newest
from course.grading.grades import Grade, Submission

_BATCH = 500  # rows fetched, or submissions asked for, at once


class Gradebook:
    """Submissions and grades in a database. `secret` draws the judges' inputs: 128 random bits, in hex, of its own."""

    def __init__(self, engine: Engine, name: str, secret: str):
        self._engine = engine
        self.name = name  # the address, without a password
        self.secret = secret

    @classmethod
    def open(cls, address: str | Path, *, wait_s: float = 60.0) -> Gradebook:
        """The gradebook at a path (SQLite, made when it isn't there) or a SQLAlchemy address of PostgreSQL.

        An older one is migrated in one transaction. `wait_s` is how long to wait for another program's write.
        Raises GradebookError with what to do: no database, somebody else's, damaged, newer, locked, not reachable.
        """
        engine, name = connect(address, wait_s)
        try:
            with explained(name):
                with engine.connect() as connection:
                    current = schema.is_current(connection)
                # A gradebook that is up to date is opened without a write, so a read-only one can be reported on.
                with engine.execution_options(writes=not current).begin() as connection:
                    secret = schema.prepare(connection, name)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, name, secret)

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Gradebook:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add_submission(
        self,
        submission: Submission,
        digest: str,
        *,
        notebook: str,
        exercises: Sequence[str],
        problem: str = "",
        reader: str = "",
    ) -> None:
        """Record what was handed in. The same content seen again stays one row, with its earliest time.

        It is another row, the last hand-in, where the learner handed in something else in between.

        `reader` is the digest of what found the `problem` in the content itself.
        """
        values = submission_values(submission, digest, notebook, exercises, problem, reader)
        with explained(self.name):
            with self._reading() as connection:
                rows = list(map(dict, connection.execute(OF_LEARNER, {"learner": values["learner"]}).mappings()))
            values["again"] = which_time(values, rows)
            keys = "digest", "again"
            known = next((row for row in rows if all(row[key] == values[key] for key in keys)), None)
            if known and not values["full_name"]:
                values["full_name"] = known["full_name"]  # without a roster this time
            if known and values.items() <= dict(known).items():
                return  # a run that has nothing to do writes nothing
            with self._writing() as connection:
                connection.execute(write_submission(connection.dialect.name, values))

    def move(self, digests: Mapping[int, str], to: Submission) -> None:
        """Give submissions, by id, to another learner, each with its digest; what they have already is left out."""
        who = {"learner": learner_name(to.learner), "full_name": storable(to.full_name)}
        table = schema.submissions
        with explained(self.name), self._writing() as connection:
            there = {
                (row["digest"], row["again"])
                for row in connection.execute(OF_LEARNER, {"learner": who["learner"]}).mappings()
            }
            for row in connection.execute(select(table).where(table.c.id.in_(digests))).mappings().all():
                digest = digests[row["id"]]
                this = table.c.id == row["id"]
                if (digest, row["again"]) in there:
                    connection.execute(delete(table).where(this))
                else:
                    connection.execute(update(table).where(this).values(digest=digest, **who))

    def keep_roster(self, full_names: Mapping[str, str]) -> None:
        """Remember who is in the class, full names by learner, instead of who was before."""
        roster = {learner_name(learner): storable(name) for learner, name in full_names.items()}
        if roster == self._roster():
            return
        table = schema.settings
        with explained(self.name), self._writing() as connection:
            connection.execute(delete(table).where(table.c.name == "roster"))
            connection.execute(insert(table).values(name="roster", value=json.dumps(roster)))

    def absent(self) -> dict[str, str]:
        """Who of the last roster handed in nothing: full names by learner."""
        present = set(self.learners())
        return {learner: name for learner, name in self._roster().items() if learner not in present}

    def _roster(self) -> dict[str, str]:
        query = select(schema.settings.c.value).where(schema.settings.c.name == "roster")
        with explained(self.name), self._reading() as connection:
            return json.loads(connection.execute(query).scalar() or "{}")

    def add_grade(self, grade: Grade) -> bool:
        """Record a grade; committed when this returns. False when there is one already, which is left as it is.

        A failure of the machinery is replaced by a grade that has a score, never the other way round.
        """
        values = grade_values(grade)
        with explained(self.name), self._writing() as connection:
            return connection.execute(write_grade(connection.dialect.name, values)).first() is not None

    def all_graded(self) -> set[tuple[str, str, str, str]]:
        """(submission, exercise, judges, seed) of every grade that has a score, in one query."""
        with explained(self.name), self._reading() as connection:
            return {tuple(row) for row in connection.execute(ALL_GRADED)}

    def learners(self) -> list[str]:
        """Everyone who handed something in, sorted."""
        with explained(self.name), self._reading() as connection:
            return sorted(connection.execute(select(schema.submissions.c.learner).distinct()).scalars())

    def submissions(
        self, *, learner: str | None = None, notebook: str | None = None, digest: str | None = None
    ) -> Iterator[HandedIn]:
        """All that was handed in, history included, in the order in which it was recorded."""
        query = submissions_where(learner=learner, notebook=notebook, digest=digest)
        with explained(self.name), self._reading() as connection:
            yield from map(read_submission, _rows(connection, query))

    def grades(
        self,
        *,
        submission: str | None = None,
        exercise: str | None = None,
        learner: str | None = None,
        notebook: str | None = None,
        details: bool = True,
    ) -> Iterator[Grade]:
        """All grades, history and failures of the machinery included, in the order in which they were recorded.

        Without `details` the outcomes and the learner's texts stay empty, which is several times faster.
        """
        query = grades_where(
            submission=submission, exercise=exercise, learner=learner, notebook=notebook, details=details
        )
        with explained(self.name), self._reading() as connection:
            yield from map(read_grade, _rows(connection, query))

    def standings(
        self,
        policy: Policy = "last",
        *,
        learner: str | None = None,
        notebook: str | None = None,
        details: bool = True,
    ) -> list[Standing]:
        """For each learner and notebook the submission that counts, with its grades by the newest judges.

        "last" takes the last handed in; "best" the highest total, of equals the later; one that still misses a score
        is never the best while another has them all.
        """
        if policy not in get_args(Policy):
            raise GradebookError(f"the policy {policy!r} is unknown; use {' or '.join(get_args(Policy))}")
        which = {"learner": learner, "notebook": notebook}
        with explained(self.name), self._reading() as connection:
            submissions = [read_submission(row) for row in _rows(connection, submissions_where(**which))]
            scores = newest(map(read_grade, _rows(connection, grades_where(**which, details=False))))
            standings = choose(submissions, scores, policy)
            return _with_details(connection, standings) if details else standings

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._engine.execution_options(writes=True).begin() as connection:
            yield connection


def _rows(connection: Connection, query: Select) -> Iterator[Mapping[str, Any]]:
    result = connection.execution_options(yield_per=_BATCH).execute(query)
    return (dict(row) for row in result.mappings())


def _with_details(connection: Connection, standings: list[Standing]) -> list[Standing]:
    """The same standings, with the outcomes and texts of exactly those grades."""
    wanted = {_key(grade) for standing in standings for grade in standing.grades.values()}
    full: dict[tuple[str, str, str, str], Grade] = {}
    digests = sorted({key[0] for key in wanted})
    for start in range(0, len(digests), _BATCH):
        query = grades_where().where(schema.grades.c.submission.in_(digests[start : start + _BATCH]))
        full |= {_key(grade): grade for grade in map(read_grade, _rows(connection, query)) if _key(grade) in wanted}
    return [
        dataclasses.replace(
            standing, grades={name: full.get(_key(grade), grade) for name, grade in standing.grades.items()}
        )
        for standing in standings
    ]


def _key(grade: Grade) -> tuple[str, str, str, str]:
    return grade.submission, grade.exercise, grade.judges, grade.seed
