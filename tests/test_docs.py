"""Glossary, topics and source audit: every link leads to a heading, and what is said to stand below it does."""

import re

import nbformat
import pytest

from tests.command_problems import jupyter_anchor
from tests.conftest import ROOT

DOCS = ROOT / "docs"
# The sections, formulas and listings of the article that the course grew from, in its order.
SOURCE = """
1 1.1 1.2 2 2.1 2.2 2.3 2.4 3 3.1 Formula-3.1 3.2 Formula-3.2 3.3 Formula-3.3
4 4.1 Listing-4.1 4.2 Listing-4.2 4.3 Listing-4.3 4.4 Listing-4.4 5 5.1 5.2 5.3 5.4 6 6.1 6.2 6.3 6.4
7 7.1 7.1.1 7.1.2 7.1.3 7.2 7.2.1 7.2.2 7.2.3 8 8.1 8.2 8.3 8.4 8.5
""".replace("-", " ")
# [02 · a heading](../notebooks/02_freeze_the_backbone.ipynb#a-heading); without an anchor, the chapter and its title.
LINK = re.compile(
    r"\[(?P<number>\d\d) · (?P<text>[^\]]+)\]\((?P<path>[^\s#()]+)(?:#(?P<anchor>(?:\([^()]*\)|[^\s()])+))?\)"
)
HEADING = re.compile(r"#{1,6} +(.+?) *")
# Sections that the index by topic may leave out: each chapter has them.
IN_EVERY_CHAPTER = ("A result before anything else", "Exercise: ", "Find the bug", "Recall", "What you can do now")


def rows(name):
    """The name in bold, and the cells, of each row of a page's table."""
    found = []
    for line in (DOCS / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("| **"):
            first, *others = line.strip("| ").split(" | ")
            found.append((re.match(r"\*\*(.+?)\*\*", first)[1], first, *others))
    return found


def sections(path):
    """What stands below each heading of a notebook, code included, by heading; the first one is the title."""
    found, heading = {}, ""
    for cell in nbformat.read(path, as_version=4).cells:
        in_listing = cell.cell_type != "markdown"
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("```"):
                in_listing = not in_listing
            if not in_listing and (match := HEADING.fullmatch(line)):
                heading = match[1]
                assert heading not in found, f"{path.name} has the heading {heading} twice"
            found[heading] = found.get(heading, "") + line + "\n"
    return found


NOTEBOOKS = {path.name: sections(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
AUDIT, GLOSSARY = rows("source_audit.md"), rows("glossary.md")
TOPICS = (DOCS / "topics.md").read_text(encoding="utf-8")


def target(link):
    """(file name, heading or None for the whole chapter) of a link; it must say where it leads."""
    chapter = NOTEBOOKS[(DOCS / link["path"]).resolve().name]
    title = next(iter(chapter))
    assert title.startswith(f"{link['number']} · ")
    if link["anchor"] is None:
        assert title == f"{link['number']} · {link['text']}"
        return chapter, None
    (heading,) = [heading for heading in chapter if jupyter_anchor(heading) == link["anchor"]]
    assert heading.replace("`", "") == link["text"].replace("`", "")
    return chapter, heading


@pytest.mark.parametrize("page", ["glossary.md", "topics.md", "source_audit.md"])
def test_every_link_to_a_chapter_leads_to_the_heading_that_it_names(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    links = list(LINK.finditer(text))
    assert len(links) == text.count("../notebooks/") > 60
    for link in links:
        target(link)


def test_no_page_for_learners_shows_the_id_of_a_cell():
    ids = {
        cell.id
        for path in (ROOT / "notebooks").glob("*.ipynb")
        for cell in nbformat.read(path, as_version=4).cells
        if "-" in cell.id
    }
    for page in ("glossary.md", "topics.md"):
        assert not ids & set(re.findall(r"`([^`]+)`", (DOCS / page).read_text(encoding="utf-8")))


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_the_topics_lead_to_every_section_that_is_about_one(notebook):
    linked = {target(link)[1] for link in LINK.finditer(TOPICS) if link["path"].endswith(notebook)}
    _, *headings = NOTEBOOKS[notebook]
    missing = [heading for heading in headings if heading not in linked and not heading.startswith(IN_EVERY_CHAPTER)]
    assert not missing


def test_the_audit_has_every_section_formula_and_listing_of_the_source_text_once_and_in_order():
    names = re.findall(r"(?:(?:Formula|Listing) )?\d[\d.]*", SOURCE)
    assert [name for name, *_ in AUDIT] == names
    assert not [name for name, first, _, corrected in AUDIT if not corrected.strip() or first.endswith("**")]


@pytest.mark.parametrize("text", [pytest.param(row[2], id=row[0]) for row in AUDIT])
def test_the_words_that_the_audit_quotes_stand_where_it_says(text):
    for place in text.split("<br>"):
        link = LINK.match(place)
        assert re.fullmatch(r" “[^“”]+”(?:, “[^“”]+”)*", place[link.end() :]), place
        chapter, heading = target(link)
        there = " ".join(" ".join(chapter.values()).split() if heading is None else chapter[heading].split()).lower()
        assert [quote for quote in re.findall("“(.+?)”", place) if quote.lower() not in there] == [], place


def test_the_glossary_is_sorted_without_repeats_and_every_term_is_explained():
    terms = [re.sub(r"[^a-z0-9]+", " ", term.lower()).strip() for term, *_ in GLOSSARY]
    assert terms == sorted(set(terms))
    assert not [term for term, _, meaning, _ in GLOSSARY if not meaning.endswith(".")]


@pytest.mark.parametrize(("term", "text"), [pytest.param(row[0], row[3], id=row[0]) for row in GLOSSARY])
def test_a_term_occurs_in_the_section_that_teaches_it(term, text):
    chapter, heading = target(LINK.fullmatch(text))
    section = chapter[heading or next(iter(chapter))]
    assert re.search(r"(?<!\w)" + r"\s+".join(map(re.escape, term.split())), section, re.IGNORECASE)
