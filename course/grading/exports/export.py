"""`export`: the grades that count, written in the format of another system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from course.errors import ExportError
from course.grading.exports import canvas, github, gradescope, moodle, tables
from course.grading.exports.exported import Exported
from course.grading.exports.files import write_whole
from course.grading.gradebook.book import Gradebook
from course.grading.gradebook.standings import Policy, Standing

FORMATS = {
    "canvas": "Canvas's own gradebook CSV (the roster), its columns filled in",
    "moodle": "Moodle's grading worksheet (the roster) filled in, or a CSV for its grade import",
    "gradescope": "results.json of one learner",
    "github-classroom": "base64 of a test runner's result, of one learner",
    "github-actions": "::error lines for a workflow's log, of one learner",
    "csv": "a table with one row per exercise of a learner",
    "csv-wide": "a table with one row per learner",
}
_WRITTEN = {  # what is counted, one and several of it
    "canvas": ("score", "scores"),
    "moodle": ("learner's grade", "learners' grades"),
    "gradescope": ("check", "checks"),
    "github-classroom": ("check", "checks"),
    "github-actions": ("line", "lines"),
    "csv": ("row, an exercise of a learner,", "rows, one per exercise of a learner,"),
    "csv-wide": ("row, a learner,", "rows, one per learner,"),
}
_OF_ONE_LEARNER = ("gradescope", "github-classroom", "github-actions")


def export(
    gradebook: Gradebook,
    format: str,
    path: str | Path,
    *,
    policy: Policy = "last",
    notebook: str | None = None,
    learner: str | None = None,
    roster: str | Path | None = None,
    assignment: str | None = None,
) -> Exported:
    """Write the grades that count to a file, and say what was written and what was left out.

    `roster` is the CSV that Canvas or Moodle exported; `assignment` names Canvas's column, by title or number, where
    its title does not hold the notebook's number. The file is replaced whole or not at all. Raises ExportError.
    """
    if format not in FORMATS:
        raise ExportError(f"the format {format!r} is unknown; use one of {', '.join(FORMATS)}")
    details = format not in ("canvas", "csv-wide")
    standings = gradebook.standings(policy, learner=learner, notebook=notebook, details=details)
    # Of which notebook a file is that cannot be read, nobody knows: it may be of any.
    unknown = standings if notebook is None else gradebook.standings(policy, learner=learner, notebook="")
    if not standings:
        wanted = f" of {learner}" if learner else ""
        wanted += f" of notebook {notebook}" if notebook else ""
        raise ExportError(f"the gradebook holds no submission{wanted}; check the name, or grade first")
    if format in _OF_ONE_LEARNER and len(learners := {standing.learner for standing in standings}) > 1:
        raise ExportError(f"{format} is a file of one learner, and the gradebook has {len(learners)}; name one of them")
    text, exported = _convert(format, standings, Path(roster) if roster else None, assignment)
    write_whole(Path(path), text)
    unreadable = _unreadable([*standings, *unknown])
    ungraded = tuple(name for name in exported.ungraded if name not in unreadable)
    return replace(exported, ungraded=ungraded, unreadable=unreadable, unit=_WRITTEN[format])


def _unreadable(standings: list[Standing]) -> tuple[str, ...]:
    """The learners without any notebook that can be read."""
    read = {standing.learner for standing in standings if standing.grades or not standing.submission.problem}
    return tuple(dict.fromkeys(standing.learner for standing in standings if standing.learner not in read))


def _of_known_notebooks(format: str, standings: list[Standing]) -> list[Standing]:
    """Without files that are of no notebook, because they cannot be read. Raises ExportError if none is left."""
    known = [standing for standing in standings if standing.notebook]
    if not known:
        raise ExportError(
            f"no notebook can be read of {', '.join(_unreadable(standings))}, so there is nothing for {format}; "
            "ask for these notebooks again"
        )
    return known


def _convert(
    format: str, standings: list[Standing], roster: Path | None, assignment: str | None
) -> tuple[str, Exported]:
    if format == "canvas":
        if roster is None:
            raise ExportError(
                "Canvas finds learners and assignments by its own numbers: in Canvas choose Grades, Export, Export "
                "Entire Gradebook, and give that file as the roster"
            )
        return canvas.fill_in(_of_known_notebooks("Canvas", standings), roster, assignment)
    if format == "moodle":
        standings = _of_known_notebooks("Moodle", standings)
        return moodle.fill_in(standings, roster) if roster else moodle.grade_import(standings)
    convert: dict[str, Callable[[list[Standing]], tuple[str, Exported]]] = {
        "gradescope": gradescope.results,
        "github-classroom": github.classroom,
        "github-actions": github.workflow_commands,
        "csv": tables.long,
        "csv-wide": tables.wide,
    }
    return convert[format](standings)
