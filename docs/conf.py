"""The site, as Sphinx builds it: `scripts/docs`.

The source folder is the repository, so that links lead on the site where they lead in a clone. Nothing is executed:
chapters are shown with the outputs that are stored in `notebooks/`. Of `solutions/` a page of licences alone is read.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).resolve().parents[1]

project = "Pretrained models, learned by doing"
author = "the authors of the course"
language = "en-GB"
extensions = ["myst_nb"]
root_doc = "README"
pages = [  # what stands in the sidebar, besides the chapters
    ("For learners", ["docs/glossary", "docs/topics", "Benchmarks <tests/benchmarks/README>"]),
    ("For instructors", ["docs/instructors", "docs/write-an-exercise"]),
    ("For maintainers", ["docs/inside", "CONTRIBUTING", "CHANGELOG", "docs/source_audit"]),
    (
        "Licences of pictures",
        ["Emoji <course/data/assets/LICENCES>", "Hidden pictures <solutions/hidden/capstone/LICENCES>"],
    ),
]
names = [re.sub(r".*<(.+)>", r"\1", page) + ".md" for _, listed in pages for page in listed]
include_patterns = ["README.md", "notebooks/*.ipynb", *(name for name in names if (ROOT / name).is_file())]
exclude_patterns = ["**/.*", "build", "dist", "docs/_build", "my-notebooks"]

nb_execution_mode = "off"
nb_code_prompt_show = "Show the {type}"
nb_code_prompt_hide = "Hide the {type}"
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_copy_source = False
html_use_index = False

# Where links to source files lead: to their pages where the site is published, else to copies beside the site's.
repository = os.environ.get("GITHUB_REPOSITORY", "")
source_pages = (
    f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}/blob/"
    f"{os.environ.get('GITHUB_SHA', 'main')}/"
    if repository
    else ""
)

NOTE = """\
```{note}
This page shows the chapter as it ran, with its exercises still open. To work through it and to check your answers,
[install the course](../README.md#install).
```
"""
# A link to a heading of a chapter: JupyterLab's anchors keep capitals and punctuation, those of the site do not.
TO_HEADING = re.compile(r"(\.ipynb#)((?:[^\s()]|\([^\s()]*\))+)")
OUTCOME = "What came out"
_QUESTION = re.compile(r"(predict|quiz)\(|(?s:.*?)^(reveal)\(", re.MULTILINE)  # a cell that only asks, or reveals


def on_source_read(app: Sphinx, name: str, content: list[str]) -> None:
    """Prepare a page: the sidebar, links to headings of chapters, or what Jupyter knows of a chapter's cells."""
    if name == root_doc:
        content[0] += sidebar()
    elif name.startswith("docs/"):
        content[0] = TO_HEADING.sub(lambda link: link[1] + re.sub(r"[^\w-]", "", link[2].lower()), content[0])
    elif name.startswith("notebooks/"):
        content[0] = json.dumps(as_page(json.loads(content[0])))


def sidebar() -> str:
    """The table of contents as MyST, which no reader of the README sees."""
    chapters = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    lists = [("Chapters", [f"notebooks/{chapter}" for chapter in chapters]), *pages]
    there = {Path(pattern).with_suffix("").as_posix() for pattern in include_patterns}
    text = ""
    for caption, listed in lists:
        shown = [page for page in listed if caption == "Chapters" or re.sub(r".*<(.+)>", r"\1", page) in there]
        if shown:
            text += "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *shown, "```", ""])
    return text


def as_page(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook in which MyST-NB finds folded cells, and nothing that answers a question beforehand."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            tags, options = shown_as(cell)
            cell["metadata"] |= {"tags": cell["metadata"].get("tags", []) + tags, "mystnb": options}
    title, *rest = notebook["cells"]
    note = {"cell_type": "markdown", "id": "how-to-work-through-it", "metadata": {}, "source": NOTE}
    return notebook | {"cells": [title, note, *rest]}


def shown_as(cell: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The tags and the options with which MyST-NB shows a code cell."""
    if question := _QUESTION.match("".join(cell["source"])):
        if question[2]:
            return ["remove-input", "question", "hide-output"], dict.fromkeys(
                ("code_prompt_show", "code_prompt_hide"), OUTCOME
            )
        return ["remove-input", "question"], {}
    return ["hide-input"] if cell["metadata"].get("jupyter", {}).get("source_hidden") else [], {}


class LinksToSource(SphinxTransform):
    """Links to source files lead to the repository's pages, where it is known."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        if not source_pages:
            return
        for link in list(self.document.findall(addnodes.download_reference)):
            path = os.path.normpath(os.path.join(os.path.dirname(self.env.docname), link["reftarget"]))
            link.replace_self(nodes.reference("", "", *link.children, refuri=source_pages + path))


def on_build_finished(app: Sphinx, error: Exception | None) -> None:
    """The home page under the name that a web server looks for."""
    home = Path(app.outdir, f"{root_doc}.html")
    if error is None and home.is_file():
        shutil.copyfile(home, home.with_name("index.html"))


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls first."""
    app.connect("source-read", on_source_read)
    app.connect("build-finished", on_build_finished)
    app.add_transform(LinksToSource)
    return {"parallel_read_safe": True}
