"""Is an answer or a hidden judge in what a class gets? Every file is searched, those within zips and wheels too.

A leak is
- most of a solution region (two thirds of its lines, at least three or all of it) in one piece, as statements whatever
  their formatting, or line by line in any other text;
- the one line of a region that has only one, in a notebook or a text (in the library many a one-liner is natural);
- the name or the claim of a hidden judge, or a line of hidden code that is long enough to be its own;
- a file of solutions/, tests/ or .git/, a solution marker in a notebook;
- a hidden picture of the capstone, byte for byte.

Not a leak: the library itself. `course.models.freeze` does what an exercise asks for; while that is judged, the library
refuses to, and who copies its code has at least read it. An answer in other words, or with other names, is not found.
"""

from __future__ import annotations

import ast
import base64
import binascii
import hashlib
import io
import json
import re
import textwrap
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from course.authoring.regions import BEGIN, regions

_FORBIDDEN = {"solutions", "tests", ".git", "hidden"}
_ARCHIVES = (".zip", ".whl")
_LONG = 25  # characters from which on a line of code is not written twice by chance
_OF_ITS_OWN = 30  # the same for the one line of a region


@dataclass(frozen=True)
class Secret:
    """Something that must not be found: lines in one piece, or a text. `everywhere`: in the library's code too."""

    what: str
    lines: tuple[str, ...] = ()
    text: str = ""
    everywhere: bool = True


def leaks(folder: Path, root: Path) -> list[str]:
    """One line for each answer or hidden judge of the clone at `root` that is found in a folder."""
    secrets = [*_of_solutions(root / "solutions"), *_of_hidden_judges(root / "solutions" / "hidden")]
    files = (
        (path.relative_to(folder).as_posix(), path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()
    )
    pictures = _hidden_pictures(root / "solutions" / "hidden" / "capstone")
    found: list[str] = []
    for name, content in _unpacked(files):
        found += _in_file(name, content, secrets)
        if hashlib.sha256(content).digest() in pictures:
            found.append(f"{name} is a hidden picture of the capstone")
    return found


def _hidden_pictures(folder: Path) -> set[bytes]:
    """The hashes of all files in a folder with pictures for capstones, and of those in its zips."""
    files = ((path.name, path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file())
    return {hashlib.sha256(content).digest() for _, content in _unpacked(files)}


def _unpacked(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """All files, those within archives instead of the archives, whatever these are called."""
    for name, content in files:
        if not name.endswith(_ARCHIVES) and not zipfile.is_zipfile(io.BytesIO(content)):
            yield name, content
        else:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = [member for member in archive.infolist() if not member.is_dir()]
                yield from _unpacked((f"{name}/{member.filename}", archive.read(member)) for member in members)


def _in_file(name: str, content: bytes, secrets: list[Secret]) -> Iterator[str]:
    if _FORBIDDEN & set(PurePosixPath(name).parts):
        yield f"{name} is a file that stays in the repository"
    is_notebook, is_code = name.endswith(".ipynb"), name.endswith(".py")
    texts = list(_texts(name, content))
    if is_notebook and any(BEGIN in text for text in texts):
        yield f"{name} holds a solution marker"
    whole = "\n".join(texts)
    versions = [lines for text in texts for lines in (_raw_lines(text), _statements(text))]
    seen = {line for lines in versions for line in lines}
    for secret in secrets:
        if is_code and not secret.everywhere:
            continue
        if _has_word(whole, secret.text) or (
            secret.lines and seen.issuperset(secret.lines) and any(_holds(lines, secret.lines) for lines in versions)
        ):
            yield f"{name} holds {secret.what}"


def _has_word(text: str, word: str) -> bool:
    # The first test is a hundred times faster, and nearly always enough.
    return bool(word) and word in text and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _texts(name: str, content: bytes) -> Iterator[str]:
    """The texts in a file: of JSON each string in it, so that line ends are line ends."""
    text = content.decode("utf-8", errors="replace")
    if not name.endswith((".ipynb", ".json")):
        yield text
        return
    try:
        yield from _strings(json.loads(text))
    except ValueError:
        yield text


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield from _decoded(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        if value and all(isinstance(inner, str) for inner in value):
            yield from _strings("".join(value))
        else:
            for inner in value:
                yield from _strings(inner)


def _decoded(text: str) -> Iterator[str]:
    """What a text in base64 says, of an attachment, say."""
    if len(text) > _LONG and re.fullmatch(r"[A-Za-z0-9+/=\s]+", text):
        try:
            yield base64.b64decode(text, validate=False).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return


def _raw_lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _statements(text: str) -> list[str]:
    """The lines of code in a normal form, without comments and formatting; none if it is not valid Python."""
    try:
        return [line.strip() for line in ast.unparse(ast.parse(textwrap.dedent(text))).splitlines() if line.strip()]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _holds(lines: list[str], piece: tuple[str, ...]) -> bool:
    return any(tuple(lines[at : at + len(piece)]) == piece for at in range(len(lines) - len(piece) + 1))


def _of_solutions(folder: Path) -> Iterator[Secret]:
    for path in sorted(folder.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] != "code" or BEGIN not in source:
                continue
            lines = source.splitlines()
            for first, last in regions(source, f"{path.name}, cell {cell['id']}"):
                region = "\n".join(lines[first + 1 : last])
                for version in {tuple(_raw_lines(region)), tuple(_statements(region))} - {()}:
                    yield from _pieces(version, f"the answer of {cell['id']}")


def _pieces(lines: tuple[str, ...], what: str) -> Iterator[Secret]:
    if len(lines) == 1:
        if len(lines[0]) >= _OF_ITS_OWN:
            yield Secret(what, lines, everywhere=False)
        return
    length = max(min(3, len(lines)), -(-2 * len(lines) // 3))
    for at in range(len(lines) - length + 1):
        yield Secret(what, lines[at : at + length])


def _of_hidden_judges(folder: Path) -> Iterator[Secret]:
    for path in sorted(folder.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                yield from _of_function(node, path)
            elif not isinstance(node, (ast.Import, ast.ImportFrom, ast.Expr)):
                yield from _long_lines(node, f"code of solutions/hidden/{path.name}")


def _of_function(node: ast.FunctionDef, path: Path) -> Iterator[Secret]:
    what = f"the hidden judge {node.name}" if _is_judge(node) else f"code of solutions/hidden/{path.name}"
    claim = (ast.get_docstring(node) or "").partition("\n")[0]
    if _is_judge(node):
        yield Secret(what, text=node.name)
        if claim:
            yield Secret(what, text=claim)
    for statement in node.body[1 if claim else 0 :]:
        yield from _long_lines(statement, what)


def _is_judge(node: ast.FunctionDef) -> bool:
    return any("hidden_judge" in ast.unparse(decorator) for decorator in node.decorator_list)


def _long_lines(node: ast.stmt, what: str) -> Iterator[Secret]:
    for line in ast.unparse(node).splitlines():
        if len(line.strip()) >= _LONG:
            yield Secret(what, (line.strip(),))
