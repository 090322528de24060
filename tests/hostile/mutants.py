"""Notebooks that no editor wrote: `mutants` breaks one in its structure, its code, its encoding or its size.

Each mutation once by itself, then two or three at random on one notebook; the same seed gives the same mutants.
"""

import copy
import gzip
import io
import json
import pickle
import random
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile.mutant_sources import SOURCES

Notebook = dict[str, Any]

ODD_VALUES = (
    None, True, 0, -1, 2**70, 1e308, float("nan"), float("inf"), "", "x", "\0", "\ud800", "\U0001f9e8", "a" * 100_000,
    [], {}, [[]], [None], {"": ""}, [1, 2], ["a", 1, None], {"a": {"b": [{}]}}, "https://a.org", "\x1b[2J<script>",
)  # fmt: skip


def mutants(notebook: Notebook | bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` mutants of a notebook, each with a name that says what was done to it."""
    original = json.loads(notebook) if isinstance(notebook, bytes) else notebook
    singles = [*STRUCTURE, *CODE, *ENCODING]
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        chosen = [singles[number]] if number < len(singles) else _some(rng)
        yield _mutant(original, chosen, rng)


def _some(rng: random.Random) -> list[str]:
    chosen = rng.choices([*STRUCTURE, *CODE], k=rng.randint(1, 3))
    return chosen + rng.choices([*ENCODING], k=rng.choice([0, 0, 1]))


def _mutant(original: Notebook, chosen: list[str], rng: random.Random) -> tuple[str, bytes]:
    changed: Any = copy.deepcopy(original)
    done = []
    for name in chosen:
        if name in ENCODING:
            continue
        try:
            changed = (STRUCTURE | CODE)[name](changed, rng) or changed
            done.append(name)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError):
            continue  # an earlier mutation took away what this one works on, or nested it too deeply to be copied
    content = json.dumps(changed).encode()
    for name in chosen:
        if name in ENCODING:
            content = ENCODING[name](content, rng)
            done.append(name)
    return " + ".join(done) or "as it is", content


def _cells(nb: Notebook, kind: str = "code") -> list[dict[str, Any]]:
    return [cell for cell in nb["cells"] if cell.get("cell_type") == kind]


def _exercise(nb: Notebook, rng: random.Random) -> dict[str, Any]:
    """A cell with an exercise, or any cell with code where there is none."""
    cells = _cells(nb)
    return rng.choice([cell for cell in cells if "# exercise:" in "".join(cell["source"])] or cells)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything in a JSON value."""
    found, waiting = [], [value]
    while waiting:
        here = waiting.pop()
        keys = list(here) if isinstance(here, dict) else list(range(len(here))) if isinstance(here, list) else []
        found += [(here, key) for key in keys]
        waiting += [here[key] for key in keys]
    return found


def _replace_anything(nb: Notebook, rng: random.Random) -> None:
    container, key = rng.choice(_places(nb))
    container[key] = copy.deepcopy(rng.choice(ODD_VALUES))


def _remove_anything(nb: Notebook, rng: random.Random) -> None:
    container, key = rng.choice(_places(nb))
    del container[key]


def _swap_two_things(nb: Notebook, rng: random.Random) -> None:
    (one, first), (two, second) = rng.sample(_places(nb), 2)
    one[first], two[second] = copy.deepcopy(two[second]), copy.deepcopy(one[first])


def _to_nbformat_3(nb: Notebook, rng: random.Random) -> Notebook:
    cells = [
        {**{key: value for key, value in cell.items() if key != "source"}, "input": cell["source"]}
        for cell in nb["cells"]
    ]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}


def _set_at_top(key: str) -> Callable[[Notebook, random.Random], None]:
    def mutate(nb: Notebook, rng: random.Random) -> None:
        nb[key] = copy.deepcopy(rng.choice(ODD_VALUES))

    return mutate


def _set_in_a_cell(key: str, of_exercise: bool = True) -> Callable[[Notebook, random.Random], None]:
    def mutate(nb: Notebook, rng: random.Random) -> None:
        cell = _exercise(nb, rng) if of_exercise else rng.choice(nb["cells"])
        cell[key] = copy.deepcopy(rng.choice(ODD_VALUES))

    return mutate


def _same_ids(nb: Notebook, rng: random.Random) -> None:
    wanted = _exercise(nb, rng).get("id")
    for cell in nb["cells"]:
        cell["id"] = wanted


def _forged_claims(nb: Notebook, rng: random.Random) -> None:
    for cell in nb["cells"]:
        cell["metadata"] = {"nbgrader": rng.choice([[], {"grade_id": []}, {"grade_id": "02-freeze-backbone"}, 3])}


def _cells_that_are_none(nb: Notebook, rng: random.Random) -> None:
    for _ in range(3):
        nb["cells"].insert(rng.randrange(len(nb["cells"]) + 1), copy.deepcopy(rng.choice(ODD_VALUES)))


def _copied_cells(nb: Notebook, rng: random.Random) -> None:
    nb["cells"] += copy.deepcopy(rng.choices(nb["cells"], k=10))


def _many_cells(nb: Notebook, rng: random.Random) -> None:
    nb["cells"] += [{"cell_type": "code", "source": f"x{number} = {number}", "metadata": {}} for number in range(1_900)]


def _many_copies(nb: Notebook, rng: random.Random) -> None:
    nb["cells"] += [copy.deepcopy(_exercise(nb, rng)) for _ in range(500)]


def _lone_letters(nb: Notebook, rng: random.Random) -> None:
    for cell in nb["cells"]:
        cell["source"] = list("".join(cell["source"]))


def _odd_lines(nb: Notebook, rng: random.Random) -> None:
    _exercise(nb, rng)["source"] = ["def freeze(module):\n", rng.choice([3, None, [], {}, True]), "    return module"]


def _deep_metadata(nb: Notebook, rng: random.Random) -> None:
    inner: Any = {}
    for _ in range(rng.choice([50, 400])):
        inner = {"x": [inner]}
    rng.choice([nb, _exercise(nb, rng)])["metadata"] = inner


def _large_output(nb: Notebook, rng: random.Random) -> None:
    _exercise(nb, rng)["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["x" * 2_000_000]}]


STRUCTURE: dict[str, Callable[[Notebook, random.Random], Notebook | None]] = {
    "something replaced": _replace_anything,
    "something removed": _remove_anything,
    "two things swapped": _swap_two_things,
    "nbformat 3": _to_nbformat_3,
    "nbformat 3 without cells": lambda nb, rng: {"nbformat": 3, "worksheets": rng.choice([[], [{}], [[]], {}, None])},
    "other cells at the top": _set_at_top("cells"),
    "other metadata at the top": _set_at_top("metadata"),
    "other nbformat": _set_at_top("nbformat"),
    "worksheets too": _set_at_top("worksheets"),
    "cells as an object": lambda nb, rng: {**nb, "cells": dict(enumerate(nb["cells"]))},
    "cells in cells": lambda nb, rng: {**nb, "cells": [nb["cells"]]},
    "no cells": lambda nb, rng: {**nb, "cells": []},
    "cells backwards": lambda nb, rng: {**nb, "cells": nb["cells"][::-1]},
    "cells that are none": _cells_that_are_none,
    "other source": _set_in_a_cell("source"),
    "other source of any cell": _set_in_a_cell("source", of_exercise=False),
    "other metadata of a cell": _set_in_a_cell("metadata"),
    "other id": _set_in_a_cell("id"),
    "other cell type": _set_in_a_cell("cell_type"),
    "other outputs": _set_in_a_cell("outputs"),
    "the same id everywhere": _same_ids,
    "forged claims": _forged_claims,
    "copied cells": _copied_cells,
    "many cells": _many_cells,
    "too many cells": lambda nb, rng: {**nb, "cells": nb["cells"] * 100},
    "many copies of an exercise": _many_copies,
    "source in letters": _lone_letters,
    "lines that are none": _odd_lines,
    "deep metadata": _deep_metadata,
    "a large output": _large_output,
    "a list, not a notebook": lambda nb, rng: [nb],  # type: ignore[list-item,return-value,dict-item]
}


def _with_source(make: Callable[[str], str]) -> Callable[[Notebook, random.Random], None]:
    """An exercise's cell with another source, half of the times with the answer before it."""

    def mutate(nb: Notebook, rng: random.Random) -> None:
        cell = _exercise(nb, rng)
        before = "".join(cell["source"])
        cell["source"] = make(before)

    return mutate


CODE = {name: _with_source(make) for name, make in SOURCES.items()}


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _changed_bytes(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content or b" ")
    for _ in range(rng.choice([1, 3, 100])):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _inserted_bytes(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return (
        content[:at]
        + rng.choice([rng.randbytes(5), b"\0", b"\xff\xfe", b"\n<<<<<<< HEAD\n", b"{", b"]"])
        + content[at:]
    )


def _removed_bytes(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + content[at + rng.choice([1, 10, 1000]) :]


def _encoded(encoding: str) -> Callable[[bytes, random.Random], bytes]:
    # Not escaped, so that the encoding matters.
    def mutate(content: bytes, rng: random.Random) -> bytes:
        text = content.decode("utf-8", "replace").replace('"metadata"', '"Größe 李 🧨": 1, "metadata"', 1)
        return text.encode(encoding, "replace")

    return mutate


def _zipped(content: bytes, rng: random.Random) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("02.ipynb", content)
    return stream.getvalue()


def _instead(*contents: bytes) -> Callable[[bytes, random.Random], bytes]:
    return lambda content, rng: rng.choice(contents)


def _somewhere(*values: bytes) -> Callable[[bytes, random.Random], bytes]:
    """A value that json.dumps would not write, in the notebook's metadata."""
    return lambda content, rng: content.replace(b"{", b'{"x": ' + rng.choice(values) + b", ", 1)


ENCODING: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut off": _cut,
    "bytes changed": _changed_bytes,
    "bytes inserted": _inserted_bytes,
    "bytes removed": _removed_bytes,
    "UTF-8 with a mark": _encoded("utf-8-sig"),
    "UTF-16": _encoded("utf-16"),
    "UTF-16 without a mark": _encoded("utf-16-be"),
    "UTF-32": _encoded("utf-32"),
    "Latin-1": _encoded("latin-1"),
    "Shift JIS": _encoded("shift_jis"),
    "EBCDIC": _encoded("cp500"),
    "gzip": lambda content, rng: gzip.compress(content),
    "zip": _zipped,
    "pickle": lambda content, rng: pickle.dumps(content),
    "nothing": _instead(b"", b" ", b"\n\n", b"\0", b"\xff", b"\xef\xbb\xbf"),
    "other JSON": _instead(
        b"null", b"[]", b"{}", b"3", b'"text"', b"NaN", b"[1, 2]", b'{"cells": 1}', b'{"cells": {}}'
    ),
    "no JSON": _instead(b"<html>", b"import torch", b"%PDF-1.7", b"\x89PNG\r\n", b"{'cells': []}", b"// x\n{}"),
    "twice": lambda content, rng: content * 2,
    "other line ends": lambda content, rng: content.replace(b", ", b",\r"),
    "keys twice": lambda content, rng: content.replace(b'"cells":', b'"cells": [], "cells":'),
    "deep lists": _instead(b"[" * 200_000, b'{"cells": ' * 50_000, b"[" * 990 + b"]" * 990),
    "deep lists within": _somewhere(b"[" * 100_000 + b"]" * 100_000, b"[" * 600 + b"]" * 600),
    "long numbers": _somewhere(b"1" * 100_000, b"1" * 4_000, b"1e999999", b"-0.0", b"1." + b"3" * 100_000),
    "no numbers": _somewhere(b"NaN", b"-Infinity", b"0x10", b"1_000", b"01", b"+1"),
    "lone surrogates": _somewhere(b'"\\ud800"', b'"\\udfff\\ud800"', b'"\\u0000"'),
    "spaces": lambda content, rng: b" " * 3_000_000 + content,
    "large": lambda content, rng: content.replace(b"{", b'{"x": "' + b"y" * 20_000_000 + b'", ', 1),
    "too large": lambda content, rng: content.replace(b"{", b'{"x": "' + b"y" * (51 * 2**20) + b'", ', 1),
}
