"""Right answers that look odd: each keeps full marks in every exercise."""

from __future__ import annotations

import copy
import json
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.hostile.attacks import CACHING, FREEZE, LISTING, caching, freeze, listing
from tests.hostile.honest_answers import ANSWERS
from tests.hostile.honest_cells import KERNEL
from tests.hostile.trial import Machine, as_bytes, brief, code_cell, full_marks, notebook, solutions

Notebook = dict[str, Any]
TRAIN = "02-set-train-mode"
_PYTHON_IN_TMP = any(entry.startswith("/tmp/") for entry in (sys.prefix, sys.base_prefix, *sys.path))


@dataclass(frozen=True)
class Oddity:
    """`note` must stand in the notes of the exercise that it is about."""

    name: str
    content: Callable[[], bytes]
    note: str = ""
    everywhere: bool = True  # it touches every exercise
    exercise: str = FREEZE


def saved(name: str, change: Callable[[Notebook], Any], **more: Any) -> Oddity:
    """The solved notebook, changed in place or replaced by what `change` returns."""

    def content() -> bytes:
        book = copy.deepcopy(notebook())
        changed = change(book)
        return changed if isinstance(changed, bytes) else as_bytes(changed or book)

    return Oddity(name, content, **more)


def answered(name: str, answer: str, exercise: str = FREEZE, **cells: Any) -> Oddity:
    """The solved notebook with another right answer in one exercise."""
    content = lambda: as_bytes(notebook({exercise: answer}, **cells))  # noqa: E731
    return Oddity(name, content, exercise=exercise, everywhere=False)


def _by_colab(book: Notebook) -> None:
    for cell in book["cells"]:
        cell.pop("id", None)
        cell["metadata"] = {"id": "aB3dE5"} if cell["cell_type"] == "code" else {}
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)
    book["nbformat_minor"] = 0
    book["metadata"] = {"colab": {"provenance": []}, "kernelspec": {"name": "python3", "display_name": "Python 3"}}


def _without_metadata(book: Notebook) -> None:
    for cell in book["cells"]:
        cell.pop("id", None)
        cell.pop("metadata", None)
    book["metadata"] = {}


def _by_vs_code(book: Notebook) -> None:
    for number, cell in enumerate(book["cells"]):
        cell["id"] = f"{number:08x}"
        cell["metadata"] = {"vscode": {"languageId": "python"}, "notebookRunGroups": {"groupValue": "1"}}
    book["metadata"]["language_info"] = {"name": "python", "version": "3.12.1", "mimetype": "text/x-python"}


def _by_nbgrader(book: Notebook) -> None:
    for cell in book["cells"]:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["checksum"] = "d41d8cd98f00b204e9800998ecf8427e"
            cell["id"] = "cell-" + cell["metadata"]["nbgrader"]["grade_id"]
            cell["source"] = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
            cell["source"] = cell["source"].replace("# exercise: ", "# ")


def _as_nbformat_3(book: Notebook) -> Notebook:
    cells = [
        {"cell_type": "code", "language": "python", "input": cell["source"], "outputs": [], "collapsed": False}
        for cell in book["cells"]
        if cell["cell_type"] == "code"
    ]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}


def _reordered(book: Notebook) -> None:
    book["cells"].reverse()


def _copied(book: Notebook) -> None:
    wrong = "# exercise: 02-freeze-backbone\ndef freeze(module):\n    return None\n"
    place = next(i for i, cell in enumerate(book["cells"]) if cell.get("id") == FREEZE)
    book["cells"].insert(place, code_cell(wrong))
    book["cells"].insert(0, code_cell(wrong))


def _with_large_outputs(book: Notebook) -> None:
    picture = {"output_type": "display_data", "data": {"image/png": "A" * 1_250_000}, "metadata": {}}
    for cell in [cell for cell in book["cells"] if cell["cell_type"] == "code"][:4]:
        cell["outputs"] = [
            copy.deepcopy(picture),
            {"output_type": "stream", "name": "stderr", "text": ["warning\n"] * 100},
        ]


def _with_windows_line_ends(book: Notebook) -> None:
    for cell in book["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")


def _with_tabs(book: Notebook) -> None:
    for cell in book["cells"]:
        if cell.get("id") in solutions():
            cell["source"] = cell["source"].replace("    ", "\t")


def _split(book: Notebook) -> None:
    """The comment and the id stay in a cell of their own."""
    place = next(i for i, cell in enumerate(book["cells"]) if cell.get("id") == FREEZE)
    comment, _, rest = book["cells"][place]["source"].partition("\n")
    book["cells"][place]["source"] = comment
    book["cells"].insert(place + 1, code_cell(rest))


def _merged(book: Notebook) -> None:
    """All answers in one cell at the end, without their comments."""
    book["cells"] = [cell for cell in book["cells"] if cell.get("id") not in solutions()]
    lines = "\n".join("\n".join(source.splitlines()[1:]) for source in solutions().values())
    book["cells"].append(code_cell(lines))


def _with_deleted_tests(book: Notebook) -> None:
    book["cells"] = [cell for cell in book["cells"] if not str(cell.get("id")).endswith("-check")]


def _only_the_answers(book: Notebook) -> None:
    imports = "import torch\nfrom torch import nn"
    book["cells"] = [code_cell(imports), *(cell for cell in book["cells"] if cell.get("id") in solutions())]


def _with_experiments(book: Notebook) -> None:
    sources = (
        "%matplotlib inline\n%time 1 + 1\n!pip install torch==1.0\nfiles = !ls\nfreeze?\n",
        "%%bash\necho hello",
        "%%time\nx = sum(range(10))",
        "%load_ext autoreload\n%autoreload 2",
        "raise ValueError('an experiment that failed')",
        "model = undefined_name(3)",
        "for i in range(10**12): pass",
        "this is no Python at all",
        "",
        "   \n",
        "input('your name? ')",
        "import a_package_that_is_not_installed",
    )
    book["cells"] = [*map(code_cell, sources), *book["cells"], *map(code_cell, sources)]


def _with_stars(book: Notebook) -> None:
    """torch's own `any` hides Python's, so the answers do without."""
    for cell in book["cells"]:
        if cell.get("id") == TRAIN:
            body = "model.train()\nfor part in model.modules():\n    own = list(part.parameters())\n"
            body += "    if own and True not in [p.requires_grad for p in own]: part.eval()\nreturn model"
            cell["source"] = (
                f"# exercise: {TRAIN}\nfrom torch import *\nfrom torch.nn import *\n"
                f"def set_train(model):\n{textwrap.indent(body, '    ')}\n"
            )


def _with_files_in_tmp(book: Notebook) -> None:
    """Unless Python itself lies below /tmp, which is read-only then."""
    writes = "with open('/tmp/log.txt', 'w') as log: log.write('x')\n" if not _PYTHON_IN_TMP else ""
    for cell in book["cells"]:
        if cell.get("id") == FREEZE:
            cell["source"] = freeze(f"{writes}return module.requires_grad_(False)")


ODDITIES = (
    saved("saved by Colab: no ids, no metadata of ours, sources as lists", _by_colab),
    saved("saved without any metadata", _without_metadata),
    saved("saved by VS Code: other ids", _by_vs_code),
    saved("saved by nbgrader: checksums, and its grade_id alone says what it is", _by_nbgrader),
    saved("saved as nbformat 3", _as_nbformat_3),
    saved("the order of all cells turned round", _reordered),
    saved(
        "an exercise's cell copied: the last one counts",
        _copied,
        note="3 cells hold this exercise; the last one counts",
    ),
    saved("5 MB of outputs", _with_large_outputs),
    saved("Windows' line ends", _with_windows_line_ends),
    saved("tabs", _with_tabs),
    saved("a byte order mark", lambda book: b"\xef\xbb\xbf" + as_bytes(book)),
    saved("UTF-16", lambda book: json.dumps(book, ensure_ascii=False).encode("utf-16")),
    saved("an exercise's cell split in two", _split),
    saved("all answers in one cell, their comments gone", _merged),
    saved("the check cells deleted", _with_deleted_tests),
    saved("nothing but imports and answers", _only_the_answers),
    saved("magics, shell lines, errors and experiments around", _with_experiments),
    saved("everything imported from torch", _with_stars, exercise=TRAIN),
    saved("files in /tmp", _with_files_in_tmp),
    *(answered(name, freeze(body, top=top), **cells) for name, body, top, cells in ANSWERS["freeze"]),
    *(answered(name, listing(body, top=top), LISTING, **cells) for name, body, top, cells in ANSWERS["listing"]),
    *(answered(name, caching(body, top=top), CACHING, **cells) for name, body, top, cells in ANSWERS["caching"]),
    *(answered(name, source, exercise, **cells) for name, source, exercise, cells in ANSWERS["cells"]),
    *(answered(name, source, **cells) for name, source, cells in KERNEL),
)


def losses(machine: Machine, oddity: Oddity, *, thorough: bool = True) -> list[str]:
    """The marks that were lost, a line each. Not thorough: of one exercise, where the others are as everybody's."""
    wanted = () if thorough or oddity.everywhere else (oddity.exercise,)
    grades = machine.grade(oddity.content(), *wanted)
    found = [f"{name}: {brief(grade)}" for name, grade in grades.items() if not full_marks(grade)]
    if len(grades) != (len(wanted) or len(solutions())):
        found.append(f"only {', '.join(grades)} were found")
    if oddity.note and oddity.note not in grades[oddity.exercise].notes:
        found.append(f"the notes do not say {oddity.note!r}: {grades[oddity.exercise].notes}")
    return found
