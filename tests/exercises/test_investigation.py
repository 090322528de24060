"""The judges of an open investigation, on records that a learner might write."""

import pytest

from course.exercises.investigation import judge_conclusion, judge_measurements, judge_plan, judge_runs
from course.exercises.investigation_record import read_record
from course.judging import Unusable, Wrong

KNOWN = [0.50, 0.52, 0.48, 0.51, 0.49]


def record(**changes):
    written = {
        "question": "does mirroring the pictures raise the accuracy?",
        "expected": "better",
        "baseline": KNOWN,
        "changed": [0.55, 0.56, 0.53, 0.57, 0.53],
        "concluded": "better",
    }
    return read_record(lambda: {**written, **changes})


def judge(written):
    judge_plan(written)
    judge_measurements(written, samples=100, known=KNOWN, tolerance=0.05)
    judge_conclusion(written)


def test_an_honest_record_passes_whatever_was_found():
    judge(record())
    judge(record(changed=[0.45, 0.46, 0.43, 0.47, 0.43], concluded="worse"))
    judge(record(changed=[0.52, 0.50, 0.49, 0.52, 0.47], concluded="cannot tell", expected="worse"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"question": "lr"}, "without its question"),
        ({"expected": "no idea"}, "one of three words"),
        ({"changed": [0.5] * 4}, "same seeds in both"),
        ({"baseline": KNOWN[:3], "changed": KNOWN[2:]}, "fewer than 5 seeds"),
        ({"changed": [0.555, 0.56, 0.53, 0.57, 0.53]}, "a multiple of 1/100"),
        ({"changed": [55, 56, 53, 57, 53]}, "a multiple of 1/100"),
        ({"baseline": [0.7, *KNOWN[1:]]}, "the chapter's setting, unchanged"),
        ({"changed": KNOWN}, "no effect on any run"),
        ({"changed": [0.52, 0.50, 0.49, 0.52, 0.47]}, "includes zero"),
        ({"concluded": "worse"}, "interval of the differences"),
    ],
)
def test_a_record_that_does_not_support_itself_is_named(changes, words):
    with pytest.raises(Wrong, match=words):
        judge(record(**changes))


def test_scores_that_are_no_accuracies_need_only_lie_between_0_and_1():
    judge_measurements(record(changed=[0.5553, 0.56, 0.53, 0.57, 0.53]), known=KNOWN, tolerance=0.05)
    with pytest.raises(Wrong, match="a score between 0 and 1"):
        judge_measurements(record(changed=[55, 56, 53, 57, 53]), known=KNOWN, tolerance=0.05)


def test_one_score_for_all_seeds_is_not_a_run_for_each():
    judge_runs(record())
    with pytest.raises(Wrong, match="for every seed"):
        judge_runs(record(changed=[0.55] * 5))


def test_overlapping_intervals_are_not_a_reason_for_cannot_tell():
    spread = [0.30, 0.60, 0.40, 0.55, 0.45]
    written = record(baseline=spread, changed=[value + 0.04 for value in spread[:4]] + [0.50], concluded="cannot tell")
    with pytest.raises(Wrong, match="two intervals overlap"):
        judge_conclusion(written)


@pytest.mark.parametrize("changes", [{"baseline": "0.5"}, {"changed": None}])
def test_values_that_are_no_numbers_cannot_be_examined(changes):
    with pytest.raises(Unusable, match="not a list of numbers"):
        record(**changes)
    with pytest.raises(Unusable, match="has no 'concluded'"):
        read_record(lambda: {"question": "", "expected": "", "baseline": [], "changed": []})
