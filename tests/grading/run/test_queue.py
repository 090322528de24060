"""From submissions to grades: each exercise once, what is graded stays graded, what failed on our side has no score."""

import os
import shutil
import time
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import course.grading.run.queue as module
from course.errors import CanaryFailed, MachineBusy, TimeLimitReached
from course.grading.gradebook.book import Gradebook
from course.grading.grades import MACHINERY, Submission
from course.grading.reports.write import write_reports
from course.grading.run import tasks
from course.grading.run.gather_settings import gather_settings
from course.grading.run.pools import LocalPool
from course.grading.run.queue import grade_submissions
from course.grading.work import TRIES
from course.judging.exercise import exercises_of
from tests.benchmarks._submissions import adopting, answers, descendants, grade_process, notebook_with, solutions
from tests.benchmarks.crash import differences, kill, left_over, recorded
from tests.conftest import needs_program
from tests.exercises.samples import all_judges

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
RIGHT = solutions("02")
FREEZE, LIST, CACHE = "02-freeze-backbone", "02-list-trainable", "02-cache-features"
WRONG = {name: sources[-1] for name, sources in answers("02").items()}
# hidden judges included
POINTS = {exercise.id: sum(judge.points for judge in all_judges(exercise)) for exercise in exercises_of("02")}
FULL, COUNT = sum(POINTS.values()), len(POINTS)


@pytest.fixture(scope="module")
def pool():
    needs_program("bwrap")
    pool = LocalPool(1)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Path:
    """An empty gradebook. Its copies share its secret, and so one warm sandbox."""
    path = tmp_path_factory.mktemp("fresh") / "gradebook.sqlite"
    Gradebook.open(path).close()
    return path


@pytest.fixture
def book(fresh, tmp_path):
    with Gradebook.open(shutil.copy(fresh, tmp_path / "gradebook.sqlite")) as book:
        yield book


@pytest.fixture
def hand_in(tmp_path):
    """Writes a notebook with these answers, the solution's by default, and says what was handed in."""

    def write(learner="ada", cells=None, *, mark=None, hours=0, file=None) -> Submission:
        path = tmp_path / (file or f"{learner}-{hours}.ipynb")
        path.write_bytes(notebook_with("02", RIGHT if cells is None else cells, learner if mark is None else mark))
        return Submission(learner, path, handed_in=NOON + timedelta(hours=hours))

    return write


class Troubled:
    """A pool in which some of the work on exercises fails: `fail(number, attempt)` gives the exception, or None."""

    def __init__(self, pool, fail):
        self.pool, self.fail, self.asked = pool, fail, []

    width = 1

    def submit(self, function, *arguments):
        if function is tasks.grade_attempt:
            self.asked.append(arguments[2].exercise)
            if error := self.fail(len(self.asked), arguments[2]):
                future = Future()
                future.set_exception(error)
                return future
        return self.pool.submit(function, *arguments)

    def recover(self, error):
        return False


class Untouched:
    """A pool that must not be asked for anything."""

    width = 2

    def submit(self, function, *arguments):
        raise AssertionError(f"{function.__name__} was asked for")


def scores(book, **which) -> dict[str, float | None]:
    """The score of each exercise that counts for one learner."""
    (standing,) = book.standings(**which)
    return {name: grade.score for name, grade in standing.grades.items()}


def test_right_answers_get_every_point_and_a_wrong_one_leaves_the_others_alone(pool, book, hand_in):
    summary = grade_submissions(
        [hand_in(), hand_in("ben", {**RIGHT, LIST: WRONG[LIST]})], book, pool, gather_settings(book)
    )
    assert summary.statuses == {"graded": 2 * COUNT} and not summary.problems + summary.failures
    assert scores(book, learner="ada") == POINTS
    ben = scores(book, learner="ben")
    assert ben.pop(LIST) < POINTS[LIST]
    assert ben == {name: points for name, points in POINTS.items() if name != LIST}
    assert {outcome.hidden for one in book.grades() for outcome in one.outcomes} == {True, False}
    assert {one.isolation for one in book.grades()} == {"sandbox"}


def test_what_is_graded_is_not_asked_for_again(pool, book, hand_in):
    submission = hand_in()
    grade_submissions([submission], book, pool, gather_settings(book))
    before = list(book.grades())
    summary = grade_submissions([submission], book, Untouched(), gather_settings(book))
    assert (summary.already, summary.statuses.total()) == (COUNT, 0)
    assert list(book.grades()) == before


def test_a_renamed_file_is_the_same_submission(pool, book, hand_in):
    submission = hand_in()
    grade_submissions([submission], book, pool, gather_settings(book))
    renamed = replace(submission, path=submission.path.rename(submission.path.with_name("final (2).ipynb")))
    assert grade_submissions([renamed], book, Untouched(), gather_settings(book)).already == COUNT
    assert len(list(book.submissions())) == 1


class FullMarks:
    """A pool that reads notebooks, and gives every exercise its points without running anything."""

    width = 2

    def submit(self, function, *arguments):
        future = Future()
        if function is tasks.read_attempts:
            future.set_result(function(*arguments))
        else:
            made = tasks.machinery_failure(*arguments, "")
            future.set_result(replace(made, status="graded", score=made.points))
        return future


def test_what_is_new_what_was_graded_before_and_what_is_a_copy_add_up(book, hand_in):
    handed_in = [ada := hand_in(), replace(ada, learner="ben"), hand_in("cy", mark="cy")]
    settings = gather_settings(book)
    counts = [
        (summary.statuses.total(), summary.already, summary.copies)
        for some in (handed_in[:2], handed_in, handed_in)
        for summary in [grade_submissions(some, book, FullMarks(), settings)]
    ]
    assert counts == [(COUNT, 0, COUNT), (COUNT, COUNT, COUNT), (0, 2 * COUNT, COUNT)]


def test_a_resubmission_counts_and_the_first_one_stays_as_history(pool, book, hand_in):
    settings = gather_settings(book)
    grade_submissions([hand_in(cells={**RIGHT, FREEZE: WRONG[FREEZE]})], book, pool, settings)
    grade_submissions([hand_in(hours=1, mark="again")], book, pool, settings)
    grade_submissions([hand_in(cells={}, hours=2, mark="all gone")], book, pool, settings)
    assert len(list(book.submissions())) == 3 and len(list(book.grades())) == 3 * COUNT
    assert book.standings("last")[0].score == 0
    assert book.standings("best")[0].score == FULL
    assert len({one.seed for one in book.grades()}) == 3, "each submission is judged on inputs of its own"


def test_the_same_file_of_two_learners_is_graded_once_and_counts_for_both(pool, book, hand_in):
    told = []
    pair = [hand_in("ada", mark="shared"), hand_in("ben", mark="shared")]
    summary = grade_submissions(
        pair, book, pool, gather_settings(book), on_progress=lambda done, summary: told.append(done)
    )
    assert summary.statuses == {"graded": COUNT}
    assert len(list(book.grades())) == COUNT
    assert scores(book, learner="ada") == scores(book, learner="ben") == POINTS
    assert told == [1, 2]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\x00\x01 no notebook", "ada"), (b'{"cells": []}', "no exercise of the course"), (b"", "ada")],
    ids=["no JSON", "no exercise", "empty"],
)
def test_an_unreadable_notebook_is_named_and_the_next_one_is_graded(pool, book, hand_in, content, words):
    broken = hand_in()
    broken.path.write_bytes(content)
    summary = grade_submissions([broken, hand_in("ben", {})], book, pool, gather_settings(book))
    (problem,) = summary.problems
    assert words in problem and summary.statuses == {"not attempted": COUNT}
    assert {row.learner: bool(row.problem) for row in book.submissions()} == {"ada": True, "ben": False}


def test_a_file_that_is_gone_is_named(pool, book, hand_in):
    gone = hand_in()
    gone.path.unlink()
    summary = grade_submissions(
        [gone, replace(gone, learner="eve", problem="it is a link; ask for the file")],
        book,
        pool,
        gather_settings(book),
    )
    assert len(summary.problems) == 2 and summary.submissions == 2
    assert "ada" in summary.problems[0] and "it is a link" in summary.problems[1]


def test_an_exercise_that_is_not_there_is_not_attempted(pool, book, hand_in):
    submission = hand_in()
    text = submission.path.read_text().replace(LIST, "gone").replace("def trainable_parameters", "def something_else")
    submission.path.write_text(text)
    grade_submissions([submission], book, pool, gather_settings(book))
    found = {one.exercise: (one.status, one.score) for one in book.grades()}
    assert found.pop(LIST) == ("not attempted", 0)
    assert set(found.values()) == {("graded", points) for points in set(POINTS.values()) - {POINTS[LIST]}}


def test_behind_the_sandbox_an_old_import_counts_and_the_learners_page_names_the_new_one(pool, book, hand_in, tmp_path):
    old = "from course.overlap import VOID\n" + RIGHT[FREEZE].replace('"""\n', '"""\n    assert VOID == 255\n', 1)
    assert "assert VOID" in old
    grade_submissions([hand_in(cells={**RIGHT, FREEZE: old})], book, pool, gather_settings(book))
    assert scores(book) == POINTS
    write_reports(book, tmp_path / "out")
    page = (tmp_path / "out" / "learners" / "ada.html").read_text()
    assert "<code>course.overlap</code> is now <code>course.applications.iou</code>" in page
    assert "Jupyter needs <code>from course.applications.iou import VOID</code>" in page


def test_the_wrong_notebook_is_graded_as_what_it_is_and_never_as_the_one_asked_for(pool, book, tmp_path):
    path = tmp_path / "ada.ipynb"
    path.write_bytes(notebook_with("00", {}))
    summary = grade_submissions([Submission("ada", path)], book, pool, gather_settings(book), notebook="02")
    assert summary.statuses == {"not attempted": len(exercises_of("00"))}
    assert [row.notebook for row in book.submissions()] == ["00"]
    assert summary.problems == ["ada: this is notebook 00, and 02 was asked for; it is graded as it is"]


def test_a_notebook_of_which_nothing_is_recognised_counts_as_not_attempted_where_one_was_asked_for(
    pool, book, tmp_path
):
    path = tmp_path / "ada.ipynb"
    path.write_text('{"cells": [{"cell_type": "code", "source": "x = 1"}], "nbformat": 4, "nbformat_minor": 5}')
    summary = grade_submissions([Submission("ada", path)], book, pool, gather_settings(book), notebook="02")
    assert summary.statuses == {"not attempted": COUNT} and not summary.problems
    assert [row.notebook for row in book.submissions()] == ["02"]


def test_changed_judges_grade_anew_and_their_grades_count(pool, book, hand_in):
    settings, submission = gather_settings(book), hand_in()
    grade_submissions([submission], book, pool, settings)
    hidden = tuple((name, source.replace("points=1", "points=7")) for name, source in settings.hidden)
    summary = grade_submissions([submission], book, pool, replace(settings, hidden=hidden))
    assert summary.statuses == {"graded": COUNT} and summary.already == 0
    assert len(list(book.grades())) == 2 * COUNT
    (standing,) = book.standings()
    judges = [judge for exercise in exercises_of("02") for judge in all_judges(exercise)]
    raised = [judge for judge in judges if judge.hidden and judge.points == 1]
    assert standing.score == standing.points == FULL + 6 * len(raised)


def test_a_failure_of_ours_is_tried_again_and_has_no_score(pool, book, hand_in):
    submission = hand_in()
    broken = Troubled(pool, lambda number, attempt: OSError("no room") if attempt.exercise == LIST else None)
    summary = grade_submissions([submission], book, broken, gather_settings(book))
    assert broken.asked.count(LIST) == TRIES
    assert summary.statuses == {"graded": COUNT - 1, MACHINERY: 1}
    assert "no room" in summary.failures[0] and LIST in summary.failures[0]
    assert scores(book)[LIST] is None
    assert book.standings()[0].score is None or LIST in book.standings()[0].missing
    # The next run does that one, and nothing else.
    whole = Troubled(pool, lambda number, attempt: None)
    assert grade_submissions([submission], book, whole, gather_settings(book)).already == COUNT - 1
    assert whole.asked == [LIST]
    assert scores(book) == POINTS and len(list(book.grades())) == COUNT


class Busy(Troubled):
    """A pool whose machine is too busy for one exercise, so often; keeps what else was waiting or running by then."""

    width = 2

    def __init__(self, pool, exercise, times):
        super().__init__(pool, lambda number, attempt: self._busy(attempt))
        self.exercise, self.times, self.order = exercise, times, []

    def _busy(self, attempt):
        self.order.append(attempt.exercise)
        if attempt.exercise == self.exercise and self.order.count(self.exercise) <= self.times:
            return MachineBusy("this machine is too busy")
        return None


def test_what_a_busy_machine_had_no_time_for_is_tried_once_more_alone(pool, book, hand_in):
    busy = Busy(pool, FREEZE, times=1)
    summary = grade_submissions([hand_in(), hand_in("ben")], book, busy, gather_settings(book))
    assert not summary.failures and scores(book, learner="ada") == scores(book, learner="ben") == POINTS
    assert busy.order[-1] == FREEZE, "it came last, when nothing else was left"


def test_a_machine_that_stays_busy_leaves_no_score_and_says_so(pool, book, hand_in):
    busy = Busy(pool, FREEZE, times=9)
    summary = grade_submissions([hand_in()], book, busy, gather_settings(book))
    assert busy.order.count(FREEZE) == 2
    assert summary.statuses == {"graded": COUNT - 1, MACHINERY: 1}
    assert "this machine is too busy" in summary.failures[0] and scores(book)[FREEZE] is None
    grade_submissions([hand_in()], book, pool, gather_settings(book))
    assert scores(book) == POINTS


def test_a_missing_library_leaves_no_score_and_is_counted_by_learners_until_it_is_there(pool, book, hand_in):
    needs = "# exercise: 02-freeze-backbone\nfrom no_such_library import off\ndef freeze(module):\n    off(module)\n"
    handed_in = [hand_in("ada", {**RIGHT, FREEZE: needs}), hand_in("ben", {**RIGHT, FREEZE: needs}), hand_in("cy")]
    for _ in range(2):  # each run tries again
        summary = grade_submissions(handed_in, book, pool, gather_settings(book))
        assert summary.lacking == {"no_such_library": {"ada", "ben"}} and not summary.failures
    assert scores(book, learner="ada") == {**POINTS, FREEZE: None} and scores(book, learner="cy") == POINTS
    (grade,) = book.grades(learner="ada", exercise=FREEZE)
    assert (grade.status, grade.lacks, grade.outcomes) == ("error", "no_such_library", ())
    assert book.add_grade(replace(grade, status="graded", score=1.0, failure=None)), "a score takes its place"


def test_a_failure_that_passes_leaves_no_trace_in_the_grade(pool, book, hand_in):
    flaky = Troubled(pool, lambda number, attempt: OSError("once") if number <= 2 else None)
    summary = grade_submissions([hand_in()], book, flaky, gather_settings(book))
    assert summary.statuses == {"graded": COUNT} and not summary.failures
    assert scores(book) == POINTS


def test_a_notebook_that_cannot_be_read_on_our_side_is_a_failure_and_no_zero(pool, book, hand_in):
    class NoReading(Troubled):
        def submit(self, function, *arguments):
            future = Future()
            future.set_exception(OSError("no room"))
            return future

    submission = hand_in()
    summary = grade_submissions([submission], book, NoReading(pool, None), gather_settings(book))
    assert len(summary.failures) == 1 and not list(book.grades())
    assert grade_submissions([submission], book, pool, gather_settings(book)).statuses == {"graded": COUNT}


def test_a_canary_that_fails_stops_the_run_and_what_was_graded_is_kept(pool, book, hand_in):
    pair = [hand_in(), hand_in("ben")]
    ill = Troubled(pool, lambda number, attempt: CanaryFailed("mend this machine") if number == 4 else None)
    with pytest.raises(CanaryFailed, match="mend this machine"):
        grade_submissions(pair, book, ill, gather_settings(book))
    kept = list(book.grades())
    assert 1 <= len(kept) <= 3 and MACHINERY not in {one.status for one in kept}
    summary = grade_submissions(pair, book, pool, gather_settings(book))
    assert summary.statuses["graded"] == 2 * COUNT - len(kept)
    assert list(book.grades())[: len(kept)] == kept
    assert [standing.score for standing in book.standings()] == [FULL, FULL]


def test_a_worker_with_other_judges_grades_nothing(pool, book, hand_in, monkeypatch):
    monkeypatch.setattr(module, "judges_digest", lambda notebook, hidden: "other judges")
    with pytest.raises(CanaryFailed, match="install the same course"):
        grade_submissions([hand_in()], book, pool, gather_settings(book))
    assert not list(book.grades())


def test_killed_three_times_and_run_again_every_grade_is_there_once(pool, fresh, hand_in, tmp_path):
    expected = Path(shutil.copy(fresh, tmp_path / "expected.sqlite"))
    (tmp_path / "class").mkdir()
    pair = [
        hand_in("ada", file="class/ada.ipynb"),
        hand_in("ben", {**RIGHT, CACHE: WRONG[CACHE]}, file="class/ben.ipynb"),
    ]
    with Gradebook.open(expected) as book:
        grade_submissions(pair, book, pool, gather_settings(book))
    place = Path(shutil.copy(fresh, tmp_path / "gradebook.sqlite"))
    known = descendants(os.getpid())

    def start():
        options = ("--gradebook", str(place), "--jobs", "1")
        return grade_process(tmp_path / "class", tmp_path / "out", *options, log=tmp_path / "log")

    with adopting():
        for grades, whole_group in ((0, True), (1, False), (4, True)):
            process = start()
            time.sleep(1)
            while process.poll() is None and number_of_grades(place) < grades:
                time.sleep(0.02)
            assert process.poll() is None, (tmp_path / "log").read_text()
            kill(process, whole_group=whole_group)
            assert left_over(known) == []
        assert start().wait() == 0, (tmp_path / "log").read_text()
    assert differences(recorded(expected), recorded(place)) == []
    assert len(list((tmp_path / "out" / "learners").iterdir())) == 2


def number_of_grades(place: Path) -> int:
    with Gradebook.open(place) as book:
        return sum(1 for _ in book.grades(details=False))


@pytest.fixture
def reading():
    """A pool of this very process that only reads, and counts how often."""

    class Reading:
        width, count = 1, 0

        def submit(self, function, *arguments):
            assert function is tasks.read_attempts
            self.count += 1
            future = Future()
            future.set_result(function(*arguments))
            return future

        def recover(self, error):
            return False

    return Reading()


@pytest.mark.parametrize("content", [b"my dog ate it", b"", b'{"cells": []}'])
def test_a_file_that_cannot_be_read_is_read_again_by_another_version_of_the_course_alone(
    book, tmp_path, reading, monkeypatch, content
):
    (tmp_path / "ada.ipynb").write_bytes(content)
    submission, settings = Submission("ada", tmp_path / "ada.ipynb", handed_in=NOON), gather_settings(book)
    first = grade_submissions([submission], book, reading, settings)
    assert reading.count == 1 and len(first.problems) == 1
    assert grade_submissions([submission], book, Untouched(), settings).problems == first.problems
    twin = Submission("ben", tmp_path / "ada.ipynb", handed_in=NOON)
    assert len(grade_submissions([submission, twin], book, Untouched(), settings).problems) == 2
    assert {one.learner for one in book.submissions() if one.problem} == {"ada", "ben"}
    for one in (module, tasks):
        monkeypatch.setattr(one, "reader_digest", lambda: "of a newer course")
    grade_submissions([submission], book, reading, settings)
    assert reading.count == 2


def test_a_file_that_takes_too_long_to_read_is_refused_and_not_read_again(book, tmp_path, reading, monkeypatch):
    from course.grading.run import reading as reader

    def slow(content, name):
        raise TimeLimitReached

    monkeypatch.setattr(reader, "notebook_of", slow)
    (tmp_path / "ada.ipynb").write_text("{}")
    submission = Submission("ada", tmp_path / "ada.ipynb", handed_in=NOON)
    for _ in range(2):
        (problem,) = grade_submissions([submission], book, reading, gather_settings(book)).problems
        assert problem.startswith("ada: reading it takes over 30 s; ask for a notebook without cells")
    assert reading.count == 1


def test_a_file_for_which_a_machine_is_too_busy_is_read_once_more(pool, book, hand_in):
    class BusyReading(Untouched):
        asked = 0

        def submit(self, function, *arguments):
            self.asked += 1
            future = Future()
            future.set_exception(MachineBusy("too busy"))
            return future

        def recover(self, error):
            return False

    busy = BusyReading()
    (failure,) = grade_submissions([hand_in()], book, busy, gather_settings(book)).failures
    assert failure.endswith(": too busy") and busy.asked == 2
