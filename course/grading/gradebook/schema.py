"""The gradebook's tables, and the steps that bring an older gradebook up to date with nothing lost."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    inspect,
    select,
    text,
    update,
)

from course.errors import GradebookError

VERSION = 4
_LOCK = 0x70726574  # any number of our own: PostgreSQL's advisory lock while tables are made or changed

metadata = MetaData()
schema = Table("gradebook_schema", metadata, Column("version", Integer, primary_key=True))
settings = Table(
    "gradebook_settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
submissions = Table(
    "gradebook_submissions",
    metadata,
    Column("id", Integer, primary_key=True),  # in the order in which they were recorded
    Column("learner", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("again", Integer, nullable=False, server_default="0"),  # 1: handed in again, with another in between
    Column("notebook", Text, nullable=False),
    Column("exercises", Text, nullable=False),  # JSON: the ids, in order
    Column("path", Text, nullable=False),
    Column("member", Text, nullable=False),
    Column("handed_in", Text),  # ISO 8601 in UTC, of one width, so that texts sort as times
    Column("late", Boolean, nullable=False),
    Column("problem", Text, nullable=False, server_default=""),
    Column("full_name", Text, nullable=False, server_default=""),  # from a roster
    Column("reader", String(64), nullable=False, server_default=""),  # digest of what found the problem in the content
    UniqueConstraint("learner", "digest", "again", name="gradebook_one_submission"),
    Index("gradebook_submissions_digest", "digest"),
)
grades = Table(
    "gradebook_grades",
    metadata,
    Column("id", Integer, primary_key=True),  # in the order in which they were recorded
    Column("submission", String(64), nullable=False),  # a digest: learners may share one
    Column("exercise", Text, nullable=False),
    Column("judges", String(64), nullable=False),
    Column("seed", String(64), nullable=False),
    Column("status", String(32), nullable=False),
    Column("score", Float(53)),  # NULL: a failure of ours, which has no score
    Column("points", Float(53), nullable=False),
    Column("isolation", String(32), nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("machine", Text, nullable=False, server_default=""),
    Column("graded_at", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON in ASCII: outcomes, failure, printed, notes, source
    UniqueConstraint("submission", "exercise", "judges", "seed", name="gradebook_one_grade"),
)


def prepare(connection: Connection, address: str) -> str:
    """Make or migrate the tables within the caller's transaction; the gradebook's secret.

    Raises GradebookError when the database is somebody else's, or of a newer version of the course.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    tables = set(inspect(connection).get_table_names())
    if schema.name not in tables:
        if connection.dialect.name == "sqlite" and tables:  # on a server, other tables may well stand beside ours
            raise GradebookError(f"{address} is a database, but no gradebook; choose another file")
        _create(connection)
    version = connection.execute(select(schema.c.version)).scalar_one()
    if version > VERSION:
        raise GradebookError(
            f"{address} was written by a newer version of the course (its schema is {version}, this one knows "
            f"{VERSION}); update with python -m pip install --upgrade pretrained-course"
        )
    for step in range(version, VERSION):
        MIGRATIONS[step](connection)
        connection.execute(update(schema).values(version=step + 1))
    return connection.execute(select(settings.c.value).where(settings.c.name == "secret")).scalar_one()


def is_current(connection: Connection) -> bool:
    """Whether nothing is to be made or migrated, so that opening needs no write."""
    return (
        schema.name in inspect(connection).get_table_names()
        and connection.execute(select(schema.c.version)).scalar() == VERSION
    )


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(insert(schema).values(version=VERSION))
    connection.execute(insert(settings).values(name="secret", value=secrets.token_hex(16)))


def _add_problem_and_machine(connection: Connection) -> None:
    """1 -> 2: submissions say why they cannot be read, and grades where they were given."""
    connection.execute(text("ALTER TABLE gradebook_submissions ADD COLUMN problem TEXT NOT NULL DEFAULT ''"))
    connection.execute(text("ALTER TABLE gradebook_grades ADD COLUMN machine TEXT NOT NULL DEFAULT ''"))


def _add_full_name_and_reader(connection: Connection) -> None:
    """2 -> 3: submissions say what a roster calls the learner, and what found that their content cannot be read."""
    connection.execute(text("ALTER TABLE gradebook_submissions ADD COLUMN full_name TEXT NOT NULL DEFAULT ''"))
    connection.execute(text("ALTER TABLE gradebook_submissions ADD COLUMN reader VARCHAR(64) NOT NULL DEFAULT ''"))


def _let_content_come_again(connection: Connection) -> None:
    """3 -> 4: the same content may be handed in again, with another in between."""
    if connection.dialect.name == "postgresql":
        steps = [
            "ALTER TABLE gradebook_submissions ADD COLUMN again INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE gradebook_submissions DROP CONSTRAINT gradebook_one_submission",
            "ALTER TABLE gradebook_submissions ADD CONSTRAINT gradebook_one_submission UNIQUE (learner, digest, again)",
        ]
    else:  # SQLite cannot drop a constraint: the table is made anew
        columns = "id, learner, digest, notebook, exercises, path, member, handed_in, late, problem, full_name, reader"
        steps = [
            "ALTER TABLE gradebook_submissions RENAME TO gradebook_submissions_3",
            """CREATE TABLE gradebook_submissions (
                id INTEGER NOT NULL PRIMARY KEY, learner TEXT NOT NULL, digest VARCHAR(64) NOT NULL,
                again INTEGER NOT NULL DEFAULT 0, notebook TEXT NOT NULL, exercises TEXT NOT NULL, path TEXT NOT NULL,
                member TEXT NOT NULL, handed_in TEXT, late BOOLEAN NOT NULL, problem TEXT NOT NULL DEFAULT '',
                full_name TEXT NOT NULL DEFAULT '', reader VARCHAR(64) NOT NULL DEFAULT '',
                CONSTRAINT gradebook_one_submission UNIQUE (learner, digest, again))""",
            f"INSERT INTO gradebook_submissions ({columns}) SELECT {columns} FROM gradebook_submissions_3",
            "DROP TABLE gradebook_submissions_3",
            "CREATE INDEX gradebook_submissions_digest ON gradebook_submissions (digest)",
        ]
    for step in steps:
        connection.execute(text(step))


MIGRATIONS: dict[int, Callable[[Connection], None]] = {  # by the version they start from
    1: _add_problem_and_machine,
    2: _add_full_name_and_reader,
    3: _let_content_come_again,
}
