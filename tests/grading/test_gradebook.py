"""The gradebook on SQLite and on PostgreSQL: nothing is lost, doubled or overwritten."""

import contextlib
import ctypes
import hashlib
import json
import os
import pwd
import random
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from course.errors import GradebookError
from course.grading.gradebook.book import Gradebook
from course.grading.gradebook.schema import VERSION
from course.grading.grades import MACHINERY, STATUSES, Grade, Submission
from course.judging.results import Failure, Outcome
from tests.grading.test_postgres import server  # noqa: F401  a fixture

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
EXERCISES = ("02-freeze-backbone", "02-train-head")
OUTCOMES = (
    Outcome("nothing_moves", "Frozen weights stay", 2, True),
    Outcome("a_secret", "On other inputs too", 1, False, "tried", "got", "expected", "because", hidden=True),
)
NASTY = "a\0b\udfff\ud800\x1b[31m<script>‮=cmd|' /C calc'!A0\n" + "é🎓"


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path) -> str:
    """Of a gradebook that is not there yet."""
    if request.param == "sqlite":
        return str(tmp_path / "grades.sqlite")
    return request.getfixturevalue("server").database()


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def a_submission(learner="ada", *, hours=0, **changes) -> Submission:
    return replace(Submission(learner, Path(f"in/{learner}.ipynb"), handed_in=NOON + timedelta(hours=hours)), **changes)


def a_grade(content="ada 1", exercise=EXERCISES[0], score: float | None = 2.0, **changes) -> Grade:
    status = MACHINERY if score is None else "graded"
    return replace(
        Grade(digest(content), exercise, "judges", "seed", status, score, 3.0, OUTCOMES, graded_at=NOON), **changes
    )


def hand_in(gradebook, learner, content, *scores, notebook="02", **changes):
    """One submission and its grades: one score an exercise, "missing" for none."""
    gradebook.add_submission(
        a_submission(learner, **changes), digest(content), notebook=notebook, exercises=EXERCISES[: len(scores)]
    )
    for exercise, score in zip(EXERCISES, scores, strict=False):
        if score != "missing":
            gradebook.add_grade(a_grade(content, exercise, score))


def test_a_grade_comes_back_as_it_went_in(address):
    grade = Grade(
        submission=digest("x"),
        exercise=EXERCISES[0],
        judges=digest("judges"),
        seed=digest("seed"),
        status="error",
        score=1 / 3,
        points=3.0,
        outcomes=(*OUTCOMES, Outcome("j", "claim", 1, False, NASTY, NASTY, NASTY, NASTY)),
        failure=Failure("error", NASTY, NASTY * 1000),
        printed=NASTY + "x" * 10**6,
        notes=(NASTY, "two"),
        source=NASTY,
        isolation="container",
        seconds=0.125,
        machine="lab-3",
        graded_at=NOON,
    )
    with Gradebook.open(address) as gradebook:
        assert gradebook.add_grade(grade)
        assert list(gradebook.grades()) == [grade]
    with Gradebook.open(address) as gradebook:
        assert list(gradebook.grades(submission=digest("x"), exercise=EXERCISES[0])) == [grade]


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_is_kept(address, status):
    with Gradebook.open(address) as gradebook:
        gradebook.add_grade(a_grade(score=None if status == MACHINERY else 0.0, status=status))
        assert [grade.status for grade in gradebook.grades()] == [status]


def test_a_submission_comes_back_with_a_learners_name_made_safe(address):
    with Gradebook.open(address) as gradebook:
        for name in (NASTY, "x" * 10**6, "x" * 10**6 + "y"):
            gradebook.add_submission(
                a_submission(name, path=Path("in/\udce9.ipynb"), member=NASTY, late=True, handed_in=NOON),
                digest("x"),
                notebook="02",
                exercises=EXERCISES,
                problem=NASTY,
            )
        first, *long = gradebook.submissions()
        assert "\0" not in first.learner and first.learner.endswith("é🎓") and first.learner in gradebook.learners()
        assert list(gradebook.submissions(learner=NASTY)) == [first]
        assert len({row.learner for row in long}) == 2 and all(len(row.learner) <= 200 for row in long)
        assert (first.path, first.exercises, first.handed_in, first.late) == ("in/\\udce9.ipynb", EXERCISES, NOON, True)


def test_a_grade_that_contradicts_itself_is_refused(address):
    with Gradebook.open(address) as gradebook:
        wrong = [
            a_grade(score=None, status="graded"),
            a_grade(score=1.0, status=MACHINERY),
            a_grade(status="splendid"),
            a_grade(score=float("nan")),
            a_grade(points=float("inf")),
        ]
        for grade in wrong:
            with pytest.raises(GradebookError):
                gradebook.add_grade(grade)
        assert not list(gradebook.grades())


def test_the_same_grade_twice_stays_one_and_the_first(address):
    with Gradebook.open(address) as gradebook:
        assert gradebook.add_grade(a_grade(score=2.0))
        assert not gradebook.add_grade(a_grade(score=0.0, status="error"))
        assert [grade.score for grade in gradebook.grades()] == [2.0]
        for other in ({"judges": "newer"}, {"seed": "other"}, {"exercise": EXERCISES[1]}, {"submission": digest("y")}):
            assert gradebook.add_grade(a_grade(**other))
        assert len(list(gradebook.grades())) == 5


def test_a_failure_of_ours_is_replaced_by_a_grade_and_never_the_reverse(address):
    with Gradebook.open(address) as gradebook:
        assert gradebook.add_grade(a_grade(score=None))
        assert not gradebook.add_grade(a_grade(score=None))
        assert gradebook.all_graded() == set()
        assert gradebook.add_grade(a_grade(score=1.0))
        assert not gradebook.add_grade(a_grade(score=None))
        assert [(grade.status, grade.score) for grade in gradebook.grades()] == [("graded", 1.0)]
        assert gradebook.all_graded() == {(digest("ada 1"), EXERCISES[0], "judges", "seed")}


def test_the_same_content_handed_in_twice_is_one_row_with_its_earliest_time(address):
    with Gradebook.open(address) as gradebook:
        times = [5, 9, 2, None, 7]
        for hours in times:
            submission = a_submission(hours=hours or 0, late=hours not in (2, None), path=Path(f"in/{hours}.ipynb"))
            if hours is None:
                submission = replace(submission, handed_in=None)
            gradebook.add_submission(submission, digest("x"), notebook="02", exercises=EXERCISES)
        (row,) = gradebook.submissions()
        assert (row.handed_in, row.late, row.path) == (NOON + timedelta(hours=2), False, "in/2.ipynb")
        gradebook.add_submission(a_submission(hours=3), digest("x"), notebook="", exercises=(), problem="no JSON")
        (row,) = gradebook.submissions()
        assert (row.notebook, row.exercises, row.problem) == ("02", EXERCISES, "no JSON")


def test_an_earlier_version_handed_in_again_is_the_last_and_its_history_stays(address):
    with Gradebook.open(address) as gradebook:
        hand_in(gradebook, "ada", "good", 3.0, 3.0, hours=1)
        hand_in(gradebook, "ada", "bad", 0.0, 0.0, hours=2)
        for hours in (3, 3, 1, 5):  # new; seen again; the first one seen again; copied, with a newer date
            hand_in(gradebook, "ada", "good", "missing", "missing", hours=hours)
        found = [(row.digest, row.handed_in) for row in gradebook.submissions()]
        assert found == [(digest(c), NOON + timedelta(hours=h)) for c, h in (("good", 1), ("bad", 2), ("good", 3))]
        (last,) = gradebook.standings()
        assert (last.score, last.submission.handed_in) == (6.0, NOON + timedelta(hours=3))
        assert len(list(gradebook.grades())) == 4
        hand_in(gradebook, "ada", "bad", "missing", "missing", hours=7)
        assert gradebook.standings()[0].score == 0.0 and len(list(gradebook.submissions())) == 4


def test_a_folder_copied_with_newer_dates_keeps_which_version_was_the_last(address):
    with Gradebook.open(address) as gradebook:
        for later in (0, 10, 20):
            hand_in(gradebook, "ada", "first", 1.0, hours=later + 1)
            hand_in(gradebook, "ada", "second", 3.0, hours=later + (2 if later < 20 else 1))
            assert gradebook.standings()[0].score == 3.0


def test_another_notebook_in_between_makes_no_new_hand_in(address):
    with Gradebook.open(address) as gradebook:
        hand_in(gradebook, "ada", "two", 1.0, hours=1)
        hand_in(gradebook, "ada", "three", 1.0, hours=2, notebook="03")
        hand_in(gradebook, "ada", "two", 1.0, hours=3)
        assert len(list(gradebook.submissions())) == 2


def test_a_new_due_date_is_taken_over_when_the_same_file_is_read_again(address):
    with Gradebook.open(address) as gradebook:
        for late in (False, True):
            gradebook.add_submission(a_submission(late=late), digest("x"), notebook="02", exercises=EXERCISES)
        assert [row.late for row in gradebook.submissions()] == [True]


def test_two_learners_with_the_same_content_share_its_grades(address):
    with Gradebook.open(address) as gradebook:
        hand_in(gradebook, "ada", "shared", 2.0)
        hand_in(gradebook, "bob", "shared")
        gradebook.add_submission(a_submission("bob"), digest("shared"), notebook="02", exercises=EXERCISES[:1])
        assert len(list(gradebook.submissions())) == 2 and len(list(gradebook.grades())) == 1
        assert [(s.learner, s.score) for s in gradebook.standings()] == [("ada", 2.0), ("bob", 2.0)]
        assert len(list(gradebook.grades(learner="bob", notebook="02"))) == 1
        assert not list(gradebook.grades(learner="bob", notebook="03"))


def test_the_last_or_the_best_submission_counts_and_the_others_stay(address):
    with Gradebook.open(address) as gradebook:
        hand_in(gradebook, "ada", "first", 1.0, 1.0, hours=1)
        hand_in(gradebook, "ada", "best", 3.0, 1.0, hours=3)
        hand_in(gradebook, "ada", "as good, later", 2.0, 2.0, hours=4)
        hand_in(gradebook, "ada", "last", 0.0, 1.0, hours=9, late=True)
        (last,) = gradebook.standings()
        (best,) = gradebook.standings("best")
        assert (last.submission.digest, last.score, last.points, last.late) == (digest("last"), 1.0, 6.0, True)
        assert (best.submission.digest, best.score, best.late) == (digest("as good, later"), 4.0, False)
        assert len(list(gradebook.submissions(learner="ada"))) == 4
        with pytest.raises(GradebookError, match="last or best"):
            gradebook.standings("first")


def test_standings_are_one_for_each_learner_and_notebook(address):
    with Gradebook.open(address) as gradebook:
        for learner in ("bob", "ada"):
            hand_in(gradebook, learner, f"{learner} 3", 1.0, notebook="03")
            hand_in(gradebook, learner, f"{learner} 2", 2.0, notebook="02")
        pairs = [(standing.learner, standing.notebook) for standing in gradebook.standings()]
        assert pairs == [("ada", "02"), ("ada", "03"), ("bob", "02"), ("bob", "03")]
        assert [s.learner for s in gradebook.standings(notebook="03")] == ["ada", "bob"]
        (one,) = gradebook.standings(learner="ada", notebook="02")
        assert one.grades == {EXERCISES[0]: a_grade("ada 2", score=2.0)}
        (bare,) = gradebook.standings(learner="ada", notebook="02", details=False)
        assert (bare.score, bare.grades[EXERCISES[0]].outcomes) == (2.0, ())


def test_what_is_not_judged_yet_is_missing_and_not_a_zero(address):
    with Gradebook.open(address) as gradebook:
        hand_in(gradebook, "ada", "whole", 1.0, 0.0, hours=1)
        hand_in(gradebook, "ada", "ours failed", 3.0, None, hours=2)
        hand_in(gradebook, "bob", "killed halfway", 3.0, "missing")
        hand_in(gradebook, "cyd", "unreadable", problem="no JSON", notebook="")
        ada, bob, cyd = gradebook.standings()
        assert (ada.score, ada.missing) == (None, (EXERCISES[1],))
        assert (bob.score, bob.missing) == (None, (EXERCISES[1],))
        assert (cyd.score, cyd.submission.problem, cyd.notebook) == (None, "no JSON", "")
        (best,) = gradebook.standings("best", learner="ada")
        assert (best.submission.digest, best.score) == (digest("whole"), 1.0)


def test_a_grade_counts_under_the_newest_judges_that_gave_one(address):
    with Gradebook.open(address) as gradebook:
        hand_in(gradebook, "ada", "ada 1", 3.0)
        gradebook.add_grade(a_grade(score=1.0, judges="newer"))
        gradebook.add_grade(a_grade(score=None, judges="newest"))
        (standing,) = gradebook.standings()
        assert (standing.score, standing.grades[EXERCISES[0]].judges) == (1.0, "newer")
        assert len(list(gradebook.grades())) == 3


class Writer:
    """A process of its own that opens the gradebook, records grades and says so line by line."""

    def __init__(self, address: str, name: str, numbers: range):
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            with leaving(), Gradebook.open(address) as gradebook, os.fdopen(writing, "w") as says:
                print("secret", gradebook.secret, file=says, flush=True)
                for number in numbers:
                    content = f"{number:064}"
                    gradebook.add_submission(a_submission(), content, notebook="02", exercises=EXERCISES[:1])
                    grade = a_grade(score=float(number), submission=content, machine=name)
                    print("added" if gradebook.add_grade(grade) else "there", number, file=says, flush=True)
        os.close(writing)
        self.says = os.fdopen(reading)

    def wait(self) -> int:
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.says.close()
        return code


@contextlib.contextmanager
def leaving():
    """In a forked child: run the block, then end at once, with 0 or, when it raises, with 1."""
    try:
        yield
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def test_two_graders_that_make_one_gradebook_and_write_at_once_lose_and_double_nothing(address):
    writers = [Writer(address, "a", range(60)), Writer(address, "b", range(30, 90))]
    outputs = [writer.says.read().splitlines() for writer in writers]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert outputs[0][0] == outputs[1][0]  # one secret
    added = [line for output in outputs for line in output if line.startswith("added")]
    with Gradebook.open(address) as gradebook:
        assert outputs[0][0] == f"secret {gradebook.secret}" and len(bytes.fromhex(gradebook.secret)) == 16
        assert sorted(grade.score for grade in gradebook.grades()) == list(range(90))
        assert len(added) == len(set(added)) == 90
        assert len(list(gradebook.submissions())) == 90


def test_a_writer_killed_at_any_moment_loses_nothing_that_it_had_recorded(address):
    seed = random.Random(0)
    said: set[int] = set()
    for _ in range(5):
        writer = Writer(address, "a", range(10**6))
        lines = [writer.says.readline() for _ in range(seed.randrange(2, 40))]
        time.sleep(seed.random() / 50)
        os.kill(writer.pid, signal.SIGKILL)
        lines += writer.says.readlines()
        assert writer.wait() == -signal.SIGKILL
        said |= {int(line.split()[1]) for line in lines if line.startswith(("added", "there")) and line.endswith("\n")}
        with Gradebook.open(address) as gradebook:
            kept = [int(grade.score) for grade in gradebook.grades()]
            assert len(kept) == len(set(kept)) and said <= set(kept)
            assert set(kept) <= set(range(max(said) + 2))  # at most the one whose word was still to come


def test_reading_goes_on_while_another_writes(address):
    with Gradebook.open(address) as gradebook, Gradebook.open(address) as other:
        for number in range(3):
            gradebook.add_grade(a_grade(str(number)))
        reader = gradebook.grades()
        next(reader)
        assert other.add_grade(a_grade("meanwhile"))
        assert len(list(reader)) >= 2


VERSION_1 = """
CREATE TABLE gradebook_schema (version INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE gradebook_settings (name VARCHAR(64) NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE gradebook_submissions (
    id INTEGER NOT NULL PRIMARY KEY, learner TEXT NOT NULL, digest VARCHAR(64) NOT NULL, notebook TEXT NOT NULL,
    exercises TEXT NOT NULL, path TEXT NOT NULL, member TEXT NOT NULL, handed_in TEXT, late BOOLEAN NOT NULL,
    CONSTRAINT gradebook_one_submission UNIQUE (learner, digest));
CREATE INDEX gradebook_submissions_digest ON gradebook_submissions (digest);
CREATE TABLE gradebook_grades (
    id INTEGER NOT NULL PRIMARY KEY, submission VARCHAR(64) NOT NULL, exercise TEXT NOT NULL,
    judges VARCHAR(64) NOT NULL, seed VARCHAR(64) NOT NULL, status VARCHAR(32) NOT NULL, score FLOAT,
    points FLOAT NOT NULL, isolation VARCHAR(32) NOT NULL, seconds FLOAT NOT NULL, graded_at TEXT NOT NULL,
    detail TEXT NOT NULL, CONSTRAINT gradebook_one_grade UNIQUE (submission, exercise, judges, seed));
INSERT INTO gradebook_schema VALUES (1);
INSERT INTO gradebook_settings VALUES ('secret', '00112233445566778899aabbccddeeff');
INSERT INTO gradebook_submissions VALUES (1, 'ada', 'd1', '02', '["02-freeze-backbone"]', 'in/ada.ipynb', '',
    '2025-03-01T12:00:00.000000+00:00', FALSE);
INSERT INTO gradebook_submissions VALUES (2, 'bob', 'd1', '02', '["02-freeze-backbone"]', 'in/bob.ipynb', 'x', NULL,
    TRUE);
INSERT INTO gradebook_grades VALUES (1, 'd1', '02-freeze-backbone', 'j', 's', 'graded', 2.5, 3.0, 'sandbox', 0.5,
    '2025-03-01T13:00:00.000000+00:00',
    '{"outcomes": [{"name": "n", "claim": "c", "points": 3, "passed": false, "tried": "", "got": "", "expected": "",
    "because": "why", "hidden": false}], "failure": null, "printed": "hello", "notes": [], "source": "def f(): ..."}')
"""


def run_sql(address: str, script: str) -> None:
    url = address.replace("postgresql://", "postgresql+psycopg://") if "://" in address else f"sqlite:///{address}"
    engine = create_engine(url)
    if engine.dialect.name == "postgresql":  # there, a primary key counts by itself only as SERIAL
        for table in ("submissions", "grades"):
            script = script.replace(
                f"gradebook_{table} (\n    id INTEGER", f"gradebook_{table} (\n    id SERIAL"
            ).replace("score FLOAT", "score DOUBLE PRECISION")
    with engine.begin() as connection:
        for statement in script.split(";\n"):
            connection.execute(text(statement.replace(":", "\\:")))
        if engine.dialect.name == "postgresql":  # ids were given by hand
            sequence = "pg_get_serial_sequence('gradebook_submissions', 'id')"
            connection.execute(text(f"SELECT setval({sequence}, max(id)) FROM gradebook_submissions"))
    engine.dispose()


def test_a_gradebook_of_version_1_is_migrated_with_nothing_lost(address):
    run_sql(address, VERSION_1)
    with Gradebook.open(address) as gradebook:
        assert gradebook.secret == "00112233445566778899aabbccddeeff"
        ada, bob = gradebook.submissions()
        assert (ada.learner, ada.handed_in, ada.late, ada.problem) == ("ada", NOON, False, "")
        assert (bob.member, bob.handed_in, bob.late, bob.exercises) == ("x", None, True, EXERCISES[:1])
        (grade,) = gradebook.grades()
        assert (grade.score, grade.points, grade.seconds, grade.printed, grade.machine) == (2.5, 3.0, 0.5, "hello", "")
        assert grade.outcomes == (Outcome("n", "c", 3, False, because="why"),)
    with Gradebook.open(address) as gradebook:  # a second time there is nothing to migrate
        assert not gradebook.add_grade(grade)
        assert len(gradebook.standings()) == 2


TO_VERSION_2 = """
ALTER TABLE gradebook_submissions ADD COLUMN problem TEXT NOT NULL DEFAULT '';
ALTER TABLE gradebook_grades ADD COLUMN machine TEXT NOT NULL DEFAULT '';
UPDATE gradebook_submissions SET problem = 'it is no notebook' WHERE learner = 'bob';
UPDATE gradebook_schema SET version = 2
"""


def test_a_gradebook_of_version_2_is_migrated_with_nothing_lost(address):
    run_sql(address, VERSION_1)
    run_sql(address, TO_VERSION_2)
    with Gradebook.open(address) as gradebook:
        ada, bob = gradebook.submissions()
        assert (ada.problem, bob.problem) == ("", "it is no notebook")
        assert {one.full_name + one.reader for one in (ada, bob)} == {""}
        (grade,) = gradebook.grades()
        assert grade.score == 2.5
        submission = Submission("ada", Path("in/ada.ipynb"), handed_in=NOON, full_name="Adams, Ada")
        gradebook.add_submission(submission, "d1", notebook="02", exercises=EXERCISES[:1])
        assert next(gradebook.submissions()).full_name == "Adams, Ada"


TO_VERSION_3 = """
ALTER TABLE gradebook_submissions ADD COLUMN full_name TEXT NOT NULL DEFAULT '';
ALTER TABLE gradebook_submissions ADD COLUMN reader VARCHAR(64) NOT NULL DEFAULT '';
UPDATE gradebook_submissions SET full_name = 'Adams, Ada' WHERE learner = 'ada';
UPDATE gradebook_schema SET version = 3
"""


def test_a_gradebook_of_version_3_is_migrated_and_content_may_come_again(address):
    for script in (VERSION_1, TO_VERSION_2, TO_VERSION_3):
        run_sql(address, script)
    with Gradebook.open(address) as gradebook:
        ada, bob = gradebook.submissions()
        assert (ada.full_name, ada.handed_in, bob.problem, bob.late) == ("Adams, Ada", NOON, "it is no notebook", True)
        assert [grade.score for grade in gradebook.grades()] == [2.5]
        for content, hours in (("d2", 1), ("d1", 2)):
            submission = a_submission(hours=hours)
            gradebook.add_submission(submission, content, notebook="02", exercises=EXERCISES[:1])
        assert [row.digest for row in gradebook.submissions(learner="ada")] == ["d1", "d2", "d1"]
        assert gradebook.standings(learner="ada")[0].score == 2.5


def test_a_full_name_stays_until_a_roster_gives_another(address):
    with Gradebook.open(address) as gradebook:
        found = []
        for full_name in ("", "Adams, Ada", "", "Adams, Ada Z."):
            submission = a_submission(full_name=full_name)
            gradebook.add_submission(submission, digest("ada"), notebook="02", exercises=EXERCISES)
            found += [one.full_name for one in gradebook.submissions()]
        assert found == ["", "Adams, Ada", "Adams, Ada", "Adams, Ada Z."]


def test_what_found_a_problem_is_kept_and_goes_with_it(address):
    with Gradebook.open(address) as gradebook:
        for problem, reader in (("no notebook", "r1"), ("", "")):
            gradebook.add_submission(
                a_submission(), digest("ada"), notebook="", exercises=(), problem=problem, reader=reader
            )
            (one,) = gradebook.submissions()
            assert (one.problem, one.reader) == (problem, reader)


def test_a_migrated_gradebook_has_the_tables_of_a_new_one(tmp_path):
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    run_sql(str(old), VERSION_1)
    columns = []
    for path in (old, new):
        Gradebook.open(path).close()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            columns.append(
                {
                    table: {(row[1], row[3]) for row in connection.execute(f"PRAGMA table_info({table})")}
                    for table in tables
                }
            )
    assert columns[0] == columns[1]


def test_a_migration_that_fails_leaves_the_old_gradebook_as_it_was(address, monkeypatch):
    from course.grading.gradebook import schema

    run_sql(address, VERSION_1)

    def half(connection):
        original(connection)
        connection.execute(text("SELECT nonsense"))

    original = schema.MIGRATIONS[1]
    monkeypatch.setitem(schema.MIGRATIONS, 1, half)
    with pytest.raises(GradebookError):
        Gradebook.open(address)
    monkeypatch.undo()
    with Gradebook.open(address) as gradebook:
        assert len(list(gradebook.submissions())) == 2


def test_a_gradebook_of_a_newer_version_is_left_alone(address):
    with Gradebook.open(address) as gradebook:
        gradebook.add_grade(a_grade())
    run_sql(address, f"UPDATE gradebook_schema SET version = {VERSION + 1}")
    with pytest.raises(GradebookError, match=r"newer version of the course.*pip install --upgrade"):
        Gradebook.open(address)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path):
    path = tmp_path / "grades.sqlite"
    content = b"my thesis, the only copy " * 1000
    path.write_bytes(content)
    with pytest.raises(GradebookError, match="choose another file"):
        Gradebook.open(path)
    assert path.read_bytes() == content


def test_somebody_elses_database_is_refused_and_kept(tmp_path):
    path = tmp_path / "places.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE places (url TEXT)")
        connection.commit()
    with pytest.raises(GradebookError, match="no gradebook"):
        Gradebook.open(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("places",)]


def test_a_folder_or_a_wrong_address_is_refused_with_what_to_do(tmp_path):
    for address, then in {
        str(tmp_path): "check that its folder exists",
        "mysql://user@server/grades": "neither SQLite nor PostgreSQL",
        "sqlite://": "give the path of a file",
        "postgresql+nothing://user@server/grades": "postgresql\\+psycopg://",
        "://": "SQLAlchemy address",
    }.items():
        with pytest.raises(GradebookError, match=then):
            Gradebook.open(address)


def test_a_new_file_is_for_its_owner_alone_because_it_holds_the_secret(tmp_path):
    with Gradebook.open(tmp_path / "a folder" / "grades.sqlite") as gradebook:
        gradebook.add_grade(a_grade())
        for path in (tmp_path / "a folder").iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_sqlite_writes_ahead_and_to_the_disk(tmp_path):
    with Gradebook.open(tmp_path / "g.sqlite") as gradebook, gradebook._writing() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_gradebook_that_another_program_holds_is_reported_and_works_afterwards(tmp_path):
    path = tmp_path / "grades.sqlite"
    with Gradebook.open(path, wait_s=0.2) as gradebook, contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(GradebookError, match="another program holds it"):
            gradebook.add_grade(a_grade())
        other.rollback()
        assert gradebook.add_grade(a_grade())


def in_a_child(work) -> int:
    """Run it in a process of its own; its exit code, which is 1 when it raises."""
    child = os.fork()
    if child == 0:
        with leaving():
            work()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def become_an_ordinary_user() -> None:
    """Nothing is read-only to root."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)


def test_a_read_only_gradebook_can_be_read_and_says_that_it_cannot_be_written():
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, which is for root's eyes only
        path = Path(folder) / "grades.sqlite"
        with Gradebook.open(path) as gradebook:
            hand_in(gradebook, "ada", "ada 1", 2.0)
        path.chmod(0o444)
        Path(folder).chmod(0o755)

        def read_and_write():
            become_an_ordinary_user()
            with Gradebook.open(path) as gradebook:
                assert [standing.score for standing in gradebook.standings()] == [2.0]
                with pytest.raises(GradebookError, match="make the file and its folder writable"):
                    gradebook.add_grade(a_grade("another"))

        assert in_a_child(read_and_write) == 0
        with Gradebook.open(path) as gradebook:
            assert len(list(gradebook.grades())) == 1


def fill(path: Path) -> int:
    """Record grades until the disk is full; how many were recorded, all of them still there to be read."""
    with Gradebook.open(path) as gradebook:
        for number in range(1000):
            try:
                gradebook.add_grade(a_grade(exercise=f"02-{number}", printed="x" * 200_000))
            except GradebookError as error:
                assert "free some space" in str(error)
                assert len(list(gradebook.grades())) == number
                return number
    raise AssertionError("the disk never was full")


def check_filled(path: Path) -> None:
    with Gradebook.open(path) as gradebook:
        kept = [grade.exercise for grade in gradebook.grades()]
        assert len(kept) > 2 and kept == [f"02-{number}" for number in range(len(kept))]
        assert all(len(grade.printed) == 200_000 for grade in gradebook.grades())
        assert gradebook.add_grade(a_grade(exercise="another"))


def test_a_full_disk_is_reported_and_loses_nothing(tmp_path):
    path = tmp_path / "grades.sqlite"

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**21, 2**21))
        (tmp_path / "recorded").write_text(str(fill(path)))

    assert in_a_child(work) == 0
    check_filled(path)
    with Gradebook.open(path) as gradebook:
        assert len(list(gradebook.grades())) == int((tmp_path / "recorded").read_text()) + 1


def mount_small(folder: Path) -> None:
    """A file system of 3 MiB at the folder, in a mount namespace of this process alone. Raises OSError."""
    new_user, new_mounts = 0x10000000, 0x00020000
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(new_user | new_mounts if user else new_mounts):
        raise OSError(ctypes.get_errno(), "unshare")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    for arguments in (["--make-rprivate", "/"], ["-t", "tmpfs", "-o", "size=3m", "none", str(folder)]):
        if subprocess.run(["mount", *arguments], capture_output=True).returncode:
            raise OSError("mount")


@pytest.mark.skipif(sys.platform != "linux", reason="needs mount namespaces, which only Linux has")
def test_a_full_file_system_is_reported_and_loses_nothing(tmp_path):
    def work():
        try:
            mount_small(tmp_path)
        except OSError:
            os._exit(77)
        (tmp_path / "filler").write_bytes(bytes(2**20))
        fill(tmp_path / "grades.sqlite")
        (tmp_path / "filler").unlink()
        check_filled(tmp_path / "grades.sqlite")

    if (code := in_a_child(work)) == 77:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("needs a small file system, which this machine does not let us mount")
    assert code == 0


def test_details_are_ascii_so_that_every_database_can_hold_them(tmp_path):
    path = tmp_path / "grades.sqlite"
    with Gradebook.open(path) as gradebook:
        gradebook.add_grade(a_grade(printed=NASTY))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        ((detail,),) = connection.execute("SELECT detail FROM gradebook_grades")
    assert detail.isascii() and "\0" not in detail and json.loads(detail)["printed"] == NASTY
