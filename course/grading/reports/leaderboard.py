"""The capstones of a class, the most accurate first, and which differences are more than chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from course.grading.capstone.rules import EXERCISE
from course.grading.reports.classroom import Learner


@dataclass(frozen=True)
class Place:
    """One learner's capstone. `rank` counts those whose whole interval is above this one's; equal ranks are ties."""

    learner: Learner
    rank: int
    tied: bool
    model: str
    accuracy: float
    low: float
    high: float
    shown: int
    worst_style: str
    in_it: float
    damaged: float
    same: tuple[Learner, ...]  # who handed in the same numbers, whatever the file says beside them


def leaderboards(learners: Iterable[Learner]) -> dict[str, list[Place]]:
    """For each set of hidden pictures its places, by accuracy; learners whose capstone was not measured have none."""
    by_set: dict[str, list[tuple[Learner, dict]]] = defaultdict(list)
    for learner in learners:
        grade = learner.grades.get(EXERCISE)
        if grade and grade.score is not None and grade.measures:
            measures = dict(grade.measures)
            by_set[str(measures["set"])].append((learner, measures))
    return {name: _places(rows) for name, rows in sorted(by_set.items())}


def _places(rows: list[tuple[Learner, dict]]) -> list[Place]:
    rows = sorted(rows, key=lambda row: (-row[1]["right"] / row[1]["shown"], row[0].called.casefold()))
    places = []
    for learner, measures in rows:
        rank = 1 + sum(other["low"] > measures["high"] for _, other in rows)
        tied = any(
            other["low"] <= measures["high"] and measures["low"] <= other["high"]
            for who, other in rows
            if who is not learner
        )
        places.append(
            Place(
                learner,
                rank,
                tied,
                str(measures["model"]),
                measures["right"] / measures["shown"],
                measures["low"],
                measures["high"],
                int(measures["shown"]),
                str(measures["worst style"]),
                measures["in it"],
                measures["damaged"],
                tuple(who for who, other in rows if who is not learner and other["weights"] == measures["weights"]),
            )
        )
    return places
