"""A submission is named and read without surprises; what cannot be read says so as a SubmissionError."""

import dataclasses
import hashlib
import pickle
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from course.errors import GradingError, SubmissionError
from course.grading import grades
from course.grading.grades import Grade, Submission, digest
from course.judging.results import Failure, Outcome


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("ada/02.ipynb", b"{}" * 100)
    return path


def test_a_submission_is_called_by_its_file_or_by_its_place_in_a_zip():
    assert Submission("ada", Path("a/02.ipynb")).name == str(Path("a/02.ipynb"))
    assert Submission("ada", Path("class.zip"), "ada/02.ipynb").name == "class.zip:ada/02.ipynb"


def test_the_bytes_are_those_of_the_file_or_member(tmp_path, archive):
    path = tmp_path / "02.ipynb"
    path.write_bytes(b"\xff\x00 anything")
    assert Submission("ada", path).content() == b"\xff\x00 anything"
    assert Submission("ada", archive, "ada/02.ipynb").content() == b"{}" * 100


def test_the_same_bytes_are_the_same_submission_whatever_their_name():
    assert digest(b"x") == hashlib.sha256(b"x").hexdigest() != digest(b"y")


@pytest.mark.parametrize("size", [0, 9, 10])
def test_up_to_the_limit_all_of_it_is_read(tmp_path, monkeypatch, size):
    monkeypatch.setattr(grades, "MAX_NOTEBOOK", 10)
    (tmp_path / "x").write_bytes(b"x" * size)
    assert len(Submission("ada", tmp_path / "x").content()) == size


def test_over_the_limit_it_is_refused_with_what_to_do(tmp_path, monkeypatch, archive):
    monkeypatch.setattr(grades, "MAX_NOTEBOOK", 10)
    (tmp_path / "x").write_bytes(b"x" * 11)
    for large in (Submission("ada", tmp_path / "x"), Submission("ada", archive, "ada/02.ipynb")):
        with pytest.raises(SubmissionError, match="with its outputs cleared"):
            large.content()


def test_what_cannot_be_read_is_asked_for_again(tmp_path, archive):
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 no zip")
    content = bytearray(archive.read_bytes())
    content[45:55] = b"\xff" * 10  # in the compressed bytes
    (tmp_path / "damaged.zip").write_bytes(content)
    broken = [
        Submission("ada", tmp_path / "missing.ipynb"),
        Submission("ada", tmp_path),
        Submission("ada", archive, "ada/missing.ipynb"),
        Submission("ada", tmp_path / "missing.zip", "x"),
        Submission("ada", tmp_path / "no.zip", "x"),
        Submission("ada", tmp_path / "damaged.zip", "ada/02.ipynb"),
    ]
    for one in broken:
        with pytest.raises(SubmissionError, match="ask for it again") as caught:
            one.content()
        assert one.name in str(caught.value) and isinstance(caught.value, GradingError)


def test_a_grade_travels_between_processes_and_cannot_be_changed():
    outcome = Outcome("name", "claim", 3, True, hidden=True)
    failure = Failure("error", "message", "trace")
    grade = Grade("s", "02-x", "j", "d", grades.GRADED, 3, 3, (outcome,), failure, graded_at=datetime.now(UTC))
    assert pickle.loads(pickle.dumps(grade)) == grade
    assert len({grade, dataclasses.replace(grade, score=2)}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        grade.score = 4


def test_the_statuses_are_those_that_judging_gives_and_one_of_ours():
    assert len(set(grades.STATUSES)) == 7
    assert grades.STATUSES[-1] == grades.MACHINERY
