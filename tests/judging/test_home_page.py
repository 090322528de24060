"""The home page says what is open and due, links only to what is there, and obeys nothing that the record says."""

from datetime import UTC, datetime, timedelta

import pytest
from markdown_it import MarkdownIt

from course.errors import SetupError
from course.judging import home_page
from course.judging.outlines import Outline, Task, read_outlines
from course.judging.overview import summarise
from course.notebook import record, workspace
from tests.judging.test_card import Tags
from tests.judging.test_progress_table import Links

NOW = datetime(2026, 3, 2, 18, tzinfo=UTC)
OUTLINES = (
    Outline(
        "02",
        "02 Freeze",
        (Task("02-set-mode", 3, "Exercise:-set-it-(3-points)"), Task("02-b", 4, "cell-id=b")),
        (Task("02-recall-a", anchor="cell-id=quiz"),),
        file="02_x.ipynb",
        minutes=60,
    ),
    Outline("03", "03 Replace", (Task("03-a", 2),), file="03_y.ipynb"),
)
EVIL = "02-<script>alert(1)</script> [x](javascript:alert) |\n# $`*_ http://a.b ![p](q) \x1b[31m"


def event(kind, days=0.0, **fields):
    return {"version": 1, "time": (NOW + timedelta(days=days)).isoformat(), "kind": kind, **fields}


def rendered(folder, *events):
    text = home_page.as_markdown(summarise(OUTLINES, events, NOW), folder)
    return MarkdownIt("commonmark").enable("table").render(text)


def test_chapters_stand_in_a_table_with_links_to_notebooks_and_open_exercises(tmp_path):
    (tmp_path / "02_x.ipynb").touch()
    page = rendered(tmp_path, event("check", id="02-b", score=4, points=4, status="graded"))
    assert page.count("<tr>") == 3 and "<td>4 of 7</td>" in page and "<td>60 min</td>" in page
    assert set(Links(page).found) == {"02_x.ipynb", "02_x.ipynb#Exercise:-set-it-(3-points)"}, "b is solved"
    assert ">set mode</a>" in page and "<td>03 Replace</td>" in page, "without a notebook there is no link"


def test_it_says_where_to_continue(tmp_path):
    (tmp_path / "02_x.ipynb").touch()
    assert "Begin with" in rendered(tmp_path)
    begun = rendered(tmp_path, event("check", id="02-b", score=4, points=4, status="graded"))
    assert "Continue with" in begun and "the next open exercise is" in begun
    done = [
        event("check", id=id, score=points, points=points)
        for id, points in (("02-set-mode", 3), ("02-b", 4), ("03-a", 2))
    ]
    assert "Every exercise of every chapter is right" in rendered(tmp_path, *done)


def test_what_is_due_is_linked(tmp_path):
    (tmp_path / "02_x.ipynb").touch()
    page = rendered(tmp_path, event("quiz", -2, id="02-recall-a", right=True))
    assert "02_x.ipynb#cell-id=quiz" in Links(page).found and "again" in page
    later = rendered(tmp_path, event("quiz", 0, id="02-recall-a", right=True))
    assert "Nothing; the next repetition is due tomorrow." in later
    assert "<p>Nothing.</p>" in rendered(tmp_path)


def test_nothing_that_the_record_says_is_markup(tmp_path):
    events = [event("quiz", -2, id=EVIL, right=True), event("outcome", id=EVIL, choice=EVIL, outcome=EVIL, right=True)]
    page = rendered(tmp_path, *events)
    found = Tags(page)
    assert found.tags <= {"h1", "h2", "p", "strong", "code", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"}
    assert page.count("<h1>") == 1 and "<script>alert(1)</script> [x](javascript:alert) |" in found.text
    text = home_page.as_markdown(summarise(OUTLINES, events, NOW), tmp_path)
    assert "$" not in text and "http:" not in text and "\x1b" not in text, "nor math, nor a bare address"


def test_pages_are_linked_that_are_there(tmp_path):
    assert "Look up" not in rendered(tmp_path)
    (tmp_path / "glossary.md").touch()
    assert Links(rendered(tmp_path)).found == ["glossary.md"]


def test_every_page_of_the_workspace_has_a_title():
    assert set(workspace.PAGES) <= set(home_page._PAGES)


def test_it_is_written_from_the_record_and_written_again(home, tmp_path):
    exercise = read_outlines()[0].exercises[0]
    before = home_page.write(tmp_path).read_text(encoding="utf-8")
    record.append("check", id=exercise.id, status="graded", score=exercise.points, points=exercise.points)
    home_page.refresh(tmp_path)
    assert (tmp_path / "home.md").read_text(encoding="utf-8") != before


def test_a_file_of_the_learners_with_that_name_is_never_replaced(home, tmp_path):
    (tmp_path / "home.md").write_text("my notes\n")
    with pytest.raises(SetupError, match="rename it"):
        home_page.write(tmp_path)
    home_page.refresh(tmp_path)
    assert (tmp_path / "home.md").read_text() == "my notes\n"
