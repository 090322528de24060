"""An open investigation: what a learner expected, measured and concluded, judged by the numbers alone.

`judge_record` gives an exercise its three judges; `investigation_record` reads a record, and shows what it looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course.judging import Wrong, expect
from course.judging.exercise import Case, Exercise
from course.training.intervals import Interval

OUTCOMES = ("better", "worse", "cannot tell")
MIN_SEEDS = 5


def judge_record(
    exercise: Exercise,
    case: Case,
    *,
    known: Sequence[float],
    tolerance: float,
    samples: int | None = None,
    points: tuple[int, int, int] = (1, 2, 1),
) -> None:
    """Add the judges of the plan, of the measurements and of the conclusion to the exercise, worth `points`.

    For the rest, see `judge_measurements`.
    """

    @exercise.judge(case, points=points[0])
    def a_question_and_enough_seeds(case: dict[str, Any], result: dict[str, Any]) -> None:
        """The record has a question, an expectation, and the same five or more seeds for both settings."""
        judge_plan(result)

    @exercise.judge(case, points=points[1])
    def both_settings_were_measured(case: dict[str, Any], result: dict[str, Any]) -> None:
        """The numbers can be scores on the validation data, and the baseline is the chapter's own setting."""
        judge_measurements(result, known=known, tolerance=tolerance, samples=samples)

    @exercise.judge(case, points=points[2])
    def the_conclusion_follows(case: dict[str, Any], result: dict[str, Any]) -> None:
        """The conclusion is what the paired interval of the recorded numbers says."""
        judge_conclusion(result)


def judge_plan(record: dict[str, Any]) -> None:
    """Raise Wrong unless there is a question, an expectation, and enough seeds, the same number on both sides."""
    expect(
        len(record["question"].split()) >= 4,
        tried="reading the question",
        got=record["question"] or "nothing",
        expected="what you changed and what you asked, in a sentence",
        because="a record without its question can't be used by anybody, you included, a month later",
    )
    for key in ("expected", "concluded"):
        expect(
            record[key] in OUTCOMES,
            tried=f"reading {key!r}",
            got=record[key],
            expected=f"one of {', '.join(OUTCOMES)}",
            because="one of three words, so that expectation and conclusion can be compared",
        )
    sizes = {name: len(record[name]) for name in ("baseline", "changed")}
    expect(
        len(set(sizes.values())) == 1,
        tried="pairing the runs by seed",
        got=f"{sizes['baseline']} and {sizes['changed']} of them",
        expected="as many of either, with the same seeds in the same order",
        because="a paired comparison needs the same seeds in both settings",
    )
    expect(
        sizes["baseline"] >= MIN_SEEDS,
        tried="counting the seeds",
        got=sizes["baseline"],
        expected=f"{MIN_SEEDS} or more",
        because=f"with fewer than {MIN_SEEDS} seeds the interval is too wide to show any but a huge effect",
    )


def judge_measurements(
    record: dict[str, Any], *, known: Sequence[float], tolerance: float, samples: int | None = None
) -> None:
    """Raise Wrong unless the values can be scores, and the baseline agrees with `known`.

    `known` are the chapter's own values for seeds 0, 1, 2, ...; another machine may be `tolerance` off in each.
    With `samples`, the scores are accuracies over so many samples, of which few values are possible.
    """
    judge_plan(record)
    expected, because = "a score between 0 and 1", "copy the numbers as the workbench prints them"
    if samples is not None:
        expected = f"a whole number of right answers divided by {samples}, to three digits or more"
        because = f"an accuracy over {samples} samples is a multiple of 1/{samples}; copy the numbers as printed"
    for name in ("baseline", "changed"):
        for seed, value in enumerate(record[name]):
            possible = samples is None or abs(value * samples - round(value * samples)) <= max(0.02, samples * 6e-4)
            tried = f"reading {name!r}, seed {seed}"
            expect(0 <= value <= 1 and possible, tried=tried, got=value, expected=expected, because=because)
    shared = list(enumerate(zip(record["baseline"], known, strict=False)))
    off = [(seed, value, target) for seed, (value, target) in shared if abs(value - target) > tolerance]
    if off:
        seed, value, target = off[0]
        raise Wrong(
            tried=f"comparing the baseline with the chapter's own runs, seed {seed}",
            got=value,
            expected=f"about {target:.3f}",
            because="the baseline is the chapter's setting, unchanged, with seeds 0, 1, 2, ... in this order",
        )
    expect(
        record["baseline"] != record["changed"],
        tried="comparing the two settings",
        got="the same score for every seed",
        expected="at least one that differs",
        because="your change had no effect on any run: check that it reached the training at all",
    )


def judge_conclusion(record: dict[str, Any], *, higher_is_better: bool = True) -> None:
    """Raise Wrong unless the conclusion is what the paired interval of the recorded values says."""
    judge_plan(record)
    differences = [b - a for a, b in zip(record["baseline"], record["changed"], strict=True)]
    interval = Interval.of(differences if higher_is_better else [-one for one in differences])
    said = f"changed - baseline is {interval.mean:+.3f}, 95 % interval {interval.low:+.3f} to {interval.high:+.3f}"
    supported = "better" if interval.low > 0 else "worse" if interval.high < 0 else "cannot tell"
    if record["concluded"] == supported:
        return
    unpaired = [Interval.of(record[name]) for name in ("baseline", "changed")]
    overlap = unpaired[0].low <= unpaired[1].high and unpaired[1].low <= unpaired[0].high
    if supported == "cannot tell":
        because = "the interval includes zero, so these runs don't show which is better, whichever mean is higher"
    elif record["concluded"] == "cannot tell" and overlap:
        because = "the two intervals overlap, but runs with one seed belong together: their differences decide"
    else:
        because = "the conclusion is read from the interval of the differences, not from the expectation"
    raise Wrong(
        tried="deriving the conclusion from your numbers",
        got=record["concluded"],
        expected=f"{supported} ({said})",
        because=because,
    )


def judge_runs(record: dict[str, Any]) -> None:
    """Raise Wrong if one score is repeated for every seed of a setting."""
    judge_plan(record)
    for name in ("baseline", "changed"):
        expect(
            len(set(record[name])) > 1,
            tried=f"reading {name!r}",
            got=f"{record[name][0]} for every seed",
            expected="one score per seed",
            because="each seed draws other data and other first weights, so the scores vary",
        )
