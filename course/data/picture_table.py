"""A data set of your own pictures, listed in a CSV file with their labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from course.data.pictures import Pictures
from course.errors import DataError, EmptyData

COLUMNS = ("path", "label")


class PictureTable(Pictures):
    """`(picture, label)` pairs from a CSV file with the columns `path` and `label`; other columns are ignored.

    A path is relative to the CSV's folder, or absolute. The classes are the labels in alphabetical order. The file is
    UTF-8 (with or without a byte order mark) and separated by commas, semicolons or tabs. See `Pictures` for the
    content of a pair and for files that can't be read. Raises EmptyData for a table without rows or a class without a
    readable picture; DataError, with line numbers, for missing columns, another encoding, missing files, rows that lack
    a path or a label, a file listed under two labels, or a single class.
    """

    def __init__(self, table: str | Path, *, transform: Callable[[Image.Image], Any] | None = None) -> None:
        table = Path(table)
        by_class: dict[str, list[Path]] = {}
        for path, label in read_table(table):
            by_class.setdefault(label, []).append(path)
        classes = tuple(sorted(by_class))
        super().__init__(table.parent, classes, (by_class[name] for name in classes), transform)


def read_table(table: Path) -> list[tuple[Path, str]]:
    """(path, label) of each row, each file once; raises the errors of `PictureTable`."""
    text = _read_text(table)
    header = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    names = {name.strip().lower(): name for name in reader.fieldnames or () if name}
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        found = ", ".join(names) or "nothing"
        raise DataError(
            f"{table} has no column {' and no column '.join(missing)} (its first line says: {found}); "
            "write `path,label` into the first line, and one picture into each of the following lines"
        )
    rows: dict[Path, str] = {}
    wrong: list[str] = []
    try:
        for row in reader:
            name, label = ((row[names[column]] or "").strip() for column in COLUMNS)
            path = table.parent / name.replace("\\", "/")
            problem = _problem(name, label, path, rows)
            if problem:
                wrong.append(f"line {reader.line_num}: {problem}")
            rows[path] = label
    except csv.Error as error:
        raise DataError(f"{table} is not valid CSV after line {reader.line_num} ({error}); fix that line") from error
    if wrong:
        more = f"; and {len(wrong) - 5} more lines" if len(wrong) > 5 else ""
        raise DataError(f"{table} cannot be used as it is: {'; '.join(wrong[:5])}{more}; fix these lines")
    if not rows:
        raise EmptyData(f"{table} lists no pictures; write a path and a label into each line after the first")
    return list(rows.items())


def _read_text(table: Path) -> str:
    try:
        return table.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"there is no file {table}; check the path (the current folder is {Path.cwd()})") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{table} is not in UTF-8 (byte {error.start} is {error.object[error.start]:#04x}); save it again as UTF-8 "
            '(in Excel: "CSV UTF-8"), or read it with pandas in its own encoding and write it with to_csv'
        ) from error
    except OSError as error:
        raise DataError(f"{table} cannot be read ({error.strerror}); give the path of a CSV file") from error


def _problem(name: str, label: str, path: Path, rows: dict[Path, str]) -> str:
    """What is wrong with a row, or an empty text."""
    if not name or not label:
        return f"no {'path' if not name else 'label'}"
    if rows.get(path, label) != label:
        return f"{name} has the label {label} here and {rows[path]} earlier"
    return "" if path.is_file() else f"there is no file {name} beside the table"
