"""Pictures listed in a CSV file, and pictures that two data sets have in common."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import Subset

from course.data.pictures import Pictures, open_picture
from course.errors import DataError, EmptyData

COLUMNS = ("path", "label")


class PictureTable(Pictures):
    """`(picture, label)` pairs from a CSV file with the columns `path` and `label`; other columns are not looked at.

    A path is relative to the CSV's folder, or absolute. The classes are the labels' texts in order. The file is UTF-8
    (with or without a byte order mark) and separated by commas, semicolons or tabs. See `Pictures` for what is in a
    pair and for files that can't be read. Raises EmptyData for a table without rows or a class without a readable
    picture; DataError, with line numbers, for missing columns, another encoding, missing files, rows that lack a path
    or a label, a file listed under two labels, or one class alone.
    """

    def __init__(self, table: str | Path, *, transform: Callable[[Image.Image], Any] | None = None) -> None:
        table = Path(table)
        by_class: dict[str, list[Path]] = {}
        for path, label in read_table(table):
            by_class.setdefault(label, []).append(path)
        classes = tuple(sorted(by_class))
        super().__init__(table.parent, classes, (by_class[name] for name in classes), transform)


def read_table(table: Path) -> list[tuple[Path, str]]:
    """(path, label) of each row, each file once, checked as `PictureTable` says."""
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
            "write `path,label` into the first line and one picture into each further one"
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
        raise DataError(f"{table} is no CSV after line {reader.line_num} ({error}); mend it") from error
    if wrong:
        more = f"; and {len(wrong) - 5} more lines" if len(wrong) > 5 else ""
        raise DataError(f"{table} cannot be used as it is: {'; '.join(wrong[:5])}{more}; mend these lines")
    if not rows:
        raise EmptyData(f"{table} lists no pictures; write one `path,label` into each line after the first")
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
    """What is wrong with a row, or nothing."""
    if not name or not label:
        return f"no {'path' if not name else 'label'}"
    if rows.get(path, label) != label:
        return f"{name} is labelled {label} here and {rows[path]} before"
    return "" if path.is_file() else f"there is no file {name} beside the table"


def find_duplicates(train: Any, test: Any) -> list[tuple[Any, Any]]:
    """(in train, in test) for every test picture whose pixels are also in `train`; warns of them in one printed line.

    A picture that was learned says nothing about new ones. Files (of `PictureFolder`, `PictureTable`) are named by
    their paths and compared as decoded, so another name, format or EXIF comment hides nothing; samples of any other
    data set are named by their index, and compared as they are. A picture cut or compressed anew is not found.
    """
    known: dict[str, Any] = {}
    for name, digest in _digests(train):
        known.setdefault(digest, name)
    found = [(known[digest], name) for name, digest in _digests(test) if digest in known]
    if found:
        names = ", ".join(f"{test_name} (in training: {name})" for name, test_name in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        print(
            f"warning: {len(found)} of the {len(test)} test pictures are also in training: {names}{more}; take them out"
        )
    return found


def _digests(data: Any) -> Iterator[tuple[Any, str]]:
    """(name, hash of the pixels) of every picture."""
    if isinstance(data, Subset):
        inside = list(_digests(data.dataset))
        yield from (inside[int(index)] for index in data.indices)
        return
    paths = getattr(data, "paths", None)
    for index in range(len(data)):
        if paths is not None:
            name = paths[index].relative_to(data.root).as_posix() if paths[index].is_relative_to(data.root) else index
            yield name, _digest(np.asarray(open_picture(paths[index])))
        else:
            yield index, _digest(np.asarray(data[index][0]))


def _digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(
        f"{pixels.dtype} {pixels.shape} ".encode() + np.ascontiguousarray(pixels).tobytes()
    ).hexdigest()
