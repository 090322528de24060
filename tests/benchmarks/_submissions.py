"""Classes to grade: notebooks as learners hand them in, no two the same, and `course grade` as a process."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from course.judging.answers import find_answers, read_notebook
from course.judging.exercise import exercises_of, find_exercise

ROOT = Path(__file__).resolve().parents[2]


def path_of(notebook: str, folder: str = "notebooks") -> Path:
    """The released notebook of this number, or its solution."""
    return next((ROOT / folder).glob(f"{notebook}_*.ipynb"))


@functools.cache
def solutions(notebook: str) -> dict[str, str]:
    """The reference solution's cell of each exercise."""
    return {answer.exercise.id: answer.source for answer in find_answers(read_notebook(path_of(notebook, "solutions")))}


@functools.cache
def answers(notebook: str) -> dict[str, list[str]]:
    """Cells for each exercise: the solution first, then second right answers and wrong ones."""
    samples = importlib.import_module(f"tests.wrong.nb{path_of(notebook).stem}")
    return {
        exercise.id: [
            solutions(notebook)[exercise.id],
            *(_renamed(answer, exercise.answer) for answer in samples.RIGHT[exercise.id]),
            *(_renamed(answer, exercise.answer) for answer in samples.WRONG[exercise.id]),
        ]
        for exercise in exercises_of(notebook)
    }


def _renamed(answer: object, name: str) -> str:
    return re.sub(r"^def \w+", f"def {name}", inspect.getsource(answer), count=1)  # type: ignore[arg-type]


def notebook_with(notebook: str, cells: Mapping[str, str], mark: str = "") -> bytes:
    """The released notebook with these sources in the cells of its exercises; `mark` makes a file like no other."""
    book = json.loads(path_of(notebook).read_text(encoding="utf-8"))
    for cell in book["cells"]:
        cell["source"] = cells.get(cell["id"], cell["source"])
    if mark:
        book["cells"].append({"cell_type": "markdown", "id": "mark", "metadata": {}, "source": mark})
    return json.dumps(book).encode()


def drawn(notebook: str, rng: random.Random) -> dict[str, str]:
    """Answers of one learner: half of them the solution, the others drawn, now and then one left out."""
    chosen = {}
    for exercise, sources in answers(notebook).items():
        if rng.random() < 0.05:
            continue
        chosen[exercise] = sources[0] if rng.random() < 0.5 else rng.choice(sources)
    return chosen


def write_class(folder: Path, count: int, notebook: str = "02", *, seed: int = 0) -> list[Path]:
    """So many notebooks in a folder, a learner each."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"learner{number:04d}.ipynb" for number in range(count)]
    for path in paths:
        path.write_bytes(notebook_with(notebook, drawn(notebook, rng), f"handed in by {path.stem}"))
    return paths


def sleeping(exercise: str, seconds: float) -> str:
    """The solution, which first sleeps so long once; the library it reads time from is imported within."""
    source = solutions(exercise[:2])[exercise]
    name = find_exercise(exercise).answer
    return (
        f"import time\n{source}\n_solved, _slept = {name}, []\n"
        f"def {name}(*arguments):\n"
        f"    if not _slept:\n        _slept.append(time.sleep({seconds}))\n"
        f"    return _solved(*arguments)\n"
    )


def grade_command(sources: Path, out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "course", "grade", str(sources), "--out", str(out), *options]


def grade_process(
    sources: Path, out: Path, *options: str, log: Path | None = None, preexec_fn: Callable | None = None
) -> subprocess.Popen:
    """`course grade` in a session of its own; what it prints goes to a file."""
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log else subprocess.DEVNULL
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            grade_command(sources, out, *options),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=preexec_fn,
        )


def parents() -> dict[int, int]:
    """Each process of this machine that is no zombie, and its parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    found[int(entry.name)] = int(parent)
    return found


def descendants(pid: int) -> set[int]:
    """The processes below this one."""
    known = parents()
    below = {pid}
    while more := {child for child, parent in known.items() if parent in below} - below:
        below |= more
    return below - {pid}


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """In here whoever descends from this process and loses its parent becomes its child: nothing gets out of sight."""
    import ctypes

    libc, subreaper = ctypes.CDLL(None, use_errno=True), 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
    libc.prctl(subreaper, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(subreaper, 0, 0, 0, 0)


def reap() -> None:
    """Take leave of every child that has ended, adopted ones too; not while somebody waits for one of them."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
