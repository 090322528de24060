"""Geometry of the reports' charts; a template draws them, so that they follow the page's colours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

HEIGHT, FOOT, HEAD = 110, 18, 14  # of a histogram; what its labels take
MAX_COLUMNS = 11
WITHOUT = {"none": "attempted nothing", "?": "unreadable", "…": "without a score yet"}  # labels of columns, in words


@dataclass(frozen=True)
class Column:
    """One column: where it stands, and what it says."""

    x: float
    y: float
    width: float
    height: float
    count: int
    label: str
    kind: str  # "score", "full" or "none": colour is never the only sign, each has its label


@dataclass(frozen=True)
class Histogram:
    """How many learners have how many points. `text` says the same in words."""

    columns: tuple[Column, ...]
    width: int
    height: int
    text: str


def histogram(
    scores: Sequence[float], points: float, *, unit: str, without: Mapping[str, int] | None = None, width: int = 300
) -> Histogram:
    """Columns for the scores from 0 to `points`, and before them those of learners without a score, by label."""
    labels, places = _bins(scores, points)
    counts = Counter(places)
    bars = [(label, counts[place], "score") for place, label in enumerate(labels)]
    bars[-1] = (*bars[-1][:2], "full")
    bars[:0] = [(label, count, "none") for label, count in (without or {}).items() if count]
    return Histogram(tuple(_columns(bars, width)), width, HEIGHT, _in_words(bars, unit))


def _bins(scores: Sequence[float], points: float) -> tuple[list[str], list[int]]:
    """The labels of the bins, and the bin of each score. Full marks have a bin of their own."""
    if points == int(points) and 0 < points < MAX_COLUMNS:
        return [str(value) for value in range(int(points) + 1)], [int(min(score, points)) for score in scores]
    tenths = [min(10, int(10 * score / points + 1e-9)) if points else 0 for score in scores]
    return [f"{10 * place}" for place in range(11)], tenths


def _columns(bars: list[tuple[str, int, str]], width: int) -> Iterable[Column]:
    step = width / len(bars)
    tallest = max((count for _, count, _ in bars), default=0) or 1
    for place, (label, count, kind) in enumerate(bars):
        height = (HEIGHT - FOOT - HEAD) * count / tallest
        yield Column(
            round((place + 0.12) * step, 1),
            round(HEIGHT - FOOT - height, 1),
            round(0.76 * step, 1),
            round(height, 1),
            count,
            label,
            kind,
        )


def _in_words(bars: list[tuple[str, int, str]], unit: str) -> str:
    said = [f"{count} with {label} {unit}" for label, count, kind in bars if count and kind != "none"]
    said += [f"{count} {WITHOUT[label]}" for label, count, kind in bars if kind == "none"]
    return "Number of learners: " + (", ".join(said) or "none yet") + "."
