"""A cell as a kernel runs it: magics, shell lines, prompts and indentation turned into plain Python, by IPython."""

from __future__ import annotations

import ast
import re
import tokenize
from typing import Any

_PYTHON_BELOW = {"time", "timeit", "capture", "prun", "memit", "debug"}  # cell magics that run their cell as Python
_MOST_MAGICS = 500  # IPython's own limit
_RUN_IN_PLACE = re.compile(r"get_ipython\(\)\.run_line_magic\('(?:time|prun)', ('.*'|\".*\")\)$")


def as_python(source: str) -> str:
    """A cell that is not plain Python as what a kernel makes of it, its lines where they were.

    `get_ipython()` is called for what is no Python; what `%time` and its like are given stands in their place. Raises
    SyntaxError where IPython finds one.
    """
    from IPython.core.inputtransformer2 import TransformerManager  # half a second, which few cells need

    manager: Any = TransformerManager()
    lines = source.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    cleaned = lines
    for transform in manager.cleanup_transforms:
        cleaned = transform(cleaned)
    above = "\n" * (len(lines) - len(cleaned))
    if cleaned and cleaned[0].startswith("%%"):
        return above + _below_cell_magic(cleaned, manager)
    return above + "".join(_without_magics(cleaned, manager))


def _below_cell_magic(lines: list[str], manager: Any) -> str:
    name, _, argument = lines[0][2:].strip().partition(" ")
    if name not in _PYTHON_BELOW:
        for transform in manager.line_transforms:
            lines = transform(lines)
        return "".join(lines)
    below = "".join(lines[1:])
    try:
        ast.parse(below)
    except SyntaxError:
        below = as_python(below)
    kept_as = [word for word in argument.split() if word.isidentifier()]
    first = f"{kept_as[-1]} = get_ipython().run_cell_magic('capture', '', '')" if name == "capture" and kept_as else ""
    return f"{first}\n{below}"


def _without_magics(lines: list[str], manager: Any) -> list[str]:
    magics = 0
    while found := _magics(lines, manager):
        magics += len(found)
        if magics > _MOST_MAGICS:
            raise SyntaxError(f"the cell has over {_MOST_MAGICS} magics")
        for one in reversed(found):
            made = one.transform(lines)
            lost = ["\n"] * (len(lines) - len(made))  # the lines that a backslash continued
            at = one.start_line
            lines = [*made[:at], _in_place(made[at]), *lost, *made[at + 1 :]]
    return lines


def _magics(lines: list[str], manager: Any) -> list[Any]:
    """The magics in these lines, up to one with a quote, which may hide where the next string begins."""
    from IPython.core.inputtransformer2 import make_tokens_by_line

    found: list[Any] = []
    try:
        for tokens in make_tokens_by_line(lines):
            here = [one for kind in manager.token_transformers if (one := kind.find([tokens]))]
            if here:
                found.append(min(here, key=lambda one: one.sortby()))
                if re.search(r"[\"']|\\$", lines[found[-1].start_line]):
                    break
    except tokenize.TokenError as error:
        raise SyntaxError(str(error)) from error
    return found


def _in_place(line: str) -> str:
    """What `%time` and `%prun` run, in their place; any other line as it is."""
    found = _RUN_IN_PLACE.search(line.rstrip("\n"))
    code = ast.literal_eval(found[1]) if found else ""
    if not found or code.startswith("-"):  # options
        return line
    return f"{line[: found.start()]}{code or 'pass'}\n"
