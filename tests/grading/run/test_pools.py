"""Workers that die, on this machine and on others: what they had is done again, and committed once."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from course.errors import CanaryFailed, GradingError
from course.grading.capstone.work import capstone_judges_digest
from course.grading.gradebook.book import Gradebook
from course.grading.run.gather_settings import gather_settings
from course.grading.run.pools import DaskPool, LocalPool
from course.grading.run.queue import grade_submissions
from course.grading.submissions.collect import collect
from tests.benchmarks._submissions import descendants, notebook_with, parents, solutions
from tests.conftest import ROOT, needs_program

POINTS = {
    "02-freeze-backbone": 4, "02-set-train-mode": 5, "02-list-trainable": 3, "02-audit-freeze": 6,
    "02-cache-features": 5, "02-investigate-batchnorm": 5,
}  # fmt: skip
ALL = 6 * len(POINTS)  # grades of six notebooks
SOON_S = 20.0


@pytest.fixture
def handed_in(tmp_path):
    """Six notebooks that earn every point."""
    folder = tmp_path / "class"
    folder.mkdir()
    for number in range(6):
        (folder / f"learner{number}.ipynb").write_bytes(notebook_with("02", solutions("02"), f"learner {number}"))
    return collect([folder], tell=print)


@pytest.fixture
def book(tmp_path):
    with Gradebook.open(tmp_path / "gradebook.sqlite") as book:
        yield book


class Commits:
    """A gradebook that calls a function once, when so many grades are in it."""

    def __init__(self, book, count, function):
        self._book, self._count, self._function = book, count, function

    def __getattr__(self, name):
        return getattr(self._book, name)

    def add_grade(self, grade):
        added = self._book.add_grade(grade)
        self._count -= 1
        if self._count == 0:
            self._function()
        return added


def assert_all_there_once(book):
    found = Counter((one.submission, one.exercise) for one in book.grades())
    assert len(found) == ALL and set(found.values()) == {1}
    assert all(one.status == "graded" and one.score == POINTS[one.exercise] for one in book.grades())


def assert_all_end(pids):
    until = time.monotonic() + SOON_S
    while left := pids & parents().keys():
        assert time.monotonic() < until, f"{left} still live"
        time.sleep(0.05)


def test_work_runs_in_another_process_and_errors_come_back():
    pool = LocalPool(1)
    try:
        assert pool.width == 1
        assert pool.submit(os.getpid).result() != os.getpid()
        assert isinstance(pool.submit(int, "x").exception(), ValueError)
        assert not pool.recover(ValueError())
        broken = pool.submit(os._exit, 1).exception()
        assert pool.recover(broken)
        assert pool.submit(abs, -1).result() == 1
    finally:
        pool.close()


def test_a_local_worker_that_is_killed_is_replaced_and_its_work_done_again(handed_in, book):
    needs_program("bwrap")
    pool, killed = LocalPool(1), set()

    def kill():
        (worker,) = pool._executor._processes
        killed.update({worker}, descendants(worker))
        os.kill(worker, signal.SIGKILL)

    try:
        summary = grade_submissions(handed_in, Commits(book, 6, kill), pool, gather_settings(book))
    finally:
        pool.close()
    assert len(killed) > 1, "the worker had a sandbox below it"
    assert summary.statuses == {"graded": ALL} and not summary.failures
    assert_all_there_once(book)
    assert_all_end(killed)


def test_a_closed_pool_leaves_no_process_behind():
    needs_program("bwrap")
    before = descendants(os.getpid())
    pool = LocalPool(1)
    pool.submit(os.getpid).result()
    workers = set(pool._executor._processes)
    assert workers <= descendants(os.getpid()) - before
    pool.close()
    assert_all_end(workers)


@contextlib.contextmanager
def dask(folder, *courses):
    """The address of a scheduler, and a worker by its process for each folder in which it looks for the course first.

    Each worker has one thread and no nanny.
    """
    scheduler_file = folder / "scheduler.json"
    log = (folder / "dask.log").open("wb")
    started = []

    def start(*arguments, course=folder):
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard", "--scheduler-file", str(scheduler_file)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(course)}
        started.append(
            subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment, start_new_session=True)
        )

    try:
        start("scheduler", "--host", "127.0.0.1", "--port", "0")
        alone = ("--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
        for course in courses:
            start("worker", "--host", "127.0.0.1", *alone, course=course)
        yield address(scheduler_file, len(courses)), started[1:]
    finally:
        for process in reversed(started):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


def address(scheduler_file, workers) -> str:
    """Of the scheduler, once its workers have come."""
    from distributed import Client

    until = time.monotonic() + 120
    while not scheduler_file.exists():
        assert time.monotonic() < until
        time.sleep(0.1)
    with Client(scheduler_file=str(scheduler_file), timeout=60) as client:
        client.wait_for_workers(workers, timeout=120)
        return client.scheduler.address


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers."""
    with dask(tmp_path, tmp_path, tmp_path) as started:
        yield started


def test_a_dask_worker_killed_halfway_loses_nothing(cluster, handed_in, book):
    needs_program("bwrap")
    scheduler, (first, second) = cluster
    pool, killed = DaskPool(scheduler), set()

    def kill():
        killed.update({first.pid}, descendants(first.pid))
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()

    try:
        assert pool.width == 2
        summary = grade_submissions(handed_in, Commits(book, 10, kill), pool, gather_settings(book))
        assert pool.width == 1
    finally:
        pool.close()
    assert first.returncode == -signal.SIGKILL and second.poll() is None
    assert summary.statuses == {"graded": ALL} and not summary.failures
    assert_all_there_once(book)
    assert_all_end(killed)


CHANGED = {
    "a tolerance": ("judging/expectations.py", "rtol: float = 1e-4", "rtol: float = 1e-1"),
    "how a notebook is read": (
        "judging/notebook_files.py",
        "_MAX_CELLS, _MAX_CODE = 2_000,",
        "_MAX_CELLS, _MAX_CODE = 1_000,",
    ),
    "a capstone's bar": ("grading/capstone/scoring.py", "pvalue < 0.05", "pvalue < 0.5"),
}


@pytest.fixture
def other_course(tmp_path):
    """Makes a copy of the course in which one thing differs; the folder that it lies in."""

    def make(name) -> Path:
        file, old, new = CHANGED[name]
        folder = tmp_path / "elsewhere"
        left_out = shutil.ignore_patterns("__pycache__")
        path = Path(shutil.copytree(ROOT / "course", folder / "course", ignore=left_out)) / file
        assert path.read_text().count(old) == 1
        path.write_text(path.read_text().replace(old, new))
        return folder

    return make


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a tolerance", "has other judges of notebook 02"),
        ("how a notebook is read", "reads notebooks by another version"),
    ],
)
def test_a_worker_whose_course_differs_grades_nothing(tmp_path, other_course, handed_in, book, name, words):
    needs_program("bwrap")
    with dask(tmp_path, other_course(name)) as (scheduler, _):
        pool = DaskPool(scheduler)
        try:
            assert Path(pool.submit(where_the_course_lies).result()).is_relative_to(tmp_path / "elsewhere")
            with pytest.raises(CanaryFailed, match=f"{words}.*; install the same course there"):
                grade_submissions(handed_in, book, pool, gather_settings(book))
        finally:
            pool.close()
    assert not list(book.grades())


def where_the_course_lies() -> str:
    import course

    return course.__file__


def test_a_worker_that_judges_capstones_otherwise_grades_none(other_course):
    code = (
        "import sys, course\nfrom course.errors import CanaryFailed\nfrom course.grading.run import tasks\n"
        "try:\n    tasks.grade_capstone(None, 'digest', None, sys.argv[1], (), b'', None)\n"
        "except CanaryFailed as error:\n    print(course.__file__, error)\n"
    )
    folder = other_course("a capstone's bar")
    command = [sys.executable, "-c", code, capstone_judges_digest(())]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.stdout.startswith(str(folder)), done.stderr
    assert "has other judges of capstones; install the same course there" in done.stdout


@pytest.mark.parametrize("address", ["nowhere", "smoke://127.0.0.1:1"])
def test_an_address_without_a_scheduler_is_refused_with_what_to_do(address):
    with pytest.raises(GradingError, match="dask scheduler"):
        DaskPool(address)
