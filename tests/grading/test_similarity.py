"""Near-identical answers: what is found, what is too short or too common to tell anything, and how long it takes."""

import random
import subprocess
import sys
import time

import pytest

from course.grading.reports.similarity import fingerprints, normalised, similar_answers
from course.judging.answers import find_answers, read_notebook
from tests.conftest import ROOT

ONE_LINER = "def freeze(module):\n    for parameter in module.parameters():\n        parameter.requires_grad = False\n"


def program(seed, statements=8):
    """An answer that nobody else writes."""
    draw = random.Random(seed)
    lines = [f"def answer(x, y):\n    total = {draw.randint(0, 99)}"]
    forms = [
        "    for i in range({a}):\n        total += x[i] {op} {b}",
        "    if y.{name} {op} {a} > total:\n        total = torch.{name}(x, {b})",
        "    x = [part.{name}({a}) for part in x if part {op} {b}]",
        "    total = (total {op} y.{name}) * x.{name2}() + {a}",
        "    while total > {a}:\n        total -= len(y) {op} {b}",
    ]
    for _ in range(statements):
        lines.append(
            draw.choice(forms).format(
                a=draw.randint(0, 9),
                b=draw.randint(0, 9),
                op=draw.choice("+-*/%"),
                name=draw.choice(["mean", "sum", "shape", "size", "view", "clone", "norm", "item"]),
                name2=draw.choice(["exp", "log", "abs", "neg", "sin", "cos"]),
            )
        )
    return "\n".join([*lines, "    return total"])


def a_class(exercise="02-x", learners=30):
    return [(f"learner{number}", exercise, program(number)) for number in range(learners)]


def learners_of(groups):
    return [group.learners for group in groups]


def test_answers_written_by_thirty_people_make_no_group():
    assert similar_answers(a_class()) == []


def test_a_copy_with_other_names_comments_hints_and_docstring_is_found_as_identical():
    copy = program(7).replace("total", "result").replace("(x, y)", "(x: list[int], y: 'Any' = None)")
    copy = copy.replace(" = None", "").replace("\n", '\n    """Mine!"""  # all my own work\n', 1)
    copy = copy.replace("    result = ", "    result: int = ", 1)
    (group,) = similar_answers([*a_class(), ("copier", "02-x", copy)])
    assert group.learners == ("copier", "learner7")
    assert group.identical
    assert group.bits >= 64


def test_a_copy_with_a_line_added_is_found_as_nearly_identical():
    copy = program(777, 12).replace("    return", "    print(total)\n    return")
    (group,) = similar_answers([*a_class(), ("victim", "02-x", program(777, 12)), ("copier", "02-x", copy)])
    assert group.learners == ("copier", "victim")
    assert not group.identical
    assert 0.8 <= group.similarity < 1


def test_a_copy_of_which_half_was_rewritten_is_below_the_threshold():
    head = program(777, 14).splitlines()
    half = "\n".join([*head[: len(head) // 2], *program(999, 8).splitlines()[2:]])
    class_ = [*a_class(), ("victim", "02-x", program(777, 14)), ("copier", "02-x", half)]
    assert similar_answers(class_) == []
    assert learners_of(similar_answers(class_, threshold=0.3)) == [("copier", "victim")]


def test_the_one_liner_that_most_of_the_class_writes_is_not_reported():
    answers = [(f"learner{number}", "02-x", ONE_LINER) for number in range(20)]
    assert similar_answers([*answers, *a_class()]) == []


def test_a_short_answer_that_two_of_thirty_write_is_not_reported():
    assert similar_answers([*a_class(), ("a", "02-x", ONE_LINER), ("b", "02-x", ONE_LINER)]) == []


def test_a_long_answer_that_two_thirds_of_the_class_have_is_the_obvious_one():
    common = [(f"same{number}", "02-x", program("same")) for number in range(60)]
    assert similar_answers([*a_class(), *common]) == []


def test_a_ring_of_six_in_thirty_is_one_group():
    ring = [(f"ring{number}", "02-x", program(7).replace("total", f"name{number}")) for number in range(5)]
    assert learners_of(similar_answers([*a_class(), *ring])) == [
        ("learner7", *(f"ring{number}" for number in range(5)))
    ]


def test_what_the_reference_solution_has_too_is_no_evidence():
    class_ = [*a_class(), ("copier", "02-x", program(7))]
    assert similar_answers(class_)
    assert similar_answers(class_, references={"02-x": program(7).replace("total", "sum_")}) == []


def test_two_learners_with_the_same_answers_to_different_exercises_are_not_compared():
    assert similar_answers([("a", "02-x", program(1)), ("b", "02-y", program(1)), *a_class("02-z")]) == []


def test_the_last_answer_of_a_learner_counts_and_nobody_is_similar_to_himself():
    answers = [*a_class(), ("learner7", "02-x", program(7)), ("copier", "02-x", program(7))]
    assert similar_answers([*answers, ("copier", "02-x", program(500))]) == []


def test_what_an_expression_does_is_not_normalised_away():
    assert normalised("def f(a, b): return a - b") == normalised("def g(x, y): return x - y")
    for other in ("b - a", "a + b", "a - b - 1", "a.b", "f(a - b)", "a - 2", "torch.sub(a, b)"):
        assert normalised("def f(a, b): return a - b") != normalised(f"def f(a, b): return {other}")
    assert normalised("def f(lr): return SGD(lr=lr)") == normalised("def f(rate): return SGD(lr=rate)")
    assert normalised("def f(lr): return SGD(lr=lr)") != normalised("def f(rate): return SGD(rate=rate)")
    assert normalised("def f(data): return x.data") == normalised("def f(y): return x.data")


@pytest.mark.parametrize(
    "source",
    ["", "def f(:", "\x00", "\ud800", "'\\ud800'", "x = " + "(" * 5_000, "x = " + "-" * 50_000 + "1", "x\n" * 60_000],
    ids=["empty", "syntax", "nul", "surrogate", "escaped", "brackets", "deep", "long"],
)
def test_no_source_breaks_it(source):
    assert similar_answers([(name, "02-x", source) for name in "abcdefgh"]) == []


def test_deep_trees_and_huge_numbers_are_walked_without_recursion():
    assert len(normalised("x = 1" + " + 1" * 2_000)) > 4_000
    assert normalised("x = 0x" + "f" * 20_000)


def test_fingerprints_are_the_same_in_every_process():
    code = (
        "from course.grading.reports.similarity import fingerprints, normalised\n"
        f"print(sorted(fingerprints(normalised({ONE_LINER!r}))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": "7"}, cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == f"{sorted(fingerprints(normalised(ONE_LINER)))}\n", done.stderr


def test_no_solution_of_the_course_is_so_long_that_writing_it_twice_is_suspicious_beside_the_reference():
    answers = [answer for path in (ROOT / "solutions").glob("*.ipynb") for answer in find_answers(read_notebook(path))]
    class_ = [(name, answer.exercise.id, answer.source) for name in "ab" for answer in answers]
    assert len(class_) > 20
    assert similar_answers(class_, references={answer.exercise.id: answer.source for answer in answers}) == []


def seconds_for(learners):
    answers = [(f"learner{number}", "02-x", program(f"many {number % (learners - 5)}")) for number in range(learners)]
    start = time.process_time()
    groups = similar_answers(answers)
    seconds = time.process_time() - start
    assert [len(group.learners) for group in groups] == [2] * 5
    return seconds


def test_time_grows_with_the_class_and_not_with_its_square():
    few, many = seconds_for(250), seconds_for(2_000)
    print(f"{few:.2f} s for 250 answers, {many:.2f} s for 2,000")
    assert many < 24 * few  # 8 times as many; all pairs would be 64 times
