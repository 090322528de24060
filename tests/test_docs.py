"""The glossary and the map: every entry leads to a cell that is there, and nothing of the source text is left out."""

import re

import nbformat
import pytest

from tests.conftest import ROOT

DOCS = ROOT / "docs"
# The sections, formulas and listings of the article that the course grew from, in its order.
SOURCE = """
1 1.1 1.2 2 2.1 2.2 2.3 2.4 3 3.1 Formula-3.1 3.2 Formula-3.2 3.3 Formula-3.3
4 4.1 Listing-4.1 4.2 Listing-4.2 4.3 Listing-4.3 4.4 Listing-4.4 5 5.1 5.2 5.3 5.4 6 6.1 6.2 6.3 6.4
7 7.1 7.1.1 7.1.2 7.1.3 7.2 7.2.1 7.2.2 7.2.3 8 8.1 8.2 8.3 8.4 8.5
""".replace("-", " ")
# [02 Freeze the backbone](file): *heading* (`cell`, `cell`); *heading* (`cell`), or without a heading its title's cell.
CHAPTER = re.compile(r"\[(?P<title>[^\]]+)\]\((?P<file>[^)]+)\):? (?P<places>.+)")
PLACE = re.compile(r"(?:\*(?P<heading>.+)\* )?\((?P<cells>`[^`]+`(?:, `[^`]+`)*)\)")
HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.MULTILINE)


def rows(name):
    """The name in bold, and the three cells, of each row of a page's table."""
    found = []
    for line in (DOCS / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("| **"):
            first, *others = line.strip("| ").split(" | ")
            found.append((re.match(r"\*\*(.+?)\*\*", first)[1], first, *others))
    return found


NOTEBOOKS = {path.name: nbformat.read(path, as_version=4) for path in (ROOT / "notebooks").glob("*.ipynb")}
MAP, GLOSSARY = rows("map.md"), rows("glossary.md")
ENTRIES = [pytest.param(row[2 if page is MAP else 3], id=row[0]) for page in (MAP, GLOSSARY) for row in page]


def headings(cell):
    """The headings in a cell, each with its marks, without those in its listings."""
    return HEADING.findall(re.sub(r"(?ms)^```.*?^```", "", cell.source)) if cell.cell_type == "markdown" else []


def targets(text):
    """(title, path, heading or None, cell's id) of all that the last cell of a row leads to."""
    for line in text.split("<br>"):
        chapter = CHAPTER.fullmatch(line)
        assert chapter, line
        for part in chapter["places"].split("; "):
            place = PLACE.fullmatch(part)
            assert place, part
            for cell in re.findall("`(.+?)`", place["cells"]):
                yield chapter["title"], (DOCS / chapter["file"]).resolve(), place["heading"], cell


def found(path, cell_id):
    """(notebook, cell, headings that lead to it: those in it, and the last one and the last section before it)."""
    nb = NOTEBOOKS[path.name]
    place = [cell.id for cell in nb.cells].index(cell_id)
    before = [heading for cell in nb.cells[:place] for heading in headings(cell)]
    sections = [heading for heading in before if heading[0] == "##"]
    near = headings(nb.cells[place]) + before[-1:] + sections[-1:]
    return nb, nb.cells[place], [heading for _, heading in near]


@pytest.mark.parametrize("text", ENTRIES)
def test_an_entry_names_notebooks_headings_and_cells_that_are_there(text):
    for title, path, heading, cell_id in targets(text):
        assert path.is_file()
        nb, cell, near = found(path, cell_id)
        assert title == headings(nb.cells[0])[0][1].replace(" ·", "")
        assert heading in near or (heading is None and cell is nb.cells[0])


def test_the_map_has_every_section_formula_and_listing_of_the_source_text_once_and_in_order():
    names = re.findall(r"(?:(?:Formula|Listing) )?\d[\d.]*", SOURCE)
    assert [name for name, *_ in MAP] == names
    assert not [name for name, first, _, corrected in MAP if not corrected.strip() or first.endswith("**")]


def test_the_glossary_is_sorted_without_repeats_and_every_term_is_explained():
    terms = [re.sub(r"[^a-z0-9]+", " ", term.lower()).strip() for term, *_ in GLOSSARY]
    assert terms == sorted(set(terms))
    assert not [term for term, _, meaning, _ in GLOSSARY if not meaning.endswith(".")]


@pytest.mark.parametrize(("term", "text"), [pytest.param(row[0], row[3], id=row[0]) for row in GLOSSARY])
def test_a_term_occurs_in_the_cell_that_teaches_it(term, text):
    ((_, path, _, cell_id),) = targets(text)
    _, cell, _ = found(path, cell_id)
    assert re.search(r"(?<!\w)" + r"\s+".join(map(re.escape, term.split())), cell.source, re.IGNORECASE)
