"""How well more Dask workers on one machine share the work: T1 / (n Tn), the smallest of n = 2 and 4.

The answers sleep for seconds, against a quarter of a second of work around each, so that the machine's cores are not
what limits even where there are fewer of them than workers; what is measured is how work is handed out and results
come back and are committed. Every worker has started, and proved itself by the reference solution, before the clock.
"""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

from course.grading.digests import judges_digest
from course.grading.gradebook.book import Gradebook
from course.grading.run.gather_settings import gather_settings
from course.grading.run.pools import DaskPool
from course.grading.run.queue import grade_submissions
from course.grading.submissions.collect import collect
from course.grading.work import Settings
from tests.benchmarks import Figure
from tests.benchmarks._submissions import notebook_with, sleeping, solutions

NOTEBOOK = "02"
START_S = 300.0


def measure(submissions: str = "24", sleep_s: str = "3.0", workers: str = "1,2,4") -> Figure:
    counts = [int(count) for count in workers.split(",")]
    seconds = {count: _seconds(int(submissions), float(sleep_s), count) for count in counts}
    alone = seconds[counts[0]] * counts[0]
    efficiency = {count: alone / (count * seconds[count]) for count in counts[1:]}
    notes = [f"{count} workers: {seconds[count]:.1f} s" for count in counts]
    notes += [f"efficiency with {count}: {value:.3f}" for count, value in efficiency.items()]
    notes.append(f"{submissions} submissions, each with one answer that sleeps {sleep_s} s in each of its cases")
    return Figure(min(efficiency.values()), "of the ideal", "at least 0.9", tuple(notes))


def _seconds(submissions: int, sleep_s: float, workers: int) -> float:
    from distributed import LocalCluster

    options = {"threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with (
        tempfile.TemporaryDirectory() as name,
        LocalCluster(n_workers=workers, silence_logs=logging.ERROR, **options) as cluster,
        Gradebook.open(Path(name, "gradebook.sqlite")) as book,
    ):
        pool, settings = DaskPool(cluster.scheduler_address), gather_settings(book)
        try:
            _warm_up(cluster.scheduler_address, settings)
            folder = Path(name, "class")
            folder.mkdir()
            for number in range(submissions):
                _write(folder / f"learner{number:04d}.ipynb", sleep_s)
            started = time.perf_counter()
            summary = grade_submissions(collect([folder], tell=lambda line: None), book, pool, settings)
            seconds = time.perf_counter() - started
        finally:
            pool.close()
    if summary.failures or summary.problems or summary.statuses["graded"] != submissions:
        raise RuntimeError(str(summary))
    return seconds


def _warm_up(address: str, settings: Settings) -> None:
    """Have every worker start its sandbox and grade the reference solution."""
    from distributed import Client

    with Client(address) as client:
        names = list(client.scheduler_info(n_workers=-1)["workers"])
        waiting = [client.submit(_prove, settings, workers=[name], pure=False) for name in names]
        client.gather(waiting)


def _prove(settings: Settings) -> None:
    from course.grading.run import tasks
    from course.grading.run.reading import read_attempts

    content = notebook_with(NOTEBOOK, solutions(NOTEBOOK))
    attempt = read_attempts(content, NOTEBOOK).attempts[0]
    tasks.grade_attempt(settings, "warm-up", attempt, judges_digest(NOTEBOOK, settings.hidden))


def _write(path: Path, sleep_s: float) -> None:
    exercise = "02-freeze-backbone"
    path.write_bytes(notebook_with(NOTEBOOK, {exercise: sleeping(exercise, sleep_s)}, f"handed in by {path.stem}"))
