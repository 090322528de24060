"""The course's own text: the terms of the glossary and the headings of the chapters."""

import json

import pytest

from course.applications.course_text import Passage, glossary, headings
from course.errors import SetupError
from tests.conftest import ROOT


def test_every_row_of_the_glossary_is_a_passage():
    rows = [line for line in (ROOT / "docs" / "glossary.md").read_text().splitlines() if line.startswith("| **")]
    found = glossary()
    assert len(found) == len(rows) > 100
    assert all(passage.title and passage.text and "ipynb" in passage.link for passage in found)


def test_a_term_keeps_its_meaning_and_its_link(tmp_path):
    page = tmp_path / "glossary.md"
    page.write_text(
        "| term | meaning | taught in |\n|---|---|---|\n| **[CLS]** | The *first* token. | [08 · A](b.ipynb#A) |\n"
    )
    assert glossary(page) == [Passage("[CLS]", "The *first* token.", "b.ipynb#A")]


def test_a_glossary_that_is_missing_or_empty_is_an_error(tmp_path):
    with pytest.raises(SetupError, match="not at"):
        glossary(tmp_path / "glossary.md")
    (tmp_path / "glossary.md").write_text("# Glossary\n")
    with pytest.raises(SetupError, match="no term"):
        glossary(tmp_path / "glossary.md")


def test_headings_come_with_their_first_paragraph_and_code_is_left_out(tmp_path):
    source = "# Title\n\n## Look at\nthe *tokens*\n\n```python\n## no heading\n```\n\n### Empty\n"
    cells = [{"cell_type": "markdown", "source": source}, {"cell_type": "code", "source": "## a comment"}]
    (tmp_path / "08_text.ipynb").write_text(json.dumps({"cells": cells}))
    assert headings(tmp_path) == [
        Passage("Look at", "the *tokens*", "../notebooks/08_text.ipynb#Look-at"),
        Passage("Empty", "", "../notebooks/08_text.ipynb#Empty"),
    ]


def test_every_chapter_has_headings():
    found = headings()
    assert {passage.link.split("/")[-1][:2] for passage in found} >= {f"{number:02}" for number in range(12)}
