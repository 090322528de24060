"""The record of an open investigation: what a learner expected, measured and concluded.

The answer returns a record; `BASELINE` names the chapter's own setting, measured with seeds 0, 1, 2, ...

    def investigation():
        return {
            "question": "does mirroring the pictures raise the accuracy?",
            "expected": "better",                # before measuring: "better", "worse" or "cannot tell"
            "baseline": [0.55, 0.53, ...],       # the chapter's setting, one accuracy per seed
            "changed": [0.56, 0.55, ...],        # yours, with the same seeds
            "concluded": "cannot tell",          # from the paired 95 % interval of changed - baseline
        }
"""

from __future__ import annotations

from typing import Any

from course.judging import Unusable, need

KEYS = ("question", "expected", "baseline", "changed", "concluded")


def read_record(answer: Any) -> dict[str, Any]:
    """The record that the answer returns, as plain data; runs beside the answer."""
    record = need(answer(), dict, f"a dict with the keys {', '.join(KEYS)}")
    missing = [key for key in KEYS if key not in record]
    if missing:
        raise Unusable(f"your record has no {' and no '.join(map(repr, missing))}; its keys are {', '.join(KEYS)}")
    measured = {}
    for name in ("baseline", "changed"):
        try:
            measured[name] = [float(value) for value in record[name]]
        except (TypeError, ValueError) as error:
            raise Unusable(f"your record's {name!r} is not a list of numbers, one for each seed") from error
    return {**{key: str(record[key]) for key in ("question", "expected", "concluded")}, **measured}
