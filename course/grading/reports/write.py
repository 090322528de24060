"""`write_reports`: the pages of all learners and of the class."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Mapping
from pathlib import Path

from course.grading.gradebook.book import Gradebook
from course.grading.gradebook.standings import Policy
from course.grading.reports.classroom import read
from course.grading.reports.files import remove_others, write_if_changed
from course.grading.reports.learner import learner_page
from course.grading.reports.overview import class_page


def write_reports(
    gradebook: Gradebook, folder: Path, *, policy: Policy = "last", references: Mapping[str, str] | None = None
) -> Path:
    """Write the pages of all learners and of the class; the path of the class's page.

    `policy` says which submission counts. `references`, the solutions' sources by exercise id, are what every right
    answer shares, so that it is not taken for copied. A page that says the same as before is left alone; that of a
    learner who is no longer there is removed. Raises GradingError where the folder cannot be written.
    """
    classroom = read(gradebook, policy)
    index = folder / "index.html"
    with _out_of_sight_of_the_collector():
        for learner in classroom.learners:
            for name, everything in (("learners", False), ("instructor", True)):
                page = learner_page(learner, policy, everything=everything)
                write_if_changed(folder / name / f"{learner.file}.html", page)
        pages = {f"{learner.file}.html" for learner in classroom.learners}
        for name in ("learners", "instructor"):
            remove_others(folder / name, pages)
        write_if_changed(index, class_page(classroom, references or {}))
    return index


@contextlib.contextmanager
def _out_of_sight_of_the_collector() -> Iterator[None]:
    """A class is many objects that all stay until the end; each page makes the collector look through them again."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
