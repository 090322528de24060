"""Minutes that `pytest --slow` takes: every attack and mutant, both folders of notebooks twice, stored tables again."""

from __future__ import annotations

from tests.benchmarks import Figure, suite_time


def measure(*arguments: str) -> Figure:
    return suite_time.measure("--slow", *arguments, bar="40")
