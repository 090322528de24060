"""Canvas: the CSV that its gradebook exports, with our columns filled in and everything else as it was.

Canvas finds learners by its own ids and assignments by the number in the header, `Title (123)`, so both come from
its file: "Export entire gradebook", then this, then "Import". The second row, `    Points Possible`, stays as it is;
a row about posting may stand between. Empty cells, `EX` (excused) and `N/A` (not assigned) are Canvas's own.

How Canvas reads and writes it: https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_importer.rb and
https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_exporter.rb
A university's description: https://teaching.resources.osu.edu/toolsets/carmencanvas/guides/calculating-final-grades/import-csv-file-carmen-grades
"""

from __future__ import annotations

import re
from pathlib import Path

from course.errors import ExportError
from course.grading.exports.exported import Exported
from course.grading.exports.files import Sheet, number, read_sheet
from course.grading.exports.matching import local_part, match, name_forms
from course.grading.gradebook.standings import Standing

_IDS = ("ID", "SIS User ID", "SIS Login ID", "Integration ID")
_COMPUTED = re.compile(r"(Current|Final|Override) (Score|Points|Grade|Status)")
_TITLE = re.compile(r"(?P<title>.*?)\s*\((?P<id>\d+)\)\s*")
_KEPT = ("EX", "N/A")


def fill_in(standings: list[Standing], roster: Path, assignment: str | None) -> tuple[str, Exported]:
    """The roster's text with scores in the columns of their notebooks and exercises, and what happened."""
    sheet = read_sheet(roster)
    _check_header(sheet)
    columns = _columns(sheet, standings, assignment)
    possible = next((row for row in sheet.rows[1:] if "Points Possible" in row[0]), None)
    rows, unmatched = _find_learners(sheet, standings)
    without = sorted({standing.notebook for standing in standings} - set(columns))
    notes = [f"{roster.name} has no column for notebook {notebook}" for notebook in without]
    written, ungraded, kept = 0, [], []
    for standing in standings:
        if standing.learner not in rows or standing.notebook not in columns:
            continue
        row = sheet.rows[rows[standing.learner]]
        for column, exercise in columns[standing.notebook].items():
            score, points = _score(standing, exercise)
            if score is None:
                ungraded.append(standing.learner)
            elif row[column].strip().upper() in _KEPT:
                kept.append(standing.learner)
            else:
                worth = _points_possible(possible, column)
                row[column] = number(score * worth / points if worth and points else score)
                written += 1
                if worth and points and worth != points:
                    notes.append(f"{sheet.header[column]}: {points:g} points here, scaled to Canvas's {worth:g}")
    notes += [f"{learner} is excused or not assigned in Canvas, and stays so" for learner in kept]
    return sheet.text(), Exported(
        written, tuple(unmatched), tuple(dict.fromkeys(ungraded)), tuple(dict.fromkeys(notes))
    )


def _check_header(sheet: Sheet) -> None:
    header = sheet.header
    named = header[:1] == ["Student"] or header[:2] == ["LastName", "FirstName"]
    if not named or "ID" not in header or "Section" not in header:
        raise ExportError(
            f"{sheet.path} is not a Canvas gradebook (its header begins {', '.join(header[:4])}; Canvas writes "
            "Student, ID, ..., Section); in Canvas choose Grades, Export, Export Entire Gradebook and give that file"
        )


def _columns(sheet: Sheet, standings: list[Standing], assignment: str | None) -> dict[str, dict[int, str | None]]:
    """By notebook: the columns to fill, each for one exercise or, with None, for the notebook's total."""
    titles = _titles(sheet)
    notebooks = sorted({standing.notebook for standing in standings})
    if assignment is not None:
        found = [column for column, (title, number_, whole) in titles.items() if assignment in (title, number_, whole)]
        if len(found) != 1 or len(notebooks) > 1:
            raise _no_column(sheet, titles, f"{len(found)} columns are called {assignment!r}", notebooks)
        return {notebook: {found[0]: None} for notebook in notebooks}
    columns: dict[str, dict[int, str | None]] = {}
    for notebook in notebooks:
        theirs = [standing for standing in standings if standing.notebook == notebook]
        exercises = {name for standing in theirs for name in (*standing.submission.exercises, *standing.grades)}
        total = re.compile(rf"(?<![\w-]){re.escape(notebook)}(?![\d-])")  # "02 Freeze", and not "02-freeze-backbone"
        chosen: dict[int, str | None] = {}
        for column, (title, _, _) in titles.items():
            if named := exercises.intersection(re.findall(r"[\w-]+", title)):
                chosen[column] = named.pop()
            elif notebook and total.search(title):
                chosen[column] = None
        if list(chosen.values()).count(None) > 1:
            raise _no_column(sheet, titles, f"several columns have {notebook} in their title", notebooks)
        if chosen:
            columns[notebook] = chosen
    if standings and not columns:
        raise _no_column(sheet, titles, "no column has the notebook's number in its title", notebooks)
    return columns


def _titles(sheet: Sheet) -> dict[int, tuple[str, str, str]]:
    """By column: an assignment's title, its number, and the whole header."""
    start = sheet.header.index("Section") + 1
    titles = {}
    for column, whole in enumerate(sheet.header):
        if column >= start and not _COMPUTED.search(whole):
            parts = _TITLE.fullmatch(whole)
            titles[column] = (parts["title"], parts["id"], whole) if parts else (whole, "", whole)
    return titles


def _no_column(sheet: Sheet, titles: dict[int, tuple[str, str, str]], why: str, notebooks: list[str]) -> ExportError:
    known = ", ".join(whole for _, _, whole in titles.values()) or "none"
    notebook = f"one notebook (of {', '.join(notebooks)}) and " if len(notebooks) > 1 else ""
    return ExportError(
        f"{sheet.path}: {why}; name {notebook}one assignment, by title or number, of those that Canvas has: {known}"
    )


def _find_learners(sheet: Sheet, standings: list[Standing]) -> tuple[dict[str, int], list[str]]:
    students = {
        index: dict(zip(sheet.header, row, strict=False))
        for index, row in enumerate(sheet.rows)
        if index > 0 and "Points Possible" not in row[0] and any(cell.strip() for cell in row[:3])
    }
    ways: list[dict[int, list[str]]] = [
        {index: [student.get(name, "")] for index, student in students.items()} for name in _IDS
    ]
    ways.append({index: list(local_part(student.get("SIS Login ID", ""))) for index, student in students.items()})
    ways.append({index: list(name_forms(_full_name(student))) for index, student in students.items()})
    return match(dict.fromkeys(standing.learner for standing in standings), ways)


def _full_name(student: dict[str, str]) -> str:
    return student.get("Student") or f"{student.get('LastName', '')}, {student.get('FirstName', '')}"


def _score(standing: Standing, exercise: str | None) -> tuple[float | None, float]:
    if exercise is None:
        return standing.score, standing.points
    grade = standing.grades.get(exercise)
    return (grade.score, grade.points) if grade else (None, 0.0)


def _points_possible(row: list[str] | None, column: int) -> float | None:
    try:
        return float(row[column].replace(",", ".")) if row else None
    except ValueError:  # "(read only)", or nothing
        return None
