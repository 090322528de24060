"""Learners who get another name, say by a roster that is given later, take along what they handed in."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from course.grading.capstone.work import read_capstone
from course.grading.gradebook.book import Gradebook
from course.grading.grades import CapstoneSubmission, Grade, Submission, digest, problem_digest
from course.grading.reports.write import write_reports
from course.grading.run.renamed import move_renamed
from course.grading.submissions.collect import collect

ROSTER = "name,email\nAlice Arnold,alice@uni.edu\nBen Berg,ben@uni.edu\nCleo Cruz,cleo@uni.edu\n"
EXERCISE = "02-freeze-backbone"


@dataclass
class Class:
    """A folder of notebooks, and what a run does with it but for running them."""

    folder: Path
    book: Gradebook

    def write(self, name: str, text: str) -> Path:
        path = self.folder / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, roster: str = "") -> list[str]:
        lines: list[str] = []
        (self.folder / "roster.csv").write_text(roster)
        given = self.folder / "roster.csv" if roster else None
        submissions = collect([self.folder / "class"], roster=given, tell=lambda line: None)
        move_renamed(submissions, self.book, lines.append)
        for one in submissions:
            name = problem_digest(one.learner, one.name, one.problem) if one.problem else digest(one.content())
            self.book.add_submission(
                one, name, notebook="" if one.problem else "02", exercises=[EXERCISE], problem=one.problem
            )
            if not one.problem:
                self.book.add_grade(Grade(name, EXERCISE, "j", "s", "graded", 3.0, 4.0))
        return lines

    @property
    def rows(self) -> list[tuple[str, str]]:
        return [(row.learner, row.full_name) for row in self.book.submissions()]


@pytest.fixture
def some_class(tmp_path):
    with Gradebook.open(tmp_path / "gradebook.sqlite") as book:
        yield Class(tmp_path, book)


def test_a_roster_given_later_moves_submissions_and_their_history_and_keeps_grades(some_class):
    some_class.write("alice/02.ipynb", "first")
    some_class.run()
    some_class.write("alice/02.ipynb", "second")
    some_class.write("mona/02.ipynb", "other")
    assert some_class.run() == []
    before = list(some_class.book.grades())
    assert some_class.run(ROSTER) == ["alice is now Alice Arnold: 2 submissions moved"]
    assert some_class.rows == [("alice@uni.edu", "Alice Arnold")] * 2 + [("mona", "")]
    assert list(some_class.book.grades()) == before
    assert [(s.learner, s.score) for s in some_class.book.standings()] == [("alice@uni.edu", 3.0), ("mona", 3.0)]
    assert some_class.run(ROSTER) == []


def test_two_people_who_were_one_get_each_their_own(some_class):
    for name in ("hans", "ida"):
        path = some_class.write(f"section1/{name}/02.ipynb", name)
        some_class.book.add_submission(
            Submission("section1", path), digest(path.read_bytes()), notebook="02", exercises=[]
        )
    assert some_class.run() == [f"section1 is now {name}: 1 submission moved" for name in ("hans", "ida")]
    assert some_class.rows == [("hans", ""), ("ida", "")]


def test_the_name_of_a_person_who_was_taken_for_another_goes_with_the_move(some_class):
    path = some_class.write("max_mustermann/02.ipynb", "x")
    wrong = Submission("max@uni.edu", path, full_name="Max Meier")
    some_class.book.add_submission(wrong, digest(b"x"), notebook="02", exercises=[])
    some_class.run()
    assert some_class.rows == [("max_mustermann", "")]


def test_a_gradebook_in_which_somebody_stands_twice_is_mended(some_class):
    path = some_class.write("alice/02.ipynb", "x")
    for learner in ("alice", "alice@uni.edu"):
        some_class.book.add_submission(Submission(learner, path), digest(b"x"), notebook="02", exercises=[EXERCISE])
    some_class.run(ROSTER)
    assert some_class.rows == [("alice@uni.edu", "Alice Arnold")]


def test_another_file_at_the_same_place_moves_nothing(some_class):
    path = some_class.write("ben/02.ipynb", "ben's")
    some_class.book.add_submission(Submission("anna", path), digest(b"anna's"), notebook="02", exercises=[])
    assert some_class.run() == []
    assert [learner for learner, _ in some_class.rows] == ["anna", "ben"]


def test_a_file_without_a_notebook_moves_too(some_class):
    some_class.write("alice/answer.pdf", "x")
    some_class.write("ben/02.ipynb", "x")
    some_class.run()
    assert len(some_class.run(ROSTER)) == 2
    assert [learner for learner, _ in some_class.rows] == ["alice@uni.edu", "ben@uni.edu"]


def test_a_capstone_moves_and_a_group_keeps_every_member(tmp_path):
    (tmp_path / "capstone.safetensors").write_bytes(b"x")
    lines: list[str] = []
    with Gradebook.open(tmp_path / "gradebook.sqlite") as book:
        for names in (("ada", "ben"), ("ada@x", "ben@x"), ("ada@x", "ben@x")):
            group = [CapstoneSubmission(name, tmp_path / "capstone.safetensors") for name in names]
            move_renamed(group, book, lines.append)
            for one in group:
                book.add_submission(one, read_capstone(one)[0], notebook="11", exercises=[])
            assert [row.learner for row in book.submissions()] == list(names)
    assert lines == ["ada is now ada@x: 1 submission moved", "ben is now ben@x: 1 submission moved"]


def test_the_page_of_a_name_that_is_gone_is_removed_and_nothing_else(some_class, tmp_path):
    some_class.write("alice/02.ipynb", "x")
    some_class.run()
    write_reports(some_class.book, tmp_path / "out")
    (tmp_path / "out/learners/mine.html").write_text("<p>an instructor's own")
    assert (tmp_path / "out/learners/alice.html").exists() and (tmp_path / "out/instructor/alice.html").exists()
    some_class.run(ROSTER)
    write_reports(some_class.book, tmp_path / "out")
    names = {path.name[:5] for path in tmp_path.glob("out/*/*.html")}
    assert names == {"alice", "mine."} and not list(tmp_path.glob("out/*/alice.html"))


def test_who_is_in_the_roster_and_handed_in_nothing_is_listed(some_class, tmp_path):
    some_class.write("alice/02.ipynb", "x")
    some_class.run(ROSTER)
    book = some_class.book
    assert book.absent() == {}
    book.keep_roster({"alice@uni.edu": "Alice Arnold", "ben@uni.edu": "Ben <b>Berg", "cleo": ""})
    assert book.absent() == {"ben@uni.edu": "Ben <b>Berg", "cleo": ""}
    text = write_reports(book, tmp_path / "out").read_text()
    assert "Handed in nothing: 2" in text and "<bdi>Ben &lt;b&gt;Berg</bdi>" in text and "<bdi>cleo<wbr></bdi>" in text
    assert "Nothing: every notebook" not in text
    some_class.write("ben/02.ipynb", "y")
    some_class.run(ROSTER)
    assert book.absent() == {"cleo": ""}
