"""The work on capstones: the hidden pictures, drawn once, and what is to be done for one hand-in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import course
from course.errors import SubmissionError
from course.grading.capstone.pictures import HiddenSet, read_set
from course.grading.capstone.rules import EXERCISE, POINTS
from course.grading.digests import capstone_digest
from course.grading.grades import CapstoneSubmission
from course.grading.work import Attempt, Settings

OURS = Path(course.__file__).resolve().parents[1] / "solutions" / "hidden" / "capstone"


def read_capstone(submission: CapstoneSubmission) -> tuple[str, str, bytes, bytes | None]:
    """(digest of weights and card, problem, weights, card) of what was handed in."""
    problem, content, card = submission.problem, b"", None
    try:
        content = b"" if problem else submission.content()
    except SubmissionError as error:
        problem = str(error)
    try:
        card = submission.card.content() if submission.card and not submission.card.problem else None
    except SubmissionError:
        card = None
    about = [f"capstone\0{problem}".encode("utf-8", "backslashreplace"), content, card or b""]
    name = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in about)).hexdigest()
    return name, problem, content, card


def capstone_judges_digest(sets: Sequence[HiddenSet]) -> str:
    """What decides on capstones: a hash of the sources and of all hidden pictures."""
    return hashlib.sha256("".join([capstone_digest(), *(one.digest for one in sets)]).encode()).hexdigest()


class Capstones:
    """What a run knows of capstones. `folders` are an instructor's hidden pictures; the course's come after them.

    Everybody is shown the same pictures, in every gradebook: so hand-ins can be compared, and neither handing in again
    nor another gradebook draws better luck.
    """

    def __init__(self, settings: Settings, folders: Sequence[Path] = ()) -> None:
        self._settings, self._folders = settings, folders

    @cached_property
    def sets(self) -> tuple[HiddenSet, ...]:
        """The sets of pictures, in the order in which they are tried. Raises GradingError for a folder without one."""
        found = [read_set(folder) for folder in self._folders]
        if OURS.is_dir():
            found.append(read_set(OURS, name="emoji"))
        return tuple(found)

    @cached_property
    def judges(self) -> str:
        """What decides: a hash of the sources and of all hidden pictures."""
        return capstone_judges_digest(self.sets)

    def arguments(self, submission: CapstoneSubmission) -> tuple[Any, ...]:
        """What `tasks.grade_capstone` is to be called with. The second is the digest of weights and card."""
        name, problem, content, card = read_capstone(submission)
        attempt = Attempt(EXERCISE, float(sum(POINTS.values())), problem=problem)
        return self._settings, name, attempt, self.judges, self.sets, content, card
