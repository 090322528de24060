"""What goes wrong when `course grade` is killed 50 times, its disk fills up, and two of it share a gradebook: nothing.

Each kill is a round of its own: a fresh gradebook with the same secret, SIGKILL at a moment drawn uniformly from the
time that an undisturbed run takes, start-up included, in turn of the main process alone and of its whole group; then
whatever still lives after 5 s is counted, the same command is run to its end, and every grade is compared with the
undisturbed run's. A round whose run ended before its moment came is drawn again.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path

from course.grading.gradebook.book import Gradebook
from tests.benchmarks import Figure
from tests.benchmarks._submissions import adopting, descendants, grade_process, reap, write_class

SHOWN = 20  # lines on what went wrong
ENDING_S = 15.0  # for what is left of a run that was killed, on a machine with other things to do
PATIENCE_S = 60.0  # for what should have ended by then
FILE_LIMIT = 250 * 1024  # bytes, where the disk is made full by a limit
ROOM = 300 * 1024  # bytes that are free, where there is a disk to fill

Records = Counter  # of (learner, exercise, status, score, outcomes) or a line on what else is recorded


def measure(kills: str = "50", submissions: str = "40", seed: str = "0") -> Figure:
    with tempfile.TemporaryDirectory() as name, adopting():
        trial = Trial(Path(name), int(submissions))
        notes, wrong = [trial.undisturbed()], []
        rng = random.Random(int(seed))
        for number in range(int(kills)):
            wrong += trial.killed(rng, whole_group=bool(number % 2))
        wrong += trial.two_at_once()
        for fill in (trial.limited_files, trial.full_disk):
            found = fill()
            notes.append(f"{fill.__name__.replace('_', ' ')}: {'not possible here' if found is None else 'tried'}")
            wrong += found or []
    counts = f"{kills} kills of a run of {trial.seconds:.1f} s, {trial.killed_early} of them before the first grade"
    notes += [counts, f"{trial.runs} runs with {trial.compared} records compared", *wrong[:SHOWN]]
    return Figure(len(wrong), "grades or processes wrong", "0", tuple(notes))


class Trial:
    """A class, and what an undisturbed run makes of it. Every method returns a line for each thing that went wrong."""

    def __init__(self, root: Path, submissions: int) -> None:
        self.root, self.folder, self.fresh = root, root / "class", root / "fresh.sqlite"
        write_class(self.folder, submissions)
        Gradebook.open(self.fresh).close()
        self.runs = self.compared = self.killed_early = 0
        self.seconds = 0.0
        self.reference: Records = Counter()

    def undisturbed(self) -> str:
        """Run twice, and say what was recorded. Raises RuntimeError where that fails, or the two differ."""
        first = self._book("undisturbed-0")
        wrong = self._run_to_end(first)
        self.reference = recorded(first)
        started = time.monotonic()
        again = self._book("undisturbed-1")
        wrong += self._run_to_end(again)
        self.seconds = time.monotonic() - started
        if wrong := wrong + self._compare(again):
            raise RuntimeError("undisturbed runs do not agree, so there is nothing to compare with: " + wrong[0])
        return f"{sum(self.reference.values())} records of an undisturbed run"

    def killed(self, rng: random.Random, *, whole_group: bool) -> list[str]:
        """One kill, and the run that goes on after it."""
        while True:
            book = self._book(f"killed-{self.runs}")
            process = self._start(book)
            moment = rng.uniform(0, self.seconds)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moment)
                continue  # it was quicker than its moment
            kill(process, whole_group=whole_group)
            left = left_over()
            reap()
            self.killed_early += not _grades(book)
            wrong = [f"killed after {moment:.2f} s: {line}" for line in left]
            wrong += self._run_to_end(book) + self._compare(book)
            shutil.rmtree(book.parent)
            return wrong

    def two_at_once(self) -> list[str]:
        """Two processes, one gradebook."""
        book = self._book("two")
        processes, wrong = [], []
        for name in ("one", "other"):
            process = self._start(book, book.parent / name)
            processes.append((process, self._log))
        for process, log in processes:
            if process.wait():
                said = log.read_text("utf-8", "replace")[-500:]
                wrong.append(f"one of two at once ended with {process.returncode}: {said!r}")
        return wrong + self._compare(book)

    def limited_files(self) -> list[str]:
        """No file may grow beyond a limit: what a quota does."""
        book = self._book("limited")

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))

        return self._fills_up(book, lambda: None, limit)

    def full_disk(self) -> list[str] | None:
        """A small disk for the gradebook, with room for a part of it; None where none can be mounted."""
        disk = self.root / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", disk], capture_output=True).returncode:
            return None
        try:
            book, ballast = disk / "gradebook.sqlite", disk / "ballast"
            shutil.copy(self.fresh, book)
            free = shutil.disk_usage(disk).free
            ballast.write_bytes(bytes(free - ROOM))
            return self._fills_up(book, ballast.unlink)
        finally:
            subprocess.run(["umount", disk], check=True)

    def _fills_up(self, book: Path, make_room: Callable, limit: Callable | None = None) -> list[str]:
        """Run until there is no room, see that it says so, make some, and go on."""
        wrong = []
        process = self._start(book, limit=limit)
        said = self._log.read_text("utf-8", "replace") if process.wait() else ""
        if process.returncode != 2 or "space" not in said or "Traceback" in said:
            wrong.append(f"without room it ended with {process.returncode} and said {said[-500:]!r}")
        wrong += [f"without room: {line}" for line in left_over()]
        kept = _grades(book)
        make_room()
        if not 0 < kept < sum(self.reference.values()):
            wrong.append(f"{kept} grades were kept when there was no room; the trial needs some and not all")
        return wrong + self._run_to_end(book) + self._compare(book)

    def _book(self, name: str) -> Path:
        """A fresh gradebook with the secret of all others."""
        folder = self.root / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return Path(shutil.copy(self.fresh, folder / "gradebook.sqlite"))

    def _start(self, book: Path, out: Path | None = None, limit: Callable | None = None) -> subprocess.Popen:
        self._log = self.root / f"log-{self.runs}"
        self.runs += 1
        self._out = out or self.root / f"out-{self.runs}"
        options = ("--gradebook", str(book), "--jobs", "2")
        return grade_process(self.folder, self._out, *options, log=self._log, preexec_fn=limit)

    def _run_to_end(self, book: Path) -> list[str]:
        end = self._start(book).wait()
        wrong = [f"a run ended with {end}: {self._log.read_text('utf-8', 'replace')[-500:]!r}"] if end else []
        pages = len(list(self._out.glob("learners/*.html")))
        if not end and pages != len(list(self.folder.iterdir())):
            wrong.append(f"{pages} learners have a page")
        shutil.rmtree(self._out, ignore_errors=True)
        return wrong

    def _compare(self, book: Path) -> list[str]:
        found = recorded(book)
        self.compared += sum(found.values())
        return differences(self.reference, found)


def kill(process: subprocess.Popen, *, whole_group: bool) -> None:
    """SIGKILL to the process, or to its group at once."""
    if whole_group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def left_over(known: Collection[int] = ()) -> list[str]:
    """What still lives below this process after a while, but for the known ones, and for how long it went on living.

    None of it outlives this call.
    """
    started = time.monotonic()
    while (left := descendants(os.getpid()) - set(known)) and time.monotonic() - started < ENDING_S:
        time.sleep(0.05)
    words = {pid: _command(pid) for pid in left}
    while left & descendants(os.getpid()) and time.monotonic() - started < PATIENCE_S:
        time.sleep(0.05)
    for pid in (remaining := left & descendants(os.getpid())):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    how_long = "for ever" if remaining else f"for {time.monotonic() - started:.0f} s"
    return [f"{pid} lived on {how_long}: {words[pid]}" for pid in sorted(left)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").replace("\0", " ")[:120]
    except OSError:
        return "ended just now"


def recorded(book: Path) -> Records:
    """All that a gradebook holds and that must not depend on when it was written; a Counter, so doubles show."""
    with contextlib.closing(sqlite3.connect(book)) as connection:
        (state,) = connection.execute("PRAGMA integrity_check").fetchone()
    with Gradebook.open(book) as opened:
        learners = {row.digest: row.learner for row in opened.submissions()}
        found = Counter((row.learner, row.digest, row.exercises, row.problem) for row in opened.submissions())
        for grade in opened.grades():
            about = learners.get(grade.submission), grade.submission, grade.exercise, grade.seed
            found[(*about, grade.status, grade.score, grade.points, grade.outcomes)] += 1
    found["integrity", state] += 1
    return found


def differences(reference: Records, found: Records) -> list[str]:
    """A line for each record that is lost, doubled or different."""
    lines = [f"lost: {_brief(record)}" for record in (reference - found)]
    return lines + [f"doubled or different: {_brief(record)}" for record in (found - reference)]


def _brief(record: tuple) -> str:
    return str(record)[:200]


def _grades(book: Path) -> int:
    """How many grades are recorded."""
    with Gradebook.open(book) as opened:
        return sum(1 for _ in opened.grades(details=False))
