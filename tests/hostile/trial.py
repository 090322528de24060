"""One warm machine, notebooks to put before it, and what must hold after each of them."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from course.errors import SandboxMissing
from course.grading.digests import judges_digest
from course.grading.gradebook.book import Gradebook
from course.grading.grades import MACHINERY, STATUSES, Grade
from course.grading.run import worker
from course.grading.run.gather_settings import gather_settings
from course.grading.run.reading import read_attempts
from course.grading.sandbox import bubblewrap, runner
from course.grading.work import Settings
from course.judging.answers import find_answers, read_notebook
from course.judging.exercise import exercises_of

ROOT = Path(__file__).resolve().parents[2]
RELEASED = ROOT / "notebooks" / "02_freeze_the_backbone.ipynb"
SOLVED = ROOT / "solutions" / "02_freeze_the_backbone.ipynb"
MARK = "hostile7f3a9c"  # in the names of whatever an attack leaves behind
REACHED = "REACHED"  # printed by an attack that got what it must not
SECRET_PREFIX = "keepout-"  # of every secret that nothing may show


class Machine:
    """A warm sandbox on which one notebook after another is tried, with secrets around it.

    With `limit_s`, the exercises' time limits and the sandbox's own are that short, so that an endless loop costs
    seconds; the probes behind the sandbox are written with it.
    """

    def __init__(self, folder: Path, limit_s: float | None = None) -> None:
        self._stack = contextlib.ExitStack()
        self.folder = folder
        self.secrets = {name: SECRET_PREFIX + secrets.token_hex(16) for name in ("environment", "file", "judge")}
        os.environ["COURSE_SECRET_OF_THE_GRADER"] = self.secrets["environment"]
        self._stack.callback(os.environ.pop, "COURSE_SECRET_OF_THE_GRADER")
        self.submissions = folder / "submissions"
        self.submissions.mkdir(mode=0o755)
        (self.submissions / "another.ipynb").write_text(self.secrets["file"])
        if limit_s is not None:
            self._stack.enter_context(_short_limits(limit_s))
        self.book = self._stack.enter_context(Gradebook.open(folder / "gradebook.sqlite"))
        self.secrets["gradebook"] = self.book.secret
        self.settings = self._with_secret_judge(gather_settings(self.book, private=[folder]))
        self.machine = worker.Machine(self.settings)
        self._stack.callback(self.machine.close)
        self.running = len(self.processes())

    def _with_secret_judge(self, settings: Settings) -> Settings:
        hidden = tuple((name, f"{source}\n# {self.secrets['judge']}\n") for name, source in settings.hidden)
        return Settings(settings.secret, settings.level, hidden, settings.canary, settings.private)

    def grade(self, content: bytes, *exercises: str) -> dict[str, Grade]:
        """The grades of a notebook's exercises, all of them unless some are named."""
        reading = read_attempts(content)
        assert reading.problem == "", reading.problem
        name = hashlib.sha256(content).hexdigest()
        judges = judges_digest(reading.notebook, self.settings.hidden)
        wanted = [attempt for attempt in reading.attempts if not exercises or attempt.exercise in exercises]
        return {attempt.exercise: self.machine.grade_attempt(name, attempt, judges) for attempt in wanted}

    def processes(self) -> dict[int, str]:
        """The processes below the sandbox's own, and any outside of sandboxes whose command line bears the mark."""
        parents, lines = {}, {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    lines[int(entry.name)] = (entry / "cmdline").read_text("utf-8", "replace").replace("\0", " ")
        below = {self.machine._sandbox.pid}
        while more := {pid for pid, parent in parents.items() if parent in below} - below:
            below |= more
        marked = {pid for pid, line in lines.items() if MARK in line and pid != os.getpid() and _is_outside(pid)}
        return {pid: lines[pid] for pid in (below | marked) & lines.keys()}

    def surroundings(self) -> dict[str, str]:
        """A digest of each file that an attack would like to change, and the marked ones in folders of all users."""
        watched = [self.folder, ROOT / "solutions", ROOT / "notebooks", ROOT / "course" / "grading"]
        found = {str(path): _stamp(path) for folder in watched for path in folder.rglob("*.*") if path.is_file()}
        found = {path: stamp for path, stamp in found.items() if "__pycache__" not in path}
        for folder in map(Path, ("/tmp", "/dev/shm", "/var/tmp", Path.home(), "/")):
            with contextlib.suppress(OSError):
                found |= {str(path): "left behind" for path in folder.iterdir() if MARK in path.name}
        return found

    def leaks(self, *grades: Grade) -> list[str]:
        """The secrets that stand anywhere in these grades."""
        text = "\n".join(map(repr, grades))
        return [name for name, secret in self.secrets.items() if secret in text]

    def close(self) -> None:
        self._stack.close()


def _is_outside(pid: int) -> bool:
    """True for a process that is in no sandbox; another test's attack may run in its own just now."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink("/proc/self/ns/pid")
    except OSError:
        return False


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_mode}"


@contextlib.contextmanager
def _short_limits(limit_s: float) -> Iterator[None]:
    exercises = exercises_of("02")
    before = [exercise.time_limit_s for exercise in exercises]
    original, total_s, grace_s = runner.write_probes, worker.TOTAL_LIMIT_S, runner.GRACE_S

    def write_probes(folder: Path) -> None:
        original(folder)
        for path in folder.glob("nb02_*/*.py"):
            path.write_text(_limited(path.read_text(encoding="utf-8"), limit_s), encoding="utf-8")

    runner.write_probes, worker.TOTAL_LIMIT_S, runner.GRACE_S = write_probes, 2.0, 1.0
    for exercise in exercises:
        exercise.time_limit_s = limit_s
    try:
        yield
    finally:
        runner.write_probes, worker.TOTAL_LIMIT_S, runner.GRACE_S = original, total_s, grace_s
        for exercise, seconds in zip(exercises, before, strict=True):
            exercise.time_limit_s = seconds


def _limited(source: str, limit_s: float) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Exercise":
            node.keywords = [part for part in node.keywords if part.arg != "time_limit_s"]
            node.keywords.append(ast.keyword("time_limit_s", ast.Constant(limit_s)))
    return ast.unparse(tree) + "\n"


@functools.cache
def solutions() -> dict[str, str]:
    """The reference solution's cell of each exercise."""
    return {answer.exercise.id: answer.source for answer in find_answers(read_notebook(SOLVED))}


def notebook(
    answers: dict[str, str] | None = None, *, before: tuple[str, ...] = (), after: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The released notebook with every exercise solved, but for these answers, and with more cells around."""
    book = json.loads(RELEASED.read_text(encoding="utf-8"))
    sources = {**solutions(), **(answers or {})}
    for cell in book["cells"]:
        if cell.get("id") in sources:
            cell["source"] = sources[cell["id"]]
    book["cells"] = [*map(code_cell, before), *book["cells"], *map(code_cell, after)]
    return book


def code_cell(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source}


def as_bytes(book: dict[str, Any]) -> bytes:
    return json.dumps(book).encode()


def full_marks(grade: Grade) -> bool:
    return grade.status == "graded" and grade.score == grade.points > 0


def unharmed(machine: Machine, *exercises: str) -> list[str]:
    """What is wrong with the next learner's grades: the reference solution's."""
    grades = machine.grade(as_bytes(notebook(after=(f"# {time.monotonic_ns()}",))), *exercises)
    return [f"the next learner's {name}: {brief(grade)}" for name, grade in grades.items() if not full_marks(grade)]


def brief(grade: Grade) -> str:
    """A grade in one line."""
    why = grade.failure.message if grade.failure else grade.printed
    return f"{grade.status}, {grade.score} of {grade.points:g}: {why[:300]!r} {'; '.join(grade.notes)}"


def is_known(grade: Grade) -> bool:
    return grade.status in STATUSES and grade.status != MACHINERY


def _why_no_sandbox() -> str:
    try:
        bubblewrap.command(ROOT / "course" / "exercises")
    except SandboxMissing as error:
        return str(error)
    return ""


_REASON = "" if os.environ.get("CI") else _why_no_sandbox()
needs_a_sandbox = pytest.mark.skipif(bool(_REASON), reason=f"no sandbox here: {_REASON}")
