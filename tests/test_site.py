"""The site: built without a warning, and what a reader finds on it."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from tests.conftest import ROOT

pytest.importorskip("sphinx", reason="the extra docs is not installed")
pytest.importorskip("myst_nb", reason="the extra docs is not installed")
pytest.importorskip("furo", reason="the extra docs is not installed")

pytestmark = pytest.mark.slow
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = (
    "index",
    "docs/glossary",
    "docs/topics",
    "docs/instructors",
    "docs/write-an-exercise",
    "docs/inside",
    "tests/benchmarks/README",
)
chapters = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


class Page(HTMLParser):
    """The pictures, the links, the anchors and the text of a page."""

    def __init__(self, path):
        super().__init__()
        self.path, self.pictures, self.links, self.ids, self.text = path, [], [], set(), ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids.add(found.get("id"))
        if tag == "img":
            self.pictures.append(found)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])

    def handle_data(self, data):
        self.text += data


def build(out, **variables):
    """Build the site, warnings as errors, into a folder; what Sphinx says."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-c", "docs", ".", str(out)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")} | variables
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site") / "html"
    build(out)
    return out


@chapters
def test_a_chapter_has_all_its_pictures_each_with_an_alternative_text(site, notebook):
    stored = [
        output
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
        if "<img" in "".join(output.get("data", {}).get("text/html", ""))
    ]
    page = Page(site / "notebooks" / f"{notebook.stem}.html")
    assert len(page.pictures) >= len(stored) > 2
    for picture in page.pictures:
        assert len(picture.get("alt", "")) > 15 and ".png" not in picture["alt"]
        assert picture["src"].startswith("data:") or (page.path.parent / picture["src"]).is_file()


@chapters
def test_a_chapter_shows_open_exercises_and_gives_away_no_answer(site, notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    exercises = sum("".join(cell["source"]).count("raise NotImplementedError") for cell in cells)
    page = Page(site / "notebooks" / f"{notebook.stem}.html")
    assert page.text.count("raise NotImplementedError") == exercises > 0
    given_away = re.findall(r"(?:\b(?:quiz|reveal)\(\s*[\"']|BEGIN SOLUTION|\banswer=\d).*", page.text)
    assert given_away == []
    folded = page.path.read_text(encoding="utf-8").count("above-output")
    assert folded == sum("reveal(" in "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_every_page_is_there_and_every_link_on_it_leads_somewhere(site):
    pages = {path: Page(path) for path in site.rglob("*.html") if path.name not in ("search.html", "genindex.html")}
    expected = {site / f"{name}.html" for name in (*PAGES, *(f"notebooks/{path.stem}" for path in NOTEBOOKS))}
    assert set(pages) >= expected
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path}: {link}"
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in pages[target].ids, f"{path}: {link}"


def test_the_search_finds_the_chapter_on_freezing(site):
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(re.fullmatch(r"Search\.setIndex\((.*)\)", text, re.DOTALL)[1])
    names = set()
    for kind in ("terms", "titleterms"):
        found = index[kind]["frozen"]
        names |= {index["docnames"][number] for number in (found if isinstance(found, list) else [found])}
    assert names >= {"notebooks/02_freeze_the_backbone", "docs/glossary"}


def test_links_to_source_files_lead_to_copies_or_where_the_repository_is_known_to_its_pages(site, tmp_path):
    name = "freeze_backbone.py"
    (copy,) = [link for link in Page(site / "docs" / "inside.html").links if link.endswith(name)]
    assert (site / "docs" / copy).resolve().read_bytes() == next((ROOT / "course").rglob(name)).read_bytes()
    build(tmp_path / "html", GITHUB_REPOSITORY="somebody/a-course", GITHUB_SHA="c0ffee")
    (link,) = [link for link in Page(tmp_path / "html" / "docs" / "inside.html").links if link.endswith(name)]
    start = "https://github.com/somebody/a-course/blob/c0ffee/course/exercises/"
    assert link == f"{start}nb02_freeze_the_backbone/{name}"


def test_nothing_of_the_solutions_is_on_the_site_but_a_page_of_licences(site):
    assert [path.name for path in (site / "solutions").rglob("*") if path.is_file()] == ["LICENCES.html"]
    assert not list(site.rglob("*.ipynb*"))
