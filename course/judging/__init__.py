"""Exercises judged away from the answer: a probe runs beside it, a judge decides on what came back.

wire      plain data and tensors to bytes and back: JSON and safetensors, never a pickle
exercise  what an exercise is: cases drawn outside, one probe, several judges worth points
expectations  what judges say: what was tried, what came back, what was expected, which misconception
results   what comes of an answer, as plain data
student   where the answer lives: `LocalStudent` runs the probe in this process
timelimit a limit that an endless loop cannot escape
surroundings  what a learner's code runs in, and that nothing of it stays
verdict   an exercise and a student to a result with points
answers   the answers in a notebook, read as data
definitions  a notebook's definitions, executed without its experiments
card      a result as HTML or plain text
checking  `check`, `hint`, `check_notebook`
overview  `progress`
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "check": "checking",
    "check_notebook": "checking",
    "hint": "checking",
    "progress": "overview",
    "Exercise": "exercise",
    "find_exercise": "exercise",
    "exercises_of": "exercise",
    "LocalStudent": "student",
    "judge": "verdict",
    "Wrong": "expectations",
    "Unusable": "expectations",
    "expect": "expectations",
    "expect_equal": "expectations",
    "expect_close": "expectations",
    "need": "expectations",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'course.judging' has no attribute {name!r}")
    return getattr(importlib.import_module(f"course.judging.{_HOME[name]}"), name)
