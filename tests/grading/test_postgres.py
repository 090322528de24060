"""The gradebook on a real PostgreSQL server, started here on a temporary folder and a unix socket in it."""

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest

from course.errors import GradebookError
from course.grading.gradebook.book import Gradebook
from course.grading.grades import Grade
from tests.conftest import needs_program


class Server:
    """A server of our own; it refuses to run as root, so root starts it as an unprivileged user."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.user: dict = {}
        if os.geteuid() == 0:
            owner = _unprivileged()
            self.user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": ()}
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "-U", "grader", "-A", "trust", "--encoding=UTF8", "--locale=C")

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-l", f"{self.folder}/log", "-o", f"-k {self.folder} -c listen_addresses=''")

    def stop(self, how: str = "fast") -> None:
        self._run("pg_ctl", "stop", "-w", "-m", how)

    def database(self, encoding: str = "UTF8") -> str:
        """The address of a new database."""
        name = f"grades_{uuid.uuid4().hex[:12]}"
        self._run("createdb", "-h", self.folder, "-U", "grader", "-T", "template0", "-E", encoding, name, data=False)
        return f"postgresql://grader:a-password@/{name}?host={self.folder}"

    def _run(self, program: str, *arguments, data: bool = True) -> None:
        where = ["-D", f"{self.folder}/data"] if data else []
        with (self.folder / "output").open("ab") as output:  # a pipe would stay open in the server
            done = subprocess.run(
                [_program(program), *where, *map(str, arguments)],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=120,
                **self.user,
            )
        assert done.returncode == 0, (self.folder / "output").read_text()


def _program(name: str) -> str:
    """Debian keeps them out of PATH."""
    found = [shutil.which(name), *sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)]
    return next((path for path in found if path and Path(path).exists()), name)


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("root needs a user postgres or nobody to start PostgreSQL as")


@pytest.fixture(scope="session")
def server():
    pytest.importorskip("psycopg", reason="needs psycopg, which is not installed")
    needs_program(*map(_program, ("initdb", "pg_ctl", "createdb")))
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path has at most 107 characters
    server = Server(folder)
    server.start()
    yield server
    server.stop("immediate")
    shutil.rmtree(folder)


def a_grade(number: int = 0) -> Grade:
    return Grade("d" * 64, f"02-exercise-{number}", "j" * 64, "s" * 64, "graded", 1.0, 2.0)


def test_a_server_that_dies_loses_no_grade_and_is_used_again_when_it_is_back(server):
    with Gradebook.open(server.database()) as gradebook:
        assert gradebook.add_grade(a_grade(0))
        server.stop("immediate")  # as a power cut: no clean end
        with pytest.raises(GradebookError, match="what was recorded before is safe"):
            gradebook.add_grade(a_grade(1))
        server.start()
        assert not gradebook.add_grade(a_grade(0))
        assert gradebook.add_grade(a_grade(1))
        assert len(list(gradebook.grades())) == 2


def test_a_password_is_never_shown(server):
    address = server.database()
    with Gradebook.open(address) as gradebook:
        assert "a-password" in address and "a-password" not in gradebook.name
    with pytest.raises(GradebookError) as caught:
        Gradebook.open(address.replace("/grades_", "/nowhere_"))
    assert "a-password" not in str(caught.value) and "make the database" in str(caught.value)


def test_a_database_that_cannot_hold_every_name_is_refused(server):
    with pytest.raises(GradebookError, match="--encoding=UTF8"):
        Gradebook.open(server.database("SQL_ASCII"))


def test_other_tables_in_the_same_database_stay_as_they_are(server):
    psycopg = pytest.importorskip("psycopg")
    address = server.database()
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE grades (mine integer)")
        connection.execute("INSERT INTO grades VALUES (7)")
    with Gradebook.open(address) as gradebook:
        gradebook.add_grade(a_grade())
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT mine FROM grades").fetchall() == [(7,)]


def test_a_table_that_another_program_has_locked_is_reported(server):
    psycopg = pytest.importorskip("psycopg")
    address = server.database()
    with Gradebook.open(address, wait_s=0.2) as gradebook:
        with psycopg.connect(address) as connection:
            connection.execute("LOCK TABLE gradebook_grades")
            with pytest.raises(GradebookError, match="another program holds it"):
                gradebook.add_grade(a_grade())
        assert gradebook.add_grade(a_grade())
