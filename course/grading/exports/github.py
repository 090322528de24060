"""GitHub Classroom's result of a test runner, and a summary that GitHub Actions shows beside a commit.

The runner's output `result` is base64 of JSON: {version, status, max_score, tests: [{name, status, score, message,
test_code, filename, line_no, duration}]}, the statuses pass, fail and error. The reporter adds up `score` of every
test, so one without it would make the sum NaN: every test has one here.
https://github.com/classroom-resources/autograding-grading-reporter (src/main.js, src/notify-classroom.js; its README
says that GitHub Classroom itself has been closed, the action still runs in any workflow).

Annotations: `::error title=...::message`, in which %, CR and LF (and in the title also : and ,) are escaped.
https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import base64
import json
from typing import Any

from course.grading.exports.exported import Exported
from course.grading.exports.feedback import Check, about, checks, judged, message
from course.grading.gradebook.standings import Standing
from course.grading.grades import GRADED, NOT_ATTEMPTED


def classroom(standings: list[Standing]) -> tuple[str, Exported]:
    """One line of base64, for $GITHUB_OUTPUT after `result=`. Raises ExportError when not all is judged."""
    tests: list[dict[str, Any]] = []
    for standing in judged(standings):
        if standing.submission.problem and not standing.grades:
            name = f"notebook {standing.notebook or 'unknown'}"
            tests.append(_test(Check("", name, False, 0.0, 0.0, message(standing.submission.problem)), "error"))
        for grade in standing.grades.values():
            broken = grade.status not in (GRADED, NOT_ATTEMPTED)
            said = about(grade)
            for check in checks(grade):
                status = "pass" if check.passed else "error" if broken else "fail"
                tests.append(_test(check, status, "" if check.passed or check.hidden else said))
    statuses = {test["status"] for test in tests}
    answer = {
        "version": 1,
        "status": next((status for status in ("error", "fail") if status in statuses), "pass"),
        "max_score": sum(standing.points for standing in standings),
        "tests": tests,
    }
    return base64.b64encode(json.dumps(answer).encode()).decode() + "\n", Exported(len(tests))


def workflow_commands(standings: list[Standing]) -> tuple[str, Exported]:
    """Workflow commands, one per line: an error for each check that failed, and a notice with each notebook's score."""
    lines = []
    for standing in judged(standings):
        if standing.submission.problem:
            lines.append(_command("error", f"Notebook {standing.notebook}", message(standing.submission.problem)))
        for grade in standing.grades.values():
            for check in checks(grade):
                if not check.passed:
                    lines.append(_command("error", f"{check.exercise}: {check.title}", check.text or "not yet"))
        if standing.score is not None:
            score = f"{standing.score:g} of {standing.points:g} points"
            lines.append(_command("notice", f"Notebook {standing.notebook}", score))
    return "".join(f"{line}\n" for line in lines), Exported(len(lines))


def _test(check: Check, status: str, said: str = "") -> dict[str, Any]:
    return {
        "name": f"{check.exercise}: {check.title}" if check.exercise else check.title,
        "status": status,
        "score": check.score,
        "message": "\n".join(part for part in (check.text, said) if part),
        "test_code": f'check("{check.exercise}")' if check.exercise else "",
        "filename": "",
        "line_no": 0,
        "duration": 0,
    }


def _command(level: str, title: str, text: str) -> str:
    text, title = (part.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A") for part in (text, title))
    return f"::{level} title={title.replace(':', '%3A').replace(',', '%2C')}::{text}"
