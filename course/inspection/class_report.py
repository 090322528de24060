"""`class_report`: precision, recall and F1 of each class, with how sure the recall is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course.errors import DataError
from course.notebook.tables import html_table, text_table


@dataclass(frozen=True)
class ClassRow:
    """One class: its number of samples, and its precision, recall and F1; `low` to `high` is recall's 95 % interval."""

    name: str
    samples: int
    precision: float
    recall: float
    low: float
    high: float
    f1: float


@dataclass(frozen=True)
class ClassReport:
    """One row per class; `macro_f1` and `balanced_accuracy` are means over classes, each class counting the same."""

    rows: list[ClassRow]
    accuracy: float
    balanced_accuracy: float
    macro_f1: float

    def _cells(self) -> list[list[str]]:
        head = ["class", "samples", "precision", "recall", "95 % interval of the recall", "F1"]
        return [
            head,
            *(
                [
                    row.name,
                    str(row.samples),
                    f"{row.precision:.2f}",
                    f"{row.recall:.2f}",
                    f"{row.low:.2f} to {row.high:.2f}",
                    f"{row.f1:.2f}",
                ]
                for row in self.rows
            ),
        ]

    @property
    def summary(self) -> str:
        """Accuracy, balanced accuracy and macro F1 in one line."""
        return (
            f"accuracy {self.accuracy:.2f}, balanced accuracy {self.balanced_accuracy:.2f} (mean recall), "
            f"macro F1 {self.macro_f1:.2f}"
        )

    def __repr__(self) -> str:
        return f"{text_table(self._cells())}\n{self.summary}"

    def _repr_html_(self) -> str:
        return f"{html_table(self._cells())}<p>{self.summary}</p>"


def class_report(true: Sequence[Any], predicted: Sequence[Any], classes: Sequence[str]) -> ClassReport:
    """How each class fares: `true` and `predicted` are (N,), indices into `classes`.

    A class without samples has recall nan and no part in the means; one that is never predicted has precision 0.
    Intervals are Wilson's (1927). Raises DataError for different lengths, no samples, or labels outside `classes`.
    """
    from scipy.stats import binomtest
    from sklearn.metrics import precision_recall_fscore_support

    truth, guess = np.asarray(true).astype(int), np.asarray(predicted).astype(int)
    if truth.shape != guess.shape or truth.ndim != 1 or not len(truth):
        raise DataError(f"there are {truth.shape} labels and {guess.shape} predictions; pass one of each per sample")
    outside = sorted({*truth.tolist(), *guess.tolist()} - set(range(len(classes))))
    if outside:
        raise DataError(f"labels {outside[:8]} are not indices into {len(classes)} classes; check their order")
    scores = precision_recall_fscore_support(truth, guess, labels=range(len(classes)), zero_division=0)
    rows, nan = [], float("nan")
    for name, precision, recall, f1, samples in zip(classes, *scores, strict=True):
        if not samples:
            rows.append(ClassRow(name, 0, float(precision), nan, nan, nan, nan))
            continue
        interval = binomtest(round(recall * samples), int(samples)).proportion_ci(method="wilson")
        rows.append(
            ClassRow(name, int(samples), float(precision), float(recall), interval.low, interval.high, float(f1))
        )
    present = [row for row in rows if row.samples]
    return ClassReport(
        rows,
        float((truth == guess).mean()),
        float(np.mean([row.recall for row in present])),
        float(np.mean([row.f1 for row in present])),
    )
