"""Every format is written, read back as the other system would read it, and compared with the gradebook."""

import base64
import csv
import hashlib
import html
import io
import json
import os
import re
import stat
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from course.errors import ExportError
from course.grading.exports.export import FORMATS, export
from course.grading.exports.files import guard, write_whole
from course.grading.gradebook.book import Gradebook
from course.grading.grades import MACHINERY, Grade, Submission
from course.judging.results import Failure, Outcome

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
FREEZE, HEAD = EXERCISES = ("02-freeze-backbone", "02-train-head")
SECRETS = ("SECRET-TRIED", "SECRET-GOT", "SECRET-EXPECTED", "SECRET-BECAUSE")
HOSTILE = "=cmd|'/C calc'!A0"
WILD = "\x1b[31m<script>alert(1)</script>\u202e\0\ud800\n::error::forged %"


def digest(name: str) -> str:
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()


def outcomes(passed: int) -> tuple[Outcome, ...]:
    """Three points over two visible judges and a hidden one; the first so many are passed."""
    tells = (WILD, f"got {WILD}", "zeros, everywhere", "frozen weights are not a frozen layer")
    return (
        Outcome("a", "Frozen weights stay", 1, passed > 0, *(() if passed > 0 else tells)),
        Outcome("b", "BatchNorm statistics stay", 1, passed > 1, *(() if passed > 1 else tells)),
        Outcome("c", "On other networks, too", 1, passed > 2, *SECRETS, hidden=True),
    )


def a_grade(learner: str, exercise: str, score: float | None, **changes) -> Grade:
    if score is None:
        changes = {"status": MACHINERY, "outcomes": (), **changes}
    grade = Grade(
        digest(learner), exercise, "judges", "seed", "graded", score, 3.0, outcomes(int(score or 0)), graded_at=NOON
    )
    return replace(grade, **changes)


@pytest.fixture
def gradebook(tmp_path):
    with Gradebook.open(tmp_path / "grades.sqlite") as gradebook:
        yield gradebook


def hand_in(gradebook, learner, *scores, notebook="02", late=False):
    exercises = [exercise.replace("02", notebook) for exercise in EXERCISES[: len(scores)]]
    submission = Submission(learner, Path("in/x.ipynb"), handed_in=NOON, late=late)
    gradebook.add_submission(submission, digest(learner), notebook=notebook, exercises=exercises)
    for exercise, score in zip(exercises, scores, strict=True):
        gradebook.add_grade(a_grade(learner, exercise, score))


@pytest.fixture
def of_three(gradebook):
    """Ada has all, Bob a part, and of Cyd's one exercise failed through us."""
    hand_in(gradebook, "ada@uni.edu", 3.0, 3.0)
    hand_in(gradebook, "bob@uni.edu", 1.0, 0.0, late=True)
    hand_in(gradebook, "cyd@uni.edu", 3.0, None)
    return gradebook


def read_csv(path: Path, **how) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), **how))


def records(rows: list[list[str]]) -> list[dict[str, str]]:
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


CANVAS = '''\
Student,ID,SIS User ID,SIS Login ID,Section,Notes,02 Freeze the backbone (991),02-train-head (992),Essay (993),\
Assignments Current Score,Final Score
,,,,,,Manual Posting,,,,
    Points Possible,,,,,,6.00,30.00,10.00,(read only),(read only)
"Lovelace, Ada",101,S1,ada@uni.edu,"One, and ""Two""",,,,8.00,80.0,80.0
"Bobbin, Bob",102,S2,bob@uni.edu,One,a note,5.00,,7.00,70.0,70.0
"Cyd, Cyd",103,S3,cyd@uni.edu,One,,2.00,,,,
"Dot, Dot",104,S4,dot@uni.edu,One,,1.00,N/A,9.00,90.0,90.0
"Student, Test",105,,5f2,One,,,,,,
'''


def canvas_grades(path: Path, **how) -> dict[tuple[str, str], str]:
    """As Canvas's gradebook_importer.rb reads it: by learner's id and assignment's id."""
    rows = read_csv(path, **how)
    header = rows[0]
    assert "Student" in header[0] and "ID" in header[1]
    assert re.search(r"SIS\s+User\s+ID", header[2]) and re.search(r"SIS\s+Login\s+ID", header[3])
    assert "Section" in header[4]
    ids = {column: match[1] for column, name in enumerate(header) if (match := re.search(r"\((\d+)\)$", name))}
    found = {}
    for row in rows[1:]:
        hidden = all(re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", cell, re.I) for cell in row)
        if "Points Possible" not in row[0] and not hidden:
            found |= {(row[1], number): row[column] for column, number in ids.items()}
    return found


def test_canvas_gets_its_own_file_back_with_our_columns_filled_in(of_three, tmp_path):
    roster, out = tmp_path / "canvas.csv", tmp_path / "out.csv"
    roster.write_text(CANVAS)
    hand_in(of_three, "eve@uni.edu", 3.0, 3.0)
    done = export(of_three, "canvas", out, roster=roster)
    before, after = canvas_grades(roster), canvas_grades(out)
    expected = {("101", "991"): "6", ("101", "992"): "30", ("102", "991"): "1", ("102", "992"): "0"}
    assert {key for key in after if after[key] != before[key]} == set(expected)
    assert {key: after[key] for key in expected} == expected
    assert after[("103", "991")] == "2.00"  # a failure of ours leaves what Canvas has
    assert (done.written, done.unmatched, done.ungraded) == (4, ("eve@uni.edu",), ("cyd@uni.edu",))
    assert "scaled to Canvas's 30" in str(done) and "eve@uni.edu" in str(done)
    unchanged = [
        (a, b)
        for row_a, row_b in zip(read_csv(roster), read_csv(out), strict=True)
        for column, (a, b) in enumerate(zip(row_a, row_b, strict=True))
        if column not in (6, 7)
    ]
    assert all(a == b for a, b in unchanged) and len(unchanged) == 8 * 9


def test_canvas_keeps_the_excused_and_the_kind_of_file(of_three, tmp_path):
    roster = tmp_path / "canvas.csv"
    text = CANVAS.replace('One, and ""Two""', "One").replace("a note,5.00", "a note,EX")
    text = "\n".join(";".join(row) for row in csv.reader(io.StringIO(text)))
    roster.write_bytes(("\ufeff" + text.replace("\n", "\r\n") + "\r\n").encode())
    done = export(of_three, "canvas", roster, roster=roster)  # over itself
    after = canvas_grades(roster, delimiter=";")
    assert after[("101", "991")] == "6" and after[("102", "991")] == "EX"
    assert roster.read_bytes().startswith(b"\xef\xbb\xbfStudent;ID") and roster.read_bytes().count(b"\r\n") == 8
    assert "bob@uni.edu is excused" in str(done)


@pytest.mark.parametrize(
    "name", ["101", "S1", "ADA@uni.edu", "ada", "Lovelace, Ada", "Ada Lovelace", "lovelaceada", "ada  lovelace"]
)
def test_canvas_finds_a_learner_by_any_of_its_names(gradebook, tmp_path, name):
    (tmp_path / "canvas.csv").write_text(CANVAS)
    hand_in(gradebook, name, 3.0, 3.0)
    done = export(gradebook, "canvas", tmp_path / "out.csv", roster=tmp_path / "canvas.csv")
    assert not done.unmatched and canvas_grades(tmp_path / "out.csv")[("101", "991")] == "6"


def test_canvas_never_guesses_between_two(gradebook, tmp_path):
    text = CANVAS.replace("dot@uni.edu", "ada@other.edu").replace("Dot, Dot", "Bobbin, Bob")
    (tmp_path / "canvas.csv").write_text(text)
    for name in ("ada", "Bob Bobbin", "cyd", "cyd@uni.edu"):  # two rows each, and two learners for one row
        hand_in(gradebook, name, 3.0, 3.0)
    done = export(gradebook, "canvas", tmp_path / "out.csv", roster=tmp_path / "canvas.csv")
    assert done.written == 0 and set(done.unmatched) == {"ada", "Bob Bobbin", "cyd", "cyd@uni.edu"}
    assert canvas_grades(tmp_path / "out.csv") == canvas_grades(tmp_path / "canvas.csv")


def test_canvas_fills_the_column_that_is_named(of_three, tmp_path):
    (tmp_path / "canvas.csv").write_text(CANVAS)
    for name in ("Essay", "993", "Essay (993)"):
        export(of_three, "canvas", tmp_path / "out.csv", roster=tmp_path / "canvas.csv", assignment=name)
        after = canvas_grades(tmp_path / "out.csv")
        assert (after[("101", "993")], after[("101", "991")]) == ("10", "")


def test_canvas_says_which_columns_there_are_when_none_fits(of_three, tmp_path):
    roster, out = tmp_path / "canvas.csv", tmp_path / "out.csv"
    wrong = {
        CANVAS.replace("02 Freeze the backbone", "One").replace("02-train-head", "Two"): r"Essay \(993\)",
        CANVAS.replace("Essay (993)", "02 again (993)"): "several columns have 02",
        "Name,Grade\nada,3\n": "Export Entire Gradebook",
        "": "empty",
    }
    for text, message in wrong.items():
        roster.write_text(text)
        with pytest.raises(ExportError, match=message):
            export(of_three, "canvas", out, roster=roster)
    roster.write_text(CANVAS)
    with pytest.raises(ExportError, match="0 columns are called"):
        export(of_three, "canvas", out, roster=roster, assignment="Nothing")
    roster.write_bytes(CANVAS.encode("utf-16"))
    with pytest.raises(ExportError, match="not UTF-8"):
        export(of_three, "canvas", out, roster=roster)
    with pytest.raises(ExportError, match="Export Entire Gradebook"):
        export(of_three, "canvas", out)
    assert not out.exists()


MOODLE = """\
Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (submission),\
Last modified (grade),Feedback comments
Participant 11,Ada Lovelace,ada@uni.edu,Submitted,,60.00,Yes,"Monday, 3 March 2025, 9:00 AM",-,
Participant 12,Bob Bobbin,bob@uni.edu,Submitted,40.00,60.00,Yes,-,-,well done
Participant 13,Cyd Cyd,cyd@uni.edu,Submitted,5.00,60.00,Yes,-,-,kept
Participant 14,Dot Dot,dot@uni.edu,No submission,,60.00,Yes,-,-,
"""


def moodle_grades(path: Path) -> dict[str, tuple[str, str]]:
    """As importgradeslib.php reads a worksheet: grade and feedback by the number of the participant."""
    rows = records(read_csv(path))
    assert {"Identifier", "Grade", "Last modified (grade)"} <= rows[0].keys()
    found = {}
    for row in rows:
        number = row["Identifier"].removeprefix("Participant ")
        assert row["Grade"] == "" or 0 <= float(row["Grade"]) <= float(row["Maximum Grade"])
        assert not row["Feedback comments"] or row["Grade"], "feedback without a grade wipes grades"
        found[number] = (row["Grade"], row["Feedback comments"])
    return found


def test_moodle_gets_its_worksheet_back_filled_in(of_three, tmp_path):
    (tmp_path / "moodle.csv").write_text(MOODLE)
    hand_in(of_three, "14", 2.0, 1.0)
    hand_in(of_three, "eve@uni.edu", 3.0, 3.0)
    done = export(of_three, "moodle", tmp_path / "out.csv", roster=tmp_path / "moodle.csv")
    after = moodle_grades(tmp_path / "out.csv")
    assert {number: grade for number, (grade, _) in after.items()} == {"11": "60", "12": "10", "13": "5.00", "14": "30"}
    assert after["13"] == ("5.00", "kept")
    assert "02-freeze-backbone 1/3" in after["12"][1] and "not yet: BatchNorm statistics stay" in after["12"][1]
    assert (done.written, done.unmatched, done.ungraded) == (3, ("eve@uni.edu",), ("cyd@uni.edu",))
    assert "scaled to Moodle's 60" in str(done)
    changed = "Grade", "Feedback comments"
    before, now = (
        [
            {name: cell for name, cell in row.items() if name not in changed}
            for row in records(read_csv(tmp_path / name))
        ]
        for name in ("moodle.csv", "out.csv")
    )
    assert before == now


def test_moodle_without_a_worksheet_gets_a_file_for_its_grade_import(of_three, tmp_path):
    hand_in(of_three, HOSTILE, 3.0, 3.0)
    done = export(of_three, "moodle", tmp_path / "out.csv")
    rows = read_csv(tmp_path / "out.csv")
    assert rows[0] == ["Email address", "Notebook 02", "Notebook 02 (feedback)"]
    assert [row[:2] for row in rows[1:]] == [["ada@uni.edu", "6"], ["bob@uni.edu", "1"]]
    assert all(grade and feedback for _, grade, feedback in rows[1:])
    assert (done.unmatched, done.ungraded) == ((HOSTILE,), ("cyd@uni.edu",))


def test_moodle_takes_one_notebook_at_a_time_and_a_worksheet_only(of_three, tmp_path):
    hand_in(of_three, "dot", 1.0, notebook="03")
    with pytest.raises(ExportError, match="one of 02, 03"):
        export(of_three, "moodle", tmp_path / "out.csv")
    (tmp_path / "wrong.csv").write_text("Name,Grade\nada,3\n")
    with pytest.raises(ExportError, match="lacks Identifier"):
        export(of_three, "moodle", tmp_path / "out.csv", roster=tmp_path / "wrong.csv", notebook="02")


def test_moodle_shows_a_learners_markup_as_text(gradebook, tmp_path):
    hand_in(gradebook, "ada")
    claim = Outcome("a", "keeps <b>bold</b> & co", 3, True)
    gradebook.add_grade(a_grade("ada", FREEZE, 3.0, outcomes=(claim,)))
    export(gradebook, "moodle", tmp_path / "out.csv")
    ((_, _, feedback),) = read_csv(tmp_path / "out.csv")[1:]
    assert "<" not in feedback and "keeps <b>bold</b> & co" in html.unescape(feedback)


GRADESCOPE = {  # from https://gradescope-autograders.readthedocs.io/en/latest/specs/
    "type": "object",
    "required": ["score"],
    "additionalProperties": False,
    "properties": {
        "score": {"type": "number"},
        "execution_time": {"type": "number"},
        "output": {"type": "string"},
        "output_format": {"enum": ["text", "html", "simple_format", "md", "ansi"]},
        "visibility": {"enum": ["hidden", "after_due_date", "after_published", "visible"]},
        "stdout_visibility": {"enum": ["hidden", "after_due_date", "after_published", "visible"]},
        "extra_data": {"type": "object"},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["score"],
                "additionalProperties": False,
                "properties": {
                    "score": {"type": "number"},
                    "max_score": {"type": "number"},
                    "status": {"enum": ["passed", "failed"]},
                    "name": {"type": "string"},
                    "name_format": {"enum": ["text", "html", "simple_format", "md", "ansi"]},
                    "number": {"type": "string"},
                    "output": {"type": "string"},
                    "output_format": {"enum": ["text", "html", "simple_format", "md", "ansi"]},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "visibility": {"enum": ["hidden", "after_due_date", "after_published", "visible"]},
                    "extra_data": {"type": "object"},
                },
            },
        },
    },
}


def read_gradescope(path: Path) -> dict:
    answer = json.loads(path.read_bytes().decode("utf-8"))
    jsonschema.validate(answer, GRADESCOPE)
    assert sum(test["score"] for test in answer["tests"]) == answer["score"]
    return answer


def test_gradescope_reads_the_score_of_every_judge(of_three, tmp_path):
    export(of_three, "gradescope", tmp_path / "results.json", learner="bob@uni.edu")
    answer = read_gradescope(tmp_path / "results.json")
    assert (answer["score"], sum(test["max_score"] for test in answer["tests"])) == (1.0, 6)
    assert [(test["number"], test["status"]) for test in answer["tests"]][:2] == [("1.1", "passed"), ("1.2", "failed")]
    assert "frozen weights are not a frozen layer" in answer["tests"][1]["output"]
    assert "\x1b" not in answer["tests"][1]["output"] and "\u202e" not in answer["tests"][1]["output"]


def test_gradescope_gets_one_line_for_an_exercise_whose_judges_do_not_add_up(gradebook, tmp_path):
    hand_in(gradebook, "ada")
    failure = Failure("error", "the reply was not the course's")
    gradebook.add_grade(a_grade("ada", FREEZE, 0.0, status="tampered", outcomes=outcomes(3), failure=failure))
    export(gradebook, "gradescope", tmp_path / "results.json")
    (test,) = read_gradescope(tmp_path / "results.json")["tests"]
    assert (test["score"], test["max_score"], test["status"]) == (0.0, 3.0, "failed")
    assert "tampered" in test["output"] and "not the course's" in test["output"]


def test_gradescope_shows_why_a_notebook_cannot_be_read(gradebook, tmp_path):
    gradebook.add_submission(Submission("ada", Path("x")), "d", notebook="", exercises=(), problem="it is no JSON")
    export(gradebook, "gradescope", tmp_path / "results.json")
    answer = read_gradescope(tmp_path / "results.json")
    assert (answer["score"], answer["output"], answer["tests"]) == (0, "it is no JSON", [])


def read_classroom(path: Path) -> tuple[float, float, dict]:
    """As the reporter reads a runner's result, and adds it up."""
    answer = json.loads(base64.b64decode(path.read_text().strip(), validate=True))
    assert answer["status"] in ("pass", "fail", "error")
    total = 0.0
    for test in answer["tests"]:
        assert test["status"] in ("pass", "fail", "error") and isinstance(test["score"], (int, float))
        assert {"name", "message", "test_code"} <= test.keys()
        total += test["score"]
    return total, answer["max_score"], answer


@pytest.mark.parametrize(("learner", "score", "status"), [("ada@uni.edu", 6, "pass"), ("bob@uni.edu", 1, "fail")])
def test_github_classroom_adds_up_to_the_score(of_three, tmp_path, learner, score, status):
    path = tmp_path / "result.txt"
    export(of_three, "github-classroom", path, learner=learner)
    total, most, answer = read_classroom(path)
    assert (total, most, answer["status"]) == (score, 6, status)
    assert path.read_text().count("\n") == 1  # one line, for $GITHUB_OUTPUT


def test_github_classroom_tells_a_crash_from_a_wrong_answer(gradebook, tmp_path):
    hand_in(gradebook, "ada")
    failure = Failure("error", "ZeroDivisionError")
    gradebook.add_grade(a_grade("ada", FREEZE, 0.0, status="error", failure=failure))
    export(gradebook, "github-classroom", tmp_path / "result.txt")
    total, _, answer = read_classroom(tmp_path / "result.txt")
    assert (total, answer["status"]) == (0, "error") and "ZeroDivisionError" in answer["tests"][0]["message"]


def test_github_actions_shows_what_failed_and_takes_no_command_from_a_learner(of_three, tmp_path):
    export(of_three, "github-actions", tmp_path / "log.txt", learner="bob@uni.edu")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    commands = [re.fullmatch(r"::(error|notice) title=([^:,\r\n]*)::([^\r\n]*)", line) for line in lines]
    assert all(commands) and [command[1] for command in commands] == ["error"] * 5 + ["notice"]
    assert commands[0][2] == "02-freeze-backbone%3A BatchNorm statistics stay"
    assert "%0A::error::forged %25" in commands[0][3]
    assert commands[-1][3] == "1 of 6 points"


@pytest.mark.parametrize("format", ["gradescope", "github-classroom", "github-actions"])
def test_a_file_of_one_learner_is_never_written_with_a_failure_of_ours_as_a_zero(of_three, tmp_path, format):
    path = tmp_path / "out"
    with pytest.raises(ExportError, match=r"not graded yet.*02-train-head.*course grade again"):
        export(of_three, format, path, learner="cyd@uni.edu")
    with pytest.raises(ExportError, match="name one of them"):
        export(of_three, format, path)
    assert not path.exists()


def test_the_long_table_has_a_row_for_each_exercise(of_three, tmp_path):
    of_three.add_submission(Submission("eve", Path("x")), "d", notebook="", exercises=(), problem="it is no JSON")
    export(of_three, "csv", tmp_path / "out.csv")
    rows = records(read_csv(tmp_path / "out.csv"))
    found = {(row["learner"], row["exercise"]): (row["status"], row["score"], row["points"]) for row in rows}
    assert found == {
        ("ada@uni.edu", FREEZE): ("graded", "3", "3"),
        ("ada@uni.edu", HEAD): ("graded", "3", "3"),
        ("bob@uni.edu", FREEZE): ("graded", "1", "3"),
        ("bob@uni.edu", HEAD): ("graded", "0", "3"),
        ("cyd@uni.edu", FREEZE): ("graded", "3", "3"),
        ("cyd@uni.edu", HEAD): (MACHINERY, "", "3"),
        ("eve", ""): ("not readable", "", ""),
    }
    assert rows[-1]["remark"] == "it is no JSON"
    assert {row["late"] for row in rows if row["learner"] == "bob@uni.edu"} == {"yes"}
    assert datetime.fromisoformat(rows[0]["handed_in"]) == NOON


def test_the_wide_table_has_a_row_for_each_learner(of_three, tmp_path):
    hand_in(of_three, "dot", 2.0, notebook="03")
    export(of_three, "csv-wide", tmp_path / "out.csv")
    rows = {row["learner"]: row for row in records(read_csv(tmp_path / "out.csv"))}
    assert [rows["bob@uni.edu"][name] for name in EXERCISES] == ["1", "0"]
    assert {who: row["notebook 02 total"] for who, row in rows.items()} == {
        "ada@uni.edu": "6",
        "bob@uni.edu": "1",
        "cyd@uni.edu": "",
        "dot": "",
    }
    assert rows["dot"]["notebook 03 total"] == "2"


@pytest.mark.parametrize("text", [HOSTILE, "+1", "-1+2", "@SUM(1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1"])
def test_no_cell_begins_like_a_formula(gradebook, tmp_path, text):
    gradebook.add_submission(Submission(text, Path(text)), "d", notebook="02", exercises=(text,), problem=text)
    for format in ("csv", "csv-wide"):
        export(gradebook, format, tmp_path / "out.csv")
        cells = [cell for row in read_csv(tmp_path / "out.csv") for cell in row]
        assert any(text.strip() in cell for cell in cells)
        assert not [cell for cell in cells if re.match(r"\s*[=+\-@＝＋－＠]|[\t\r\n]", cell)]
    assert guard("plain = text") == "plain = text"


@pytest.mark.parametrize("format", FORMATS)
def test_a_hidden_judge_shows_its_title_alone(gradebook, tmp_path, format):
    (tmp_path / "canvas.csv").write_text(CANVAS)
    hand_in(gradebook, "ada@uni.edu", 2.0, 0.0)
    roster = tmp_path / "canvas.csv" if format == "canvas" else None
    export(gradebook, format, tmp_path / "out", roster=roster)
    text = (tmp_path / "out").read_text()
    if format == "github-classroom":
        text = base64.b64decode(text).decode()
    assert not [secret for secret in SECRETS if secret in text]
    if format not in ("canvas", "csv", "csv-wide"):
        assert "On other networks, too" in text.replace("%2C", ",")


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "canvas"])
def test_wild_text_breaks_no_file(gradebook, tmp_path, format):
    hand_in(gradebook, WILD)
    wild = Outcome(WILD, WILD, 3, False, WILD, WILD, WILD, "x" * 10**6)
    about = {"failure": Failure("error", WILD), "notes": (WILD,), "printed": WILD, "source": WILD}
    gradebook.add_grade(a_grade(WILD, FREEZE, 0.0, status="error", outcomes=(wild,), **about))
    done = export(gradebook, format, tmp_path / "out")
    assert "\x1b" not in str(done) and "\u202e" not in str(done)
    content = (tmp_path / "out").read_bytes()
    content.decode("utf-8")
    assert b"\0" not in content and b"\x1b" not in content and len(content) < 10**5


def test_the_policy_chooses_what_is_exported(gradebook, tmp_path):
    for hours, score in enumerate((3.0, 1.0)):
        submission = Submission("ada", Path("x"), handed_in=NOON + timedelta(hours=hours))
        gradebook.add_submission(submission, digest(str(hours)), notebook="02", exercises=[FREEZE])
        gradebook.add_grade(a_grade(str(hours), FREEZE, score))
    found = []
    for policy in ("last", "best"):
        export(gradebook, "csv", tmp_path / "out.csv", policy=policy)
        found += [row["score"] for row in records(read_csv(tmp_path / "out.csv"))]
    assert found == ["1", "3"]


def hand_in_what_cannot_be_read(gradebook, learner):
    submission = Submission(learner, Path("in/x.ipynb"), handed_in=NOON)
    problem = "the notebook cannot be read: it is a picture"
    gradebook.add_submission(submission, digest(f"{learner}'s picture"), notebook="", exercises=(), problem=problem)


@pytest.mark.parametrize("notebook", [None, "02"])
def test_a_file_that_cannot_be_read_counts_as_no_notebook_and_whose_it_is_is_told(of_three, tmp_path, notebook):
    (tmp_path / "canvas.csv").write_text(CANVAS)
    (tmp_path / "moodle.csv").write_text(MOODLE)
    out = tmp_path / "out.csv"
    for learner in ("dot@uni.edu", "ada@uni.edu"):  # of Ada there is another that can be read
        hand_in_what_cannot_be_read(of_three, learner)
    for format, roster in (("canvas", "canvas.csv"), ("moodle", "moodle.csv"), ("moodle", None), ("csv-wide", None)):
        done = export(of_three, format, out, roster=roster and tmp_path / roster, notebook=notebook)
        assert done.unreadable == ("dot@uni.edu",) and done.ungraded == ("cyd@uni.edu",)
        assert "no notebook that can be read, so without a score: dot@uni.edu" in str(done)
        assert "unknown" not in out.read_text()
    export(of_three, "canvas", out, roster=tmp_path / "canvas.csv", assignment="Essay", notebook=notebook)
    assert canvas_grades(out)[("101", "993")] == "10" and canvas_grades(out)[("104", "993")] == "9.00"
    assert export(of_three, "csv", out, notebook=notebook).unreadable == ("dot@uni.edu",)


def test_a_class_of_which_nothing_can_be_read_has_nothing_for_canvas_and_moodle(gradebook, tmp_path):
    (tmp_path / "canvas.csv").write_text(CANVAS)
    hand_in_what_cannot_be_read(gradebook, "dot@uni.edu")
    for format in ("canvas", "moodle"):
        with pytest.raises(ExportError, match=r"no notebook can be read of dot@uni\.edu"):
            export(gradebook, format, tmp_path / "out.csv", roster=(tmp_path / "canvas.csv"))
    export(gradebook, "csv-wide", tmp_path / "out.csv")
    assert read_csv(tmp_path / "out.csv") == [["learner"], ["dot@uni.edu"]]


def test_a_file_in_a_folder_that_is_not_there_is_refused_and_nothing_made(of_three, tmp_path):
    with pytest.raises(ExportError, match=r"there is no folder .*nowhere; make it first"):
        export(of_three, "csv", tmp_path / "nowhere" / "out.csv")
    with pytest.raises(ExportError, match="is a folder; name a file in it"):
        export(of_three, "csv", tmp_path)
    assert not (tmp_path / "nowhere").exists()


def test_an_unknown_format_learner_or_notebook_is_refused(of_three, tmp_path):
    for wrong in ({"format": "excel"}, {"format": "csv", "learner": "zoe"}, {"format": "csv", "notebook": "99"}):
        with pytest.raises(ExportError):
            export(of_three, **wrong, path=tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "out.csv"
    path.parent.mkdir()
    write_whole(path, "old")
    path.chmod(0o640)
    (tmp_path / "link.csv").symlink_to(path)
    write_whole(tmp_path / "link.csv", "new")
    assert path.read_text() == "new" and stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (tmp_path / "link.csv").is_symlink()

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(ExportError, match=r"No space left on device.*unchanged"):
        write_whole(path, "newer")
    assert path.read_text() == "new" and [file.name for file in path.parent.iterdir()] == ["out.csv"]


def test_ten_thousand_grades_are_exported_in_seconds(gradebook, tmp_path):
    from sqlalchemy import insert

    from course.grading.gradebook.rows import grade_values, submission_values
    from course.grading.gradebook.schema import grades, submissions

    exercises = [f"02-exercise-{number}" for number in range(10)]
    with gradebook._writing() as connection:  # at once: ten thousand commits would take a minute
        for learner in (f"learner{number:04}" for number in range(1000)):
            submission = Submission(learner, Path("x"), handed_in=NOON)
            connection.execute(insert(submissions), submission_values(submission, digest(learner), "02", exercises, ""))
            connection.execute(insert(grades), [grade_values(a_grade(learner, name, 2.0)) for name in exercises])
    start = time.process_time()
    done = export(gradebook, "csv", tmp_path / "out.csv")
    assert done.written == 10_000 and time.process_time() - start < 10
