"""The course's own text, for a search in it: the terms of the glossary and the headings of the chapters."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from course.errors import SetupError
from course.notebook.workspace import find_originals

_ROW = re.compile(r"\| \*\*(?P<title>.+?)\*\* \| (?P<text>.+?) \| \[.*?\]\((?P<link>\S+)\) \|")
_HEADING = re.compile(r"^#{2,3} +(.+)$")


@dataclass(frozen=True)
class Passage:
    """A title, the text that belongs to it, and where it stands: "../notebooks/08_understand_text.ipynb#Recall"."""

    title: str
    text: str
    link: str


def glossary(page: Path | None = None) -> list[Passage]:
    """A passage for every term: the term, its meaning, and the heading that teaches it.

    Read from `page`, by default the course's own glossary. Raises SetupError if it is not there or has no terms.
    """
    page = page or find_originals().parent / "docs" / "glossary.md"
    if not page.is_file():
        raise SetupError(f"the glossary is not at {page}; install the course again")
    found = [Passage(**row.groupdict()) for row in _ROW.finditer(page.read_text(encoding="utf-8"))]
    if not found:
        raise SetupError(f"no term was found in {page}; its rows are | **term** | meaning | [heading](link) |")
    return found


def headings(folder: Path | None = None) -> list[Passage]:
    """A passage for every heading of the second and third level: the heading, and the first paragraph under it.

    Read from the notebooks in `folder`, by default the course's own, in the order of their names.
    """
    found = []
    for path in sorted((folder or find_originals()).glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                found += _headings_of("".join(cell["source"]), path.name)
    return found


def _headings_of(markdown: str, notebook: str) -> list[Passage]:
    found: list[Passage] = []
    blocks = re.split(r"\n\s*\n", re.sub(r"(?s)```.*?```", "", markdown))
    for position, block in enumerate(blocks):
        first, _, rest = block.strip().partition("\n")
        if heading := _HEADING.match(first):
            title = heading[1].strip()
            text = rest or (blocks[position + 1].strip() if position + 1 < len(blocks) else "")
            anchor = title.replace(" ", "-")
            found.append(Passage(title, " ".join(text.split()), f"../notebooks/{notebook}#{anchor}"))
    return found
