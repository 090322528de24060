"""Moodle: its offline grading worksheet filled in, or a CSV for Grades > Import.

The worksheet (Assignment > Grading action > Download grading worksheet) is matched by `Identifier`, needs `Grade` and
`Last modified (grade)`, and skips grades over `Maximum Grade`; its other columns are kept.
https://github.com/moodle/moodle/blob/main/mod/assign/feedback/offline/importgradeslib.php

Without a worksheet: one row a learner, whose columns are mapped by hand at the import. A row whose learner Moodle does
not know stops the whole import, an empty grade removes the one that is there, and so does feedback without a grade:
so learners without a score are left out altogether. https://docs.moodle.org/405/en/Grade_import and
https://github.com/moodle/moodle/blob/main/grade/import/csv/classes/load_data.php
"""

from __future__ import annotations

import html
from pathlib import Path

from course.errors import ExportError
from course.grading.exports.exported import Exported
from course.grading.exports.feedback import summary
from course.grading.exports.files import Sheet, cell, csv_text, guard, number, read_sheet
from course.grading.exports.matching import local_part, match, name_forms
from course.grading.gradebook.standings import Standing

FEEDBACK = "Feedback comments"
_NEEDED = ("Identifier", "Grade", "Last modified (grade)")


def grade_import(standings: list[Standing]) -> tuple[str, Exported]:
    """A CSV for Grades > Import: learner, grade and feedback, of one notebook."""
    notebook = _one_notebook(standings)
    # A name that would have to be changed is not one of Moodle's, and one unknown name stops the whole import.
    strange = tuple(name for name in (s.learner for s in standings) if cell(name) != name)
    graded = [s for s in standings if s.score is not None and s.learner not in strange]
    addresses = all("@" in standing.learner for standing in graded)
    title = f"Notebook {notebook}"
    rows = [["Email address" if addresses else "Username", title, f"{title} (feedback)"]]
    rows += [[s.learner, number(s.score), _feedback(s)] for s in graded if s.score is not None]
    notes = [f"{title} is worth {number(points)} points" for points in sorted({s.points for s in graded})]
    return csv_text(rows), Exported(len(graded), strange, _ungraded(standings), tuple(notes))


def fill_in(standings: list[Standing], worksheet: Path) -> tuple[str, Exported]:
    """The worksheet's text with grades and, where a grade is written, feedback; and what happened."""
    sheet = read_sheet(worksheet)
    if missing := [name for name in _NEEDED if name not in sheet.header]:
        raise ExportError(
            f"{worksheet} is not a Moodle grading worksheet: it lacks {', '.join(missing)}; set Moodle to English, "
            "choose the assignment, Submissions, Download grading worksheet, and give that file"
        )
    _one_notebook(standings)
    rows, unmatched = _find_learners(sheet, standings)
    column = {name.casefold(): index for index, name in enumerate(sheet.header)}
    notes: list[str] = []
    written = 0
    for standing in standings:
        if standing.learner not in rows or standing.score is None:
            continue
        row = sheet.rows[rows[standing.learner]]
        worth = _maximum(row, column)
        row[column["grade"]] = number(
            standing.score * worth / standing.points if worth and standing.points else standing.score
        )
        if worth and worth != standing.points:
            notes.append(f"{standing.points:g} points here, scaled to Moodle's {worth:g}")
        if FEEDBACK.casefold() in column:
            row[column[FEEDBACK.casefold()]] = _feedback(standing)
        written += 1
    return sheet.text(), Exported(written, tuple(unmatched), _ungraded(standings), tuple(dict.fromkeys(notes)))


def _one_notebook(standings: list[Standing]) -> str:
    notebooks = sorted({standing.notebook for standing in standings})
    if len(notebooks) > 1:
        raise ExportError(
            f"Moodle takes one notebook at a time, because an empty grade would remove the one that is there; name "
            f"one of {', '.join(notebooks)}"
        )
    return notebooks[0] if notebooks else ""


def _find_learners(sheet: Sheet, standings: list[Standing]) -> tuple[dict[str, int], list[str]]:
    people = {index: dict(zip(sheet.header, row, strict=False)) for index, row in enumerate(sheet.rows) if index}
    ids = {index: [person["Identifier"], person["Identifier"].rpartition(" ")[2]] for index, person in people.items()}
    ways: list[dict[int, list[str]]] = [ids]
    for name in ("ID number", "Email address", "Username"):
        ways.append({index: [person.get(name, "")] for index, person in people.items()})
    ways.append({index: list(local_part(person.get("Email address", ""))) for index, person in people.items()})
    ways.append({index: list(name_forms(person.get("Full name", ""))) for index, person in people.items()})
    return match(dict.fromkeys(standing.learner for standing in standings), ways)


def _maximum(row: list[str], column: dict[str, int]) -> float | None:
    try:
        return float(row[column["maximum grade"]].replace(",", "."))
    except (KeyError, ValueError):
        return None


def _feedback(standing: Standing) -> str:
    return guard(html.escape(summary(standing), quote=False))  # Moodle shows it as HTML


def _ungraded(standings: list[Standing]) -> tuple[str, ...]:
    return tuple(standing.learner for standing in standings if standing.score is None)
