"""`progress` shows points, what is next, what was not expected and what is to be repeated, as a table or as text."""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from course.judging import home_page, progress_table
from course.judging.outlines import Outline, Task
from course.judging.overview import summarise
from course.judging.progress_table import as_html, progress, to_repeat
from course.notebook import record
from tests.judging.test_card import EVIL, Tags

NOW = datetime(2026, 3, 2, 18, tzinfo=UTC)
OUTLINES = (
    Outline("02", "02 Freeze <it>", (Task("02-a", 3, "Exercise:-a-(3-points)"), Task("02-b", 4)), file="02_x.ipynb"),
    Outline("03", "03 Replace", (Task("03-a", 2),)),
)


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.found.append(dict(attributes)["href"])


@pytest.fixture
def outlines(home, tmp_path, monkeypatch):
    """Two chapters, of which the first has its notebook in the current folder."""
    monkeypatch.setattr(progress_table, "read_outlines", lambda: OUTLINES)
    monkeypatch.setattr(home_page, "read_outlines", lambda: OUTLINES)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "02_x.ipynb").touch()
    return OUTLINES


def event(kind, days=0.0, **fields):
    return {"version": 1, "time": (NOW + timedelta(days=days)).isoformat(), "kind": kind, **fields}


def check(id, score, points):
    record.append("check", id=id, status="graded", score=score, points=points)


def line_of(capsys, number):
    progress()
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(number))
    return [cell for cell in (cell.strip() for cell in line.split("  ")) if cell]


def test_each_chapter_has_a_line_with_its_title_its_points_and_what_is_next(outlines, capsys):
    assert line_of(capsys, "02") == ["02 Freeze <it>", "░░", "0 of 7 points", "next: 02-a"]
    check("02-a", 3, 3)
    assert line_of(capsys, "02") == ["02 Freeze <it>", "█░", "3 of 7 points", "next: 02-b"]
    check("02-b", 4, 4)
    assert line_of(capsys, "02")[2:] == ["7 of 7 points", "every exercise right"]


def test_the_lines_are_aligned(outlines, capsys):
    record.append("outcome", id="02-x", choice="a", outcome="b", right=True)
    progress()
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first.index("next:") == second.index("next:") and "1 of 1 prediction right" in first


def test_surprises_are_shown_with_what_was_predicted(outlines, capsys):
    record.append("hint", id="02-a", step=1)
    record.append("outcome", id="02-buffers", choice="none", outcome="all of `them`", right=False)
    record.append("outcome", id="02-cached", choice="several times", outcome="several times", right=True)
    record.append("quiz", id="02-recall-a", right=True)
    progress()
    text = capsys.readouterr().out
    assert "1 hint asked for; 1 of 2 predictions right; 1 of 1 recall question right\n" in text
    assert "What you did not expect:\n  02-buffers: you said “none”; what came out: all of `them`\n" in text
    assert "02-cached" not in text


def test_what_is_due_is_named_with_its_chapter_and_what_to_do():
    events = [event("quiz", -2, id="02-recall-accuracy", right=True)]
    events += [event("check", -3 + score, id="02-a", score=score, points=3, status="graded") for score in (1, 3)]
    lines = to_repeat(summarise(OUTLINES, events, NOW + timedelta(days=1)))
    assert lines[:2] == [
        "02 Freeze <it>: answer `02-recall-accuracy` again (repetition 1 of 4)",
        "02 Freeze <it>: solve `02-a` again from the empty cell (repetition 1 of 4)",
    ]
    assert "raise NotImplementedError" in lines[2]


def test_if_nothing_is_due_the_next_day_is_named():
    answers = [event("quiz", days, id="02-recall", right=True) for days in (-1, 0)]
    assert to_repeat(summarise(OUTLINES, answers[1:], NOW)) == ["nothing; 1 later, the next tomorrow"]
    assert to_repeat(summarise(OUTLINES, answers, NOW)) == ["nothing; 1 later, the next in 3 days"]
    assert to_repeat(summarise(OUTLINES, [], NOW)) == []


def test_the_table_has_headers_with_a_scope_and_a_caption_and_no_block_characters(outlines):
    html = as_html(summarise(OUTLINES, [], NOW), [], {})
    page = Tags(html)
    assert page.open == [] and {"caption", "thead", "th", "meter"} <= page.tags
    assert html.count('<th scope="col">') == 5 and html.count('<th scope="row">') == 2
    assert not set("█░") & set(html)
    assert "0 of 2" in page.text, "the meter's value is there as text, too"


def test_chapters_and_next_exercises_are_links_to_what_lies_in_the_current_folder(outlines):
    links = Links(as_html(summarise(OUTLINES, [], NOW), [], {})).found
    assert links == ["02_x.ipynb", "02_x.ipynb#Exercise:-a-(3-points)"], "03 has no notebook here"


def test_everything_in_the_table_is_escaped(outlines):
    events = [event("outcome", id="02-x", choice=EVIL, outcome=EVIL, right=False)]
    html = as_html(summarise(OUTLINES, events, NOW), [EVIL], {EVIL: [EVIL]})
    page = Tags(html)
    assert "script" not in page.tags and "it" not in page.tags and page.open == []
    assert not set("\x1b\x00\ud800") & set(html)


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda whole: whole[: len(whole) - 40], "1 line is damaged"),
        (lambda whole: whole + b"\x00\xff\xfe\x01" * 100 + b"\n", "1 line is damaged"),
        (lambda whole: whole + b'{"version": 2, "kind": "quiz"}\n' * 2, "2 lines are from a newer version"),
        (lambda whole: b"\x80\n[]\n" + whole + b'{"version": 9, "kind": "quiz"}', "2 lines are damaged, by a crash"),
    ],
)
def test_a_damaged_or_newer_record_is_said_in_one_line_and_nothing_is_lost(outlines, capsys, damage, said):
    for id in ("02-a", "02-b"):
        check(id, 3, 3)
    record.path().write_bytes(damage(record.path().read_bytes()))
    kept = record.path().read_bytes()
    progress()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if str(record.path()) in line]
    assert said in line and "nothing was deleted" in line
    assert line_of(capsys, "02")[1].startswith("█")
    record.append("hint", id="02-a", step=1)
    assert record.path().read_bytes().startswith(kept)


def test_text_that_a_terminal_would_choke_on_is_made_legible(outlines, capsys):
    record.append("outcome", id="02-buffers", choice="\ud800\x1b[31m", outcome="that", right=False)
    progress()
    assert "\x1b" not in capsys.readouterr().out


def test_progress_writes_the_home_page_again_where_there_is_one(outlines, tmp_path, capsys):
    progress()
    assert not (tmp_path / home_page.NAME).exists()
    home_page.write(tmp_path)
    check("02-a", 3, 3)
    progress()
    assert "3 of 7" in (tmp_path / home_page.NAME).read_text(encoding="utf-8")
