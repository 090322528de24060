"""A worker reads notebooks as data, proves that it grades rightly before it does, and never scores a fault of ours."""

import json
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import torch

from course.errors import CanaryFailed
from course.grading.digests import judges_digest, seed_digest
from course.grading.grades import ERROR, GRADED, MACHINERY, NOT_ATTEMPTED
from course.grading.run import reading, worker
from course.grading.run.queue import grade_notebook
from course.grading.run.reading import read_attempts
from course.grading.run.worker import Machine
from course.grading.sandbox.runner import MachineryFailure
from course.grading.work import TRIES, Attempt, Settings
from course.judging import wire
from course.judging.dependencies import Plan
from course.judging.exercise import exercises_of, find_exercise, hidden_judges, notebook_numbers
from course.judging.runner import LocalRunner
from tests.conftest import ROOT, needs_program

SOLVED = (ROOT / "solutions" / "02_freeze_the_backbone.ipynb").read_bytes()
RELEASED = (ROOT / "notebooks" / "02_freeze_the_backbone.ipynb").read_bytes()
EXERCISES = [exercise.id for exercise in exercises_of("02")]
FREEZE = "02-freeze-backbone"
RIGHT = "def freeze(module):\n    module.requires_grad_(False)\n    return module\n"


def notebook(*cells):
    """A notebook of code cells: sources, or (id, source)."""
    pairs = [cell if isinstance(cell, tuple) else (None, cell) for cell in cells]
    content = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": source, **({"id": name} if name else {})}
        for name, source in pairs
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": content}).encode()


# Reading


def test_every_exercise_of_a_notebook_is_read_once_in_order():
    reading = read_attempts(SOLVED)
    assert (reading.notebook, reading.problem) == ("02", "")
    assert [attempt.exercise for attempt in reading.attempts] == EXERCISES
    for attempt in reading.attempts:
        exercise = find_exercise(attempt.exercise)
        assert attempt.points == exercise.points and f"def {exercise.answer}(" in attempt.source
        assert attempt.problem == "" and attempt.notes == ()
        assert any(one.cell == attempt.source for one in attempt.plan.needed), "the answer itself is executed"


def test_an_attempt_brings_what_the_answer_needs_and_no_experiment():
    cells = (
        "import math\nLIMIT = 3\nprint('an experiment')\nraise SystemExit",
        "def helper(module):\n    return math.floor(LIMIT)",
        (FREEZE, "def freeze(module):\n    helper(module)"),
    )
    attempt = read_attempts(notebook(*cells)).attempts[0]
    places = [(one.cell, one.index) for one in attempt.plan.needed]
    executed = [cell.split("\n")[index] if cell == cells[0] else cell for cell, index in places]
    assert {"import math", "LIMIT = 3", cells[1], cells[2][1]} <= set(executed)
    assert not any("experiment" in line or "SystemExit" in line for line in executed)


def test_a_released_notebook_is_not_attempted_anywhere():
    reading = read_attempts(RELEASED)
    assert [attempt.exercise for attempt in reading.attempts] == EXERCISES
    assert all(attempt.plan == Plan() and not attempt.problem and attempt.source for attempt in reading.attempts)


def test_an_exercise_that_no_cell_holds_is_there_and_says_so():
    reading = read_attempts(notebook((FREEZE, RIGHT)))
    assert [attempt.exercise for attempt in reading.attempts] == EXERCISES
    assert [bool(attempt.plan.needed) for attempt in reading.attempts] == [one == FREEZE for one in EXERCISES]
    missing = [attempt for attempt in reading.attempts if attempt.exercise != FREEZE]
    assert all(attempt.notes == ("no cell holds this exercise",) and attempt.source == "" for attempt in missing)


def test_a_cell_with_a_syntax_error_has_a_problem_and_the_others_none():
    reading = read_attempts(
        notebook((FREEZE, "def freeze(module)\n    pass"), ("02-set-train-mode", "def set_train(m):\n    1"))
    )
    problems = {attempt.exercise: attempt.problem for attempt in reading.attempts}
    assert "line 1 is not valid Python" in problems[FREEZE] and problems["02-set-train-mode"] == ""


def test_of_copied_cells_the_last_counts_and_the_learner_is_told():
    attempt = read_attempts(notebook((FREEZE, "def freeze(m):\n    1"), (FREEZE, RIGHT))).attempts[0]
    assert attempt.source == RIGHT and attempt.notes == ("2 cells hold this exercise; the last one counts",)


def test_the_number_of_a_notebook_that_was_asked_for_is_enough():
    reading = read_attempts(notebook("x = 1"), "02")
    assert [attempt.exercise for attempt in reading.attempts] == EXERCISES
    assert all(not attempt.plan.needed for attempt in reading.attempts)


def test_a_notebook_of_another_chapter_is_not_taken_for_the_one_asked_for():
    assert read_attempts(SOLVED, "03") == read_attempts(SOLVED)
    assert {attempt.exercise for attempt in read_attempts(notebook("x = 1"), "03").attempts} == {
        e.id for e in exercises_of("03")
    }


def test_a_container_for_one_notebook_grades_no_other():
    reading, grades = grade_notebook(SOLVED, Settings("a", level="trusted"), notebook="03")
    assert (reading.problem, grades) == ("this is notebook 02, and 03 was asked for; hand in that one", [])


@pytest.mark.parametrize("encode", [lambda text: b"\xef\xbb\xbf" + text.encode(), lambda text: text.encode("utf-16")])
def test_a_notebook_in_another_encoding_is_read(encode):
    assert read_attempts(encode(notebook((FREEZE, RIGHT)).decode())).attempts[0].source == RIGHT


def test_a_notebook_of_format_3_is_read():
    cells = [{"cell_type": "code", "input": f"# exercise: {FREEZE}\n{RIGHT}", "metadata": {}, "outputs": []}]
    content = json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]}).encode()
    assert read_attempts(content).attempts[0].plan.needed


UNREADABLE = {
    "nothing": b"",
    "no JSON": b"print('hello')",
    "cut off": SOLVED[: len(SOLVED) // 2],
    "a list": b"[]",
    "a number": b"42",
    "null": b"null",
    "no cells": b"{}",
    "cells that are none": b'{"cells": 3}',
    "a cell that is none": b'{"cells": [3]}',
    "deep": b"[" * 100_000,
    "deep, with cells": b'{"cells": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a zip": b"PK\x03\x04" + bytes(range(256)),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_no_notebook_has_a_problem_that_says_what_to_do(content):
    reading = read_attempts(content)
    assert reading.attempts == ()
    assert any(word in reading.problem for word in ("save it", "save the notebook", "export it again", "ask for"))


ODD = {
    "a source that is a number": {"source": 7},
    "a source that is null": {"source": None},
    "lines that are numbers": {"source": [1, 2]},
    "no source": {},
    "metadata that is a list": {"source": RIGHT, "metadata": [1]},
    "an id that is a list": {"source": RIGHT, "id": ["x"]},
    "nbgrader metadata that is a text": {"source": RIGHT, "metadata": {"nbgrader": "x"}},
    "a grade id that is a dict": {"source": RIGHT, "metadata": {"nbgrader": {"grade_id": {}}}},
    "NUL in the source": {"source": "x = 1\0"},
    "lone surrogates": {"source": "x = '\ud800'"},
    "deep brackets": {"source": "(" * 5_000 + ")" * 5_000},
    "deep operators": {"source": "x = " + "-" * 50_000 + "1"},
    "deep attributes": {"source": "x" + ".a" * 50_000},
    "deep blocks": {"source": "".join(" " * i + "if x:\n" for i in range(150)) + " " * 150 + "pass"},
    "a number of many digits": {"source": "x = " + "9" * 50_000},
    "many spaces in no Python": {"source": "x = (\n" + " " * 100_000 + "\n"},
    "many words in no Python": {"source": "x = (\n" + "a, " * 50_000 + "\n"},
    "a million lines": {"source": "\n" * 150_000},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_an_odd_cell_spoils_no_other(odd):
    book = json.loads(notebook((FREEZE, RIGHT)))
    book["cells"].append({"cell_type": "code", **odd})
    reading = read_attempts(json.dumps(book).encode())
    if "ask for" not in reading.problem and "save it" not in reading.problem:
        assert reading.attempts[0].exercise == FREEZE and reading.attempts[0].source == RIGHT


def test_reading_ends_in_time(monkeypatch):
    def endless(cells):
        while True:
            pass

    monkeypatch.setattr(reading, "READ_LIMIT_S", 0.2)
    monkeypatch.setattr(reading, "find_answers", endless)
    assert read_attempts(SOLVED).problem


def test_nothing_of_a_notebook_is_run_by_reading_it(tmp_path):
    mark = tmp_path / "mark"
    cell = f"open({str(mark)!r}, 'w').close()\n{RIGHT}"
    read_attempts(notebook(cell, (FREEZE, cell), f"!touch {mark}"))
    assert not mark.exists()


# Grading. Most of it in this process, as an answer that is trusted runs where there is no Linux.

HIDDEN = """
import os, torch
from course.exercises import small_models
from course.exercises.nb02_freeze_the_backbone import freeze_backbone, training_cases
from course.judging import expect

@freeze_backbone.exercise.case
def secret_case(rng):
    if os.environ.get("COURSE_TEST_BROKEN_CASE"):
        raise ZeroDivisionError("in a case of ours")
    return training_cases.training_case("vit", rng)

@freeze_backbone.exercise.hidden_judge(secret_case, points=5)
def a_transformer(case, result):
    '''It works on another architecture.'''
    before, after = result["before"], result["after"]
    expect(not any((before[name] != after[name]).any() for name in before if name.startswith(case["frozen"] + ".")),
           tried="the hidden 7351", got="7351", expected="none")
"""


@pytest.fixture
def settings():
    return Settings("a secret", "trusted", (("nb02_hidden.py", HIDDEN),), (("02", SOLVED),))


@pytest.fixture
def machine_of(monkeypatch):
    monkeypatch.setattr(worker.sys, "platform", "darwin")
    return Machine


def graded(machine, source=RIGHT, *, submission="submission", judges="", **changes):
    attempt = read_attempts(notebook((FREEZE, source))).attempts[0]
    judges = judges or judges_digest("02", machine.settings.hidden)
    return machine.grade_attempt(submission, replace(attempt, **changes), judges)


def test_a_grade_says_all_about_itself(settings, machine_of):
    machine = machine_of(settings)
    before = datetime.now(UTC)
    grade = graded(machine)
    assert (grade.status, grade.score, grade.points) == (GRADED, 8, 8)
    assert [(outcome.hidden, outcome.passed) for outcome in grade.outcomes] == [(False, True)] * 2 + [(True, True)]
    assert (grade.submission, grade.exercise, grade.source) == ("submission", FREEZE, RIGHT)
    assert grade.judges == judges_digest("02", settings.hidden)
    assert grade.isolation == "trusted" and grade.machine and grade.seconds > 0
    assert before <= grade.graded_at <= datetime.now(UTC) + timedelta(seconds=1)
    assert settings.secret not in repr(grade)


def test_what_was_not_attempted_or_cannot_be_read_scores_nothing_of_all_points(settings, machine_of):
    machine = machine_of(settings)
    grades = [graded(machine, plan=Plan()), graded(machine, problem="line 1 is not valid Python")]
    assert [grade.status for grade in grades] == [NOT_ATTEMPTED, ERROR]
    assert [(grade.score, grade.points, len(grade.outcomes)) for grade in grades] == [(0, 8, 3)] * 2
    assert grades[1].failure.message == "line 1 is not valid Python"


def test_notes_on_how_an_answer_was_found_stay_with_its_grade(settings, machine_of):
    assert graded(machine_of(settings), notes=("2 cells",)).notes == ("2 cells",)


FAILS_HIDDEN = """def freeze(module):
    kinds = {type(part).__name__ for part in module.modules()}
    if "LayerNorm" in kinds:
        print("7351 the hidden case", kinds)
        raise ValueError("7351 the hidden case")
    module.requires_grad_(False)
"""


@pytest.mark.parametrize("source", [FAILS_HIDDEN, FAILS_HIDDEN.replace("raise ValueError", "return str"),
                                    FAILS_HIDDEN.replace("raise ValueError", "exit")])  # fmt: skip
def test_failing_a_hidden_judge_costs_its_points_and_tells_nothing(settings, machine_of, source):
    grade = graded(machine_of(settings), source)
    assert (grade.status, grade.score, grade.points) == (GRADED, 3, 8)
    assert [outcome.passed for outcome in grade.outcomes] == [True, True, False]
    shown = [outcome for outcome in grade.outcomes if not outcome.hidden]
    assert "7351" not in f"{shown} {grade.failure} {grade.printed} {grade.notes}"


class Recording(LocalRunner):
    """As the runner that it stands for; keeps what it was asked."""

    asked: list = []  # noqa: RUF012  of all of them

    def run(self, exercise, cases, seed=0):
        self.asked.append((seed, tuple(cases)))
        return super().run(exercise, cases, seed)


def test_the_inputs_of_a_submission_are_its_own_and_the_same_each_time(settings, machine_of, monkeypatch):
    monkeypatch.setattr(worker, "LocalRunner", Recording)
    Recording.asked = []
    machine = machine_of(settings)
    machine._proved.add("02")
    other = machine_of(replace(settings, secret="another secret"))
    other._proved.add("02")
    grades = [graded(machine), graded(machine), graded(machine, submission="another"), graded(other)]
    seeds = [grade.seed for grade in grades]
    assert seeds[0] == seeds[1] == seed_digest("a secret", "submission") and len(set(seeds)) == 3
    first, again, another, elsewhere = ([wire.decode(case)["x"] for case in cases] for _, cases in Recording.asked)
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, another)) and not any(map(torch.equal, first, elsewhere))
    assert Recording.asked[0][0] == Recording.asked[1][0] != Recording.asked[2][0]


def test_a_seed_tells_neither_the_secret_nor_another_seed():
    seeds = {seed_digest(secret, name) for secret in ("a", "b") for name in ("x", "y", "z")}
    assert len(seeds) == 6 and {len(seed) for seed in seeds} == {64}


OLD = "from course import zoo\nfrom course.overlap import VOID\n"
USES_OLD = """def freeze(module):
    from course.claims import HOLDS
    assert (zoo.UNSTATED, VOID, HOLDS) == ("not stated", 255, "holds: ")
    module.requires_grad_(False)
"""


@pytest.mark.parametrize("cells", [(OLD, (FREEZE, USES_OLD)), ((FREEZE, OLD + USES_OLD),)], ids=["apart", "together"])
def test_imports_from_where_the_course_had_something_before_count_and_are_named(settings, machine_of, cells):
    attempt = read_attempts(notebook(*cells)).attempts[0]
    grade = machine_of(settings).grade_attempt("submission", attempt, "judges")
    assert (grade.status, grade.score) == (GRADED, 8), grade
    assert [note.split(";")[0] for note in grade.notes] == [
        "`course.zoo` is now `course.zoo.published`",
        "`course.overlap` is now `course.applications.iou`",
        "`course.claims` is now `course.notebook.claims`",
    ]
    assert all("your import still counted, but Jupyter needs `from course." in note for note in grade.notes)


def test_an_import_by_name_from_an_old_place_fails_and_the_message_says_where_it_is(settings, machine_of):
    source = "import importlib\ndef freeze(module):\n    importlib.import_module('course.plots').show()\n"
    grade = graded(machine_of(settings), source)
    assert grade.score == 0
    assert "`course.plots` is now `course.notebook.plots`" in grade.failure.message


# What goes wrong on our side


def test_a_judge_that_fails_the_reference_stops_the_machine_before_anything_is_graded(
    settings, machine_of, monkeypatch
):
    broken = HIDDEN.replace("    expect(not any", "    1 / 0\n    expect(not any")
    machine = machine_of(replace(settings, hidden=(("nb02_hidden.py", broken),)))
    monkeypatch.setattr(worker, "LocalRunner", Recording)
    Recording.asked = []
    for tries in (1, 2):  # and the next exercise is not graded either
        with pytest.raises(CanaryFailed, match=f"the reference solution of {FREEZE} does not get full marks") as caught:
            graded(machine, "def freeze(module):\n    print('graded')")
        assert "ZeroDivisionError" in str(caught.value) and len(Recording.asked) == tries


def test_a_reference_that_is_wrong_stops_the_machine_too(settings, machine_of):
    wrong = SOLVED.replace(b"requires_grad_(False)", b"requires_grad_(True)")
    assert wrong != SOLVED
    with pytest.raises(CanaryFailed, match="nothing is graded there"):
        graded(machine_of(replace(settings, canary=(("02", wrong),))))


def test_a_case_of_ours_that_breaks_is_tried_again_and_never_scored(settings, machine_of, monkeypatch):
    machine = machine_of(settings)
    machine._prove("02")
    monkeypatch.setenv("COURSE_TEST_BROKEN_CASE", "1")
    grade = graded(machine)
    assert (grade.status, grade.score, grade.outcomes, grade.failure) == (MACHINERY, None, (), None)
    assert grade.points == 8
    assert grade.notes == ("ZeroDivisionError: in a case of ours",) * TRIES
    monkeypatch.delenv("COURSE_TEST_BROKEN_CASE")
    assert graded(machine).score == 8


class Breaking:
    """A runner behind a sandbox that fails so often before it works."""

    left = 0
    restarts = 0

    def __init__(self, sandbox, statements, total_s=1.0):
        self.local = LocalRunner(worker.execute(statements).namespace)

    def run(self, exercise, cases, seed=0):
        if Breaking.left > 0:
            Breaking.left -= 1
            raise MachineryFailure("the warm process is gone")
        return self.local.run(exercise, cases, seed)

    def restart(self):
        Breaking.restarts += 1


@pytest.mark.parametrize(
    ("failures", "status", "score"), [(1, GRADED, 8), (TRIES - 1, GRADED, 8), (9, MACHINERY, None)]
)
def test_a_sandbox_that_fails_is_started_again(settings, machine_of, monkeypatch, failures, status, score):
    machine = machine_of(settings)
    machine._prove("02")
    monkeypatch.setattr(worker, "SandboxedRunner", Breaking)
    monkeypatch.setattr(Breaking, "left", failures)
    monkeypatch.setattr(Breaking, "restarts", 0)
    machine._sandbox = Breaking(None, [])
    grade = graded(machine)
    assert (grade.status, grade.score) == (status, score)
    assert Breaking.restarts == min(failures, TRIES)
    assert grade.notes == (() if score else ("MachineryFailure: the warm process is gone",) * TRIES)


def test_a_thread_has_one_machine_and_closes_it_for_other_settings(settings, monkeypatch):
    made, closed = [], []

    class Stub:
        def __init__(self, settings):
            made.append((threading.get_ident(), settings.secret))

        def close(self):
            closed.append(made[-1])

    monkeypatch.setattr(worker, "Machine", Stub)
    monkeypatch.setattr(worker, "_here", threading.local())
    first = worker._machine(settings)
    assert worker._machine(settings) is first and closed == []
    thread = threading.Thread(target=lambda: worker._machine(settings))
    thread.start()
    thread.join()
    assert len(made) == 2
    assert worker._machine(replace(settings, secret="b")) is not first and len(closed) == 1


def test_no_hidden_case_has_the_name_of_another_of_its_exercise():
    """Cases are told apart by name: a hidden one would stand in the place of a visible one, and be shown."""
    hidden = hidden_judges(ROOT / "solutions" / "hidden")
    for number in notebook_numbers():
        for exercise in exercises_of(number):
            judges = [*exercise.judges, *(judge for judge in hidden if judge.exercise_id == exercise.id)]
            assert len({judge.case.name for judge in judges}) == len({id(judge.case) for judge in judges}), exercise.id


@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
def test_behind_the_sandbox_the_reference_gets_full_marks_and_hidden_inputs_stay_there():
    needs_program("bwrap")
    settings = Settings("a secret", "sandbox", (("nb02_hidden.py", HIDDEN),), (("02", SOLVED),))
    machine = Machine(settings)
    try:
        grades = [
            machine.grade_attempt("s", attempt, judges_digest("02", settings.hidden))
            for attempt in read_attempts(SOLVED).attempts
        ]
        assert [grade.exercise for grade in grades] == EXERCISES
        assert all(grade.status == GRADED and grade.score == grade.points for grade in grades)
        assert {grade.isolation for grade in grades} == {"sandbox"}
        here = graded(machine, FAILS_HIDDEN)
        assert (here.score, here.points, here.failure, here.printed) == (3, 8, None, "")
        missing = machine.grade_attempt("s", Attempt(FREEZE, 3.0), judges_digest("02", settings.hidden))
        assert (missing.status, missing.score, missing.points) == (NOT_ATTEMPTED, 0, 8)
    finally:
        machine.close()
