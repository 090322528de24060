"""Plain CSV: a long table with one row per exercise, and a wide one with one row per learner.

UTF-8, RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180). Text that learners wrote is guarded against spreadsheets
that run it (see `files.cell`); an empty score is one that is not known, never a zero.
"""

from __future__ import annotations

from course.grading.exports.exported import Exported
from course.grading.exports.feedback import message
from course.grading.exports.files import cell, csv_text, number
from course.grading.gradebook.standings import Standing
from course.legible import legible

LONG = [
    "learner",
    "notebook",
    "exercise",
    "status",
    "score",
    "points",
    "late",
    "handed_in",
    "graded_at",
    "isolation",
    "file",
    "submission",
    "judges",
    "remark",
]


def long(standings: list[Standing]) -> tuple[str, Exported]:
    """One row per exercise; for a notebook that could not be read, one row without an exercise."""
    rows = [LONG]
    for standing in standings:
        rows += _exercises(standing)
    return csv_text(rows), Exported(len(rows) - 1, (), _ungraded(standings))


def _exercises(standing: Standing) -> list[list[str]]:
    submission = standing.submission
    who = [cell(standing.learner), cell(standing.notebook)]
    when = ["yes" if standing.late else "no", submission.handed_in.isoformat() if submission.handed_in else ""]
    file = cell(f"{submission.path}:{submission.member}" if submission.member else submission.path)
    rows = []
    for name in dict.fromkeys((*submission.exercises, *standing.grades)) or [""]:
        grade = standing.grades.get(name)
        if grade is None:
            status, remark = ("not readable" if submission.problem else "not judged yet"), _remark(submission.problem)
            rows.append([*who, cell(name), status, "", "", *when, "", "", file, submission.digest, "", remark])
            continue
        score = "" if grade.score is None else number(grade.score)
        graded_at = grade.graded_at.isoformat() if grade.graded_at else ""
        remark = _remark(submission.problem, *grade.notes)
        about = [cell(name), grade.status, score, number(grade.points)]
        rows.append([*who, *about, *when, graded_at, grade.isolation, file, grade.submission, grade.judges, remark])
    return rows


def wide(standings: list[Standing]) -> tuple[str, Exported]:
    """One row per learner: a column for each exercise, then each notebook's total and its points."""
    totals = sorted({standing.notebook for standing in standings} - {""})  # that of a file that cannot be read
    exercises = {nb: list(dict.fromkeys(e for s in standings if s.notebook == nb for e in s.grades)) for nb in totals}
    header = ["learner"]
    for notebook in totals:
        name = f"notebook {notebook}"
        header += [*map(cell, exercises[notebook]), f"{name} total", f"{name} points", f"{name} late"]
    by_learner: dict[str, dict[str, Standing]] = {}
    for standing in standings:
        by_learner.setdefault(standing.learner, {})[standing.notebook] = standing
    rows = [header]
    for learner, theirs in by_learner.items():
        row = [cell(learner)]
        for notebook in totals:
            row += _totals(theirs.get(notebook), exercises[notebook])
        rows.append(row)
    return csv_text(rows), Exported(
        len(rows) - 1, (), _ungraded([standing for standing in standings if standing.notebook])
    )


def _totals(standing: Standing | None, exercises: list[str]) -> list[str]:
    if standing is None:
        return [""] * (len(exercises) + 3)
    grades = [standing.grades.get(name) for name in exercises]
    scores = ["" if grade is None or grade.score is None else number(grade.score) for grade in grades]
    total = "" if standing.score is None else number(standing.score)
    return [*scores, total, number(standing.points), "yes" if standing.late else "no"]


def _remark(*texts: str) -> str:
    return cell(message("; ".join(legible(text) for text in texts if text)))


def _ungraded(standings: list[Standing]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(standing.learner for standing in standings if standing.score is None))
