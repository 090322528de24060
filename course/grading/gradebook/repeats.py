"""The same content seen again: the same hand-in, or an earlier version that the learner handed in once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def which_time(seen: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> int:
    """Which hand-in of this content was seen: 0 the first, 1 the next, ...; a number that no row has is a new one.

    `rows` are all of the learner's, `handed_in` texts that sort as times. A later time alone is not a new hand-in: a
    file that is copied or downloaded again gets one. Only where the learner handed in something else for the notebook
    in between, the content has come again.
    """
    same = sorted((row for row in rows if row["digest"] == seen["digest"]), key=lambda row: row["again"])
    moment = seen["handed_in"]
    if not same or moment is None:
        return 0
    times = [row["handed_in"] or "" for row in same]
    last = max((at for at, time in enumerate(times) if time <= moment), default=0)
    others = [
        row["handed_in"] for row in rows if row["digest"] != seen["digest"] and row["notebook"] == seen["notebook"]
    ]
    between = any(time is not None and times[last] <= time <= moment for time in others)
    is_new = between and last == len(same) - 1 and times[last] < moment
    return same[last]["again"] + is_new
