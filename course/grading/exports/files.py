"""Files for other systems: written whole or not at all, CSV kept as it came, no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from course.errors import CannotWrite, ExportError
from course.files import replacing
from course.grading.gradebook.rows import storable
from course.legible import one_line

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # what makes a spreadsheet compute a cell; the wide forms do so in some


def write_whole(path: Path, content: str) -> None:
    """Replace the file in one step: whoever reads it sees the old content or the new, never a part.

    Raises ExportError; the file is as it was then.
    """
    path = path.resolve()  # through a link, to the file that is meant
    if not os.path.isdir(path.parent):  # Path's own raises for a name that is too long
        raise ExportError(f"there is no folder {path.parent}; make it first, or write to another place")
    if os.path.isdir(path):
        raise ExportError(f"{path} is a folder; name a file in it, {path / 'grades.csv'} say")
    try:
        with replacing(path) as unfinished:
            unfinished.write_text(storable(content), encoding="utf-8", newline="")
    except CannotWrite as error:
        raise ExportError(str(error)) from error


def cell(text: str) -> str:
    """Untrusted text as a cell: legible, on one line, and guarded."""
    return guard(one_line(text))


def guard(text: str) -> str:
    """A cell that spreadsheets show and don't run: what begins like a formula gets an apostrophe in front.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def number(value: float) -> str:
    """A score as systems read it: a point, no thousands, no trailing zeros, at most four decimals."""
    return f"{round(value, 4):.12g}"


def csv_text(rows: Iterable[Sequence[str]], *, delimiter: str = ",", newline: str = "\r\n") -> str:
    """Rows as CSV (RFC 4180). Cells are written as they are: guard those that others wrote."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator=newline).writerows(rows)
    return buffer.getvalue()


@dataclass(frozen=True)
class Sheet:
    """A CSV file that another system wrote, with all that is needed to write it back the same."""

    path: Path
    rows: list[list[str]]  # the header first; each at least as long as the header
    delimiter: str
    newline: str
    mark: str  # a byte order mark, or ""

    @property
    def header(self) -> list[str]:
        return self.rows[0]

    def text(self) -> str:
        return self.mark + csv_text(self.rows, delimiter=self.delimiter, newline=self.newline)


def read_sheet(path: Path) -> Sheet:
    """A CSV file with commas or semicolons. Raises ExportError when it is not one."""
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ExportError(f"{path} cannot be read ({error.strerror or error}); check its name") from error
    except UnicodeDecodeError as error:
        raise ExportError(f"{path} is not UTF-8; export it again as CSV in UTF-8, not through a spreadsheet") from error
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    newline = "\r\n" if "\r\n" in text else "\n"
    first = text.split("\n", 1)[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error as error:
        raise ExportError(f"{path} is not a CSV file ({error}); export it again") from error
    if not rows:
        raise ExportError(f"{path} is empty; export it again")
    width = len(rows[0])
    return Sheet(path, [row + [""] * (width - len(row)) for row in rows], delimiter, newline, mark)
