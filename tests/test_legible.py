"""The same untrusted text reads the same on a check's card, on a report page, in every export and in the terminal.

Each text stands between « and » wherever a learner could write it: in what an answer returned, raised and printed, in
names of folders, in model cards. Every surface is made for real and read back as its reader would read it.
"""

import base64
import csv
import html
import io
import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from typer.testing import CliRunner

from course.cli import app
from course.grading.exports.export import export
from course.grading.gradebook.book import Gradebook
from course.grading.grades import Grade, Submission, digest
from course.grading.reports.write import write_reports
from course.judging.card import as_html
from course.judging.results import Failure, Outcome, Result
from course.legible import legible, one_line, presentable
from tests.conftest import ROOT

EXERCISE = "02-freeze-backbone"
SHOWN = {  # what is written, and what is shown where lines may break
    "plain": "plain",
    "é 李 محمد 👩‍💻 ½": "é 李 محمد 👩‍💻 ½",
    "a\u202eb": "a[U+202E]b",
    "\u2066x\u2069\u200f\u061c": "[U+2066]x[U+2069][U+200F][U+061C]",
    "\x1b[1;31mred\x1b[0m": "red",
    "\x1b]0;title\x07text": "text",
    "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": "link",
    "never \x1b]0;closed": "never ␛]0;closed",
    "\x9b31mred": "\ufffd31mred",
    "a\x00b\x07\x08\x7f": "a␀b␇␈␡",
    "\ud83d lone \udfff": "\ufffd lone \ufffd",
    "good\rbad": "good␍bad",
    "one\ntwo\r\nthree\tfour": "one\ntwo\nthree\tfour",
    "a\x0bb\x0cc\x1cd\x85e\u2028f": "a␋b␌c␜d\ufffde[U+2028]f",
    "q" + "\u0301" * 99: "q" + "\u0301" * 4,
    "\ufeffmark\u2060\U000e0041": "[U+FEFF]mark[U+2060][U+E0041]",
    "<script>alert('1')</script> &amp; \"": "<script>alert('1')</script> &amp; \"",
    "{{ 7 * 7 }} {% raw %}": "{{ 7 * 7 }} {% raw %}",
    "x\n::error::forged, 100 %0A": "x\n::error::forged, 100 %0A",
    "[red]a [/b] :smile: [link=x]": "[red]a [/b] :smile: [link=x]",
}
on_a_line = " ".join


def marked(shown: str) -> list[str]:
    """What stands between the marks."""
    return re.findall("«(.*?)»", shown, re.DOTALL)


class Text(HTMLParser):
    """The text of a page, and of its attributes, as a browser has them."""

    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.text += "".join(f" {value} " for _, value in attributes if tag != "style" and value and "«" in value)

    def handle_data(self, data):
        self.text += data


def outcomes(text: str) -> tuple[Outcome, ...]:
    said = f"«{text}»"
    return Outcome("a", said, 2, False, said, said, said, said), Outcome("b", said, 1, False, said, said, said, said)


def a_result(text: str) -> Result:
    said = f"«{text}»"
    return Result("02-x", "X", "error", outcomes(text), Failure("error", said, said), said, (said,))


@pytest.fixture
def gradebook(written, tmp_path):
    """One learner, called by the text, who handed in a notebook with it and a file that cannot be read."""
    said = f"«{written}»"
    name = presentable(said)
    submission = Submission(name, Path("in/x.ipynb"), full_name=name)
    with Gradebook.open(tmp_path / "gradebook.sqlite") as book:
        book.add_submission(submission, digest(b"1"), notebook="02", exercises=[EXERCISE], problem=said)
        about = {"failure": Failure("error", said, said), "printed": said, "notes": (said,), "source": said}
        book.add_grade(Grade(digest(b"1"), EXERCISE, "j", "s", "error", 0.0, 3.0, outcomes=outcomes(written), **about))
        book.keep_roster({presentable(f"absent {said}"): presentable(said)})
        yield book


with_nasty_text = pytest.mark.parametrize(("written", "shown"), SHOWN.items(), ids=[ascii(text)[:24] for text in SHOWN])


@with_nasty_text
def test_the_functions_themselves(written, shown):
    assert legible(written) == shown
    assert one_line(written) == on_a_line(shown.split())
    assert legible(shown) == shown and one_line(one_line(written)) == one_line(written)
    assert presentable(written).split("…")[0] == on_a_line(shown.split())


@with_nasty_text
def test_a_card_in_html(written, shown):
    assert marked(Text(as_html(a_result(written))).text) == [shown] * (1 + 4 + 1 + 3 + 1 + 2)


@with_nasty_text
def test_a_card_as_text(written, shown):
    text = str(a_result(written))
    unindented = text.replace("\n  ", "\n").replace("\n  ", "\n")
    assert marked(unindented) == [shown] * (1 + 4 + 1 + 3 + 1 + 2)


@with_nasty_text
def test_the_pages_of_a_report(written, shown, gradebook, tmp_path):
    index = write_reports(gradebook, tmp_path / "out")
    pages = [index, *(tmp_path / "out").glob("*/*.html")]
    assert len(pages) == 3
    for page in pages:
        found = marked(Text(page.read_text(encoding="utf-8")).text)
        assert len(found) > 10 and {on_a_line(text.split()) for text in found} == {on_a_line(shown.split())}, page
        assert shown in found


def read_csv(path: Path, as_html: bool = False) -> str:
    """All cells but the learner's name in Moodle's, whose feedback is shown as HTML."""
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))
    return "\0".join(html.unescape(row[-1]) if as_html else "\0".join(row) for row in rows)


def read_json(path: Path) -> str:
    content = json.loads(path.read_bytes())
    return "\0".join([content.get("output", ""), *(str(v) for test in content["tests"] for v in test.values())])


def read_classroom(path: Path) -> str:
    content = json.loads(base64.b64decode(path.read_bytes()))
    return "\0".join(str(value) for test in content["tests"] for value in test.values())


@pytest.mark.parametrize(
    ("format", "read", "breaks_lines"),
    [
        ("csv", read_csv, False),
        ("csv-wide", read_csv, False),
        ("moodle", lambda path: read_csv(path, as_html=True), False),
        ("gradescope", read_json, True),
        ("github-classroom", read_classroom, True),
        ("github-actions", lambda path: unquote(path.read_bytes().decode()), True),
    ],
)
@with_nasty_text
def test_an_export(written, shown, gradebook, tmp_path, format, read, breaks_lines):
    done = export(gradebook, format, tmp_path / "out")
    found, line = marked(read(tmp_path / "out")), on_a_line(shown.split())
    assert found and set(found) <= ({shown, line} if breaks_lines else {line})
    assert shown in found or not breaks_lines
    assert set(marked(str(done))) <= {line}


@with_nasty_text
def test_what_an_export_says_of_names_that_it_did_not_find(written, shown, gradebook, tmp_path):
    canvas = tmp_path / "canvas.csv"
    canvas.write_text("Student,ID,SIS User ID,SIS Login ID,Section,02 Freeze (1)\n    Points Possible,,,,,3\n")
    done = export(gradebook, "canvas", tmp_path / "out.csv", roster=canvas)
    assert marked(str(done)) == [on_a_line(shown.split())] and str(done).count("\n") == 1


@with_nasty_text
def test_the_table_of_course_report(written, shown, gradebook, tmp_path):
    gradebook.close()
    arguments = ["report", "--out", str(tmp_path)]
    done = CliRunner().invoke(app.app, arguments, env={"COLUMNS": "1000"}, catch_exceptions=False)
    assert marked(done.output) == [on_a_line(shown.split())] * 4


@with_nasty_text
def test_an_error_that_the_command_line_prints(written, shown, gradebook, tmp_path, monkeypatch, capsys):
    gradebook.close()
    nobody = f"nobody «{written}»"
    arguments = ["export", str(tmp_path / "x.csv"), "--format", "csv", "--out", str(tmp_path), "--learner", nobody]
    monkeypatch.setattr(sys, "argv", ["course", *arguments])
    with pytest.raises(SystemExit):
        app.main()
    assert marked(capsys.readouterr().err) == [shown]


ANSWER = """def freeze(module):
    print({said!a})
    raise ValueError({said!a})
"""


@with_nasty_text
def test_what_course_check_prints(home, written, shown, tmp_path):
    cell = nbformat.v4.new_code_cell(ANSWER.format(said=f"«{written}»"), id=EXERCISE)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "02.ipynb")
    done = CliRunner().invoke(app.app, ["check", str(tmp_path / "02.ipynb")])
    found = marked(done.output.replace("\n    ", "\n"))
    assert len(found) >= 2 and set(found) == {shown}


NAMES = [pair for pair in SHOWN.items() if not set("\0/\ud83d") & set(pair[0])]  # no folder is called by the others


@pytest.mark.skipif(os.name != "posix", reason="elsewhere no folder has such names")
def test_what_course_grade_prints_of_a_folder(tmp_path):
    for written, _ in NAMES:
        folder = tmp_path / "in" / f"«{written}»"
        folder.mkdir(parents=True)
        (folder / "02.ipynb").write_text("no notebook")
    arguments = ["grade", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--trust-submissions", "--jobs", "1"]
    done = CliRunner().invoke(app.app, arguments, catch_exceptions=False)
    assert set(marked(done.output)) == {on_a_line(shown.split()) for _, shown in NAMES}


def test_an_escape_sequence_ends_with_the_text_that_it_is_in():
    """A title begun in one text and ended in the next would take with it all that stands between."""
    parts = [Outcome("a", "A", 1, False, "tried \x1b]0;", "got", "expected", "why \x07")]
    result = Result("02-x", "X", "graded", tuple(parts))
    for shown in (str(result), Text(as_html(result)).text):
        assert all(word in shown for word in ("tried ␛]0;", "got", "expected", "why ␇"))


@pytest.mark.parametrize("written", ["\x1b[1;31m" * 5_000 + "red"], ids=["5,000 colours"])
def test_a_text_is_made_legible_before_it_is_cut(written, gradebook, tmp_path):
    """A cut through an escape sequence would leave half of it, and what is dropped takes no room."""
    write_reports(gradebook, tmp_path / "out")
    for page in (tmp_path / "out").glob("*/*.html"):
        assert set(marked(Text(page.read_text(encoding="utf-8")).text)) == {"red"}, page
    export(gradebook, "gradescope", tmp_path / "results.json")
    assert set(marked(read_json(tmp_path / "results.json"))) == {"red"}


@pytest.mark.parametrize(
    "names",
    [
        ("a\u202eb", "a[U+202E]b", "a\u202db", "ab"),
        ("a\0b", "a\x01b", "a␀b", "a\ufffdb", "a\x85b", "a b"),
        ("\x1b[1mada", "ada", "\x1b[2mada"),
        ("x" * 5000, "x" * 5001, "x" * 120),
        ("z" + "\u0301" * 5, "z" + "\u0301" * 6, "z" + "\u0301" * 4),
    ],
)
def test_two_names_stay_two(names):
    shown = {presentable(name) for name in names}
    assert len(shown) == len(names)
    assert all(name.isprintable() and len(name) < 150 and legible(name) == name for name in shown)


def test_one_name_stays_one():
    assert len({presentable(name) for name in ("José Núñez", "Jose\u0301  Nu\u0301n\u0303ez", " José\nNúñez ")}) == 1


# Modules that may look at single characters themselves, and why.
ALLOWED = {
    "course/legible.py": "this is the place",
}
PRIVATE = re.compile(r"unicodedata\.category\(|\bisprintable\(|\\x1b|\\033|\\u001b|\\u202e", re.IGNORECASE)


def test_no_other_module_makes_text_legible_in_its_own_way():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "course").rglob("*.py")
        if PRIVATE.search(path.read_text(encoding="utf-8"))
    }
    assert found == set(ALLOWED)
