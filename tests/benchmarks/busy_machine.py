"""Right answers that lose marks while the machine is kept busy: its reference solutions, beside eight busy programs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from course.errors import MachineBusy
from course.grading.digests import judges_digest
from course.grading.gradebook.book import Gradebook
from course.grading.grades import digest
from course.grading.run import worker
from course.grading.run.gather_settings import gather_settings
from course.grading.run.reading import read_attempts
from course.judging.exercise import notebook_numbers
from tests.benchmarks import Figure
from tests.conftest import ROOT
from tests.hostile.trial import brief, full_marks

PROGRAMS = 8
_BUSY = "while True: pass"


def measure(*wanted: str) -> Figure:
    """All exercises, or those of the notebooks ("02") or with the ids that are named."""
    started, lost, tried = time.monotonic(), [], 0
    with tempfile.TemporaryDirectory() as folder, Gradebook.open(Path(folder, "gradebook.sqlite")) as book:
        machine = worker.Machine(gather_settings(book))
        try:
            with busy_programs():
                for number in notebook_numbers():
                    if not wanted or any(one[:2] == number for one in wanted):
                        for line in _grades(machine, number, wanted):
                            tried += 1
                            lost += [line] if line else []
        finally:
            machine.close()
    seconds = time.monotonic() - started
    notes = (*lost, f"busy_machine: {tried} exercises beside {PROGRAMS} busy programs in {seconds:.0f} s")
    return Figure(len(lost), "right answers lost marks", "0", notes, missed=bool(lost))


def _grades(machine: worker.Machine, number: str, wanted: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with the grade of each exercise of a solution; empty for full marks."""
    (path,) = (ROOT / "solutions").glob(f"{number}_*.ipynb")
    content = path.read_bytes()
    judges = judges_digest(number, machine.settings.hidden)
    for attempt in read_attempts(content, number).attempts:
        if wanted and number not in wanted and attempt.exercise not in wanted:
            continue
        for _ in range(2):  # as the grader does
            try:
                grade = machine.grade_attempt(digest(content), attempt, judges)
                yield "" if full_marks(grade) else f"{attempt.exercise}: {brief(grade)}"
                break
            except MachineBusy as error:
                problem = f"{attempt.exercise}: {error}"
        else:
            yield problem


@contextmanager
def busy_programs(count: int = PROGRAMS) -> Iterator[None]:
    """So many programs that do nothing but take processor time, each in a session of its own."""
    crowd = [subprocess.Popen([sys.executable, "-S", "-c", _BUSY], start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for one in crowd:
            one.kill()
            one.wait()
