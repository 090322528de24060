"""Gradescope's `results.json`, for one submission.

https://gradescope-autograders.readthedocs.io/en/latest/specs/ : a score on top or on every test, here on both and
equal; `status` is passed or failed; `visibility` one of hidden, after_due_date, after_published, visible;
`output_format` text, so that nothing of a learner's is rendered.
"""

from __future__ import annotations

import json
from typing import Any

from course.grading.exports.exported import Exported
from course.grading.exports.feedback import about, checks, judged, message
from course.grading.gradebook.standings import Standing
from course.grading.grades import GRADED


def results(standings: list[Standing]) -> tuple[str, Exported]:
    """The notebooks of one learner as `results.json`. Raises ExportError when one is not wholly judged."""
    tests: list[dict[str, Any]] = []
    grades = [grade for standing in judged(standings) for grade in standing.grades.values()]
    for place, grade in enumerate(grades, 1):
        for part, check in enumerate(checks(grade), 1):
            tests.append(
                {
                    "name": f"{check.exercise}: {check.title}",
                    "name_format": "text",
                    "number": f"{place}.{part}",
                    "score": check.score,
                    "max_score": check.points,
                    "status": "passed" if check.passed else "failed",
                    "output": check.text,
                    "output_format": "text",
                    "visibility": "visible",
                }
            )
    said = [f"{grade.exercise}: {about(grade)}" for grade in grades if about(grade)]
    problems = [message(standing.submission.problem) for standing in standings if standing.submission.problem]
    answer = {
        "score": sum(grade.score or 0.0 for grade in grades),
        "execution_time": round(sum(grade.seconds for grade in grades), 3),
        "output": "\n".join([*problems, *said]),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {
            "submissions": [standing.submission.digest for standing in standings],
            "statuses": {grade.exercise: grade.status for grade in grades},
            "isolation": sorted({grade.isolation for grade in grades}),
            "all_graded": all(grade.status == GRADED for grade in grades),
        },
        "tests": tests,
    }
    return json.dumps(answer, indent=2) + "\n", Exported(len(tests))
