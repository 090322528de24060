"""Records of an investigation as learners might write them, for chapters whose baseline is a list of accuracies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Record = dict[str, Any]


def records(
    baseline: Sequence[float], samples: int, question: str
) -> tuple[dict[Callable[[], Record], str], list[Callable[[], Record]]]:
    """(wrong records, each with words of its card; right ones) for a chapter's `baseline` over so many `samples`."""

    def more_right(*counts: int) -> list[float]:
        """The first values of the baseline with so many more samples right, as printed."""
        pairs = zip(baseline, counts, strict=False)
        return [round((round(value * samples) + count) / samples, 3) for value, count in pairs]

    def record(**changes: Any) -> Record:
        written = {
            "question": question,
            "expected": "cannot tell",
            "baseline": list(baseline[:5]),
            "changed": more_right(3, 4, 3, 4, 3),
            "concluded": "better",
        }
        return {**written, **changes}

    def no_question():
        return record(question="wd 0.1")

    def three_seeds():
        return record(baseline=list(baseline[:3]), changed=list(baseline[1:4]))

    def in_per_cent():
        return record(changed=[value * 100 for value in baseline[:5]])

    def another_baseline():
        thirds = [round(count / samples, 3) for count in (samples // 3, samples // 3 - 2, samples // 3 + 1)]
        return record(baseline=[*thirds, *thirds[:2]])

    def nothing_changed():
        return record(changed=list(baseline[:5]), concluded="cannot tell")

    def concludes_from_the_means():
        return record(changed=more_right(6, -3, 4, -5, 0))

    def a_record_without_conclusion():
        return {key: value for key, value in record().items() if key != "concluded"}

    def an_honest_record():
        return record()

    def it_got_worse_over_all_seeds():
        changed = more_right(*(-4 - i % 3 for i in range(len(baseline))))
        return record(baseline=list(baseline), changed=changed, concluded="worse")

    wrong: dict[Callable[[], Record], str] = {
        no_question: "without its question",
        three_seeds: "fewer than 5 seeds",
        in_per_cent: f"a multiple of 1/{samples}",
        another_baseline: "the chapter's setting, unchanged",
        nothing_changed: "no effect on any run",
        concludes_from_the_means: "includes zero",
        a_record_without_conclusion: "no 'concluded'",
    }
    return wrong, [an_honest_record, it_got_worse_over_all_seeds]
