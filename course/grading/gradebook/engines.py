"""From an address to a database that answers, and from its errors to what happened and what to do."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from course.errors import GradebookError, MissingExtra
from course.extras import install_command

_ADVICE = (  # the first part found in the database's own message
    ("file is not a database", "it is something else, or damaged; choose another file, or restore it from a copy"),
    ("malformed", "it is damaged; restore it from a copy"),
    ("locked", "another program holds it; end that one, then run this again"),
    ("lock timeout", "another program holds it; end that one, then run this again"),
    ("readonly", "it is read-only; make the file and its folder writable"),
    ("permission denied", "ask its owner for the right to write there"),
    ("disk is full", "free some space, then run this again; what was recorded before is safe"),
    ("disk i/o", "its disk is full or failing; free some space and run this again; what was recorded before is safe"),
    ("no space left", "free some space, then run this again; what was recorded before is safe"),
    ("unable to open", "check that its folder exists and that you may write there"),
    ("password", "check the user's name and password"),
    ("does not exist", "make the database or the user first, or check the address"),
    ("connect", "check that the server runs and that the address is right; what was recorded before is safe"),
)


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Turns errors of the database into GradebookError, which says what to do."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        what = " ".join(str(getattr(error, "orig", None) or error).split())
        advice = next((then for part, then in _ADVICE if part in what.lower()), "nothing was changed; see its message")
        raise GradebookError(f"the gradebook {name} cannot be used ({what[:500]}): {advice}") from error


def connect(address: str | Path, wait_s: float) -> tuple[Engine, str]:
    """An engine, and the address as it may be shown: without its password."""
    if isinstance(address, Path) or "://" not in address:
        return _sqlite(Path(address), wait_s), str(address)
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise GradebookError(
            "the gradebook's address is neither a path nor a SQLAlchemy address such as "
            "postgresql+psycopg://user@server/database; correct it"
        ) from error
    name = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise GradebookError(f"the gradebook {name} would be gone at the end; give the path of a file")
        return _sqlite(Path(str(url.database)), wait_s), name
    return _postgresql(url, name, wait_s), name


def _sqlite(path: Path, wait_s: float) -> Engine:
    with explained(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # it holds the secret: for its owner alone, and so its WAL
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    engine = create_engine(_sqlite_url(path), connect_args={"timeout": wait_s})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours, below: the driver would begin too late
        settings = ["foreign_keys = ON", "synchronous = FULL"]
        if os.access(path, os.W_OK):
            settings.append("journal_mode = WAL")  # readers do not wait for a writer
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: two writers queue from the start; one that read first would be refused at its first write.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _sqlite_url(path: Path) -> URL:
    if os.access(path, os.W_OK) or Path(f"{path}-wal").exists():
        return URL.create("sqlite", database=str(path))
    # A read-only file that nobody is writing to: without this, SQLite wants to make files beside it even to read.
    query = {"uri": "true", "mode": "ro", "immutable": "1"}
    return URL.create("sqlite", database=path.absolute().as_uri(), query=query)


def _postgresql(url: URL, name: str, wait_s: float) -> Engine:
    if url.drivername in ("postgres", "postgresql") and importlib.util.find_spec("psycopg"):
        url = url.set(drivername="postgresql+psycopg")
    if not url.drivername.startswith("postgresql"):
        raise GradebookError(f"the gradebook {name} is neither SQLite nor PostgreSQL; use one of them")
    try:
        arguments = {"client_encoding": "utf8"} if "psycopg" in url.drivername else {}
        engine = create_engine(url, pool_pre_ping=True, connect_args=arguments)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"the gradebook {name} needs {error.name}, which is not installed; begin its address with "
            f"postgresql+psycopg:// and run: {install_command('postgres')}"
        ) from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise GradebookError(f"the gradebook {name} has no driver ({error}); use postgresql+psycopg://") from error

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {int(wait_s * 1000)}")
            cursor.execute("SHOW server_encoding")
            (encoding,) = cursor.fetchone()
        connection.commit()
        if encoding not in ("UTF8", b"UTF8"):
            raise GradebookError(f"the gradebook {name} is in {encoding}; make it with createdb --encoding=UTF8")

    return engine
