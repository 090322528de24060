"""The metrics of each epoch of a training run, as rows, as text and as a small table with curves."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from typing import Any

# Blue and vermilion of Okabe and Ito; training is also dashed, for readers who can't see the colours.
_CURVES = {"train": ("#0072B2", "5 3"), "val": ("#D55E00", "")}
_WIDTH, _HEIGHT = 260, 110


class History:
    """The epochs of a run, one dict each in `rows`.

    The keys are epoch, lr, train_loss, train_accuracy, val_loss, val_accuracy, memory_mib and seconds; accuracies are
    missing if the labels are not classes, val_ keys without validation, and memory_mib (the peak memory of tensors on
    the GPU) without a CUDA GPU. `note` says why the run ended before its last epoch, if it did.
    """

    def __init__(self, rows: list[dict[str, Any]] | None = None, note: str = "") -> None:
        self.rows = rows or []
        self.note = note

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, column: str) -> list[float]:
        """One column, with one entry per epoch: `history["val_loss"]`."""
        return [row[column] for row in self.rows]

    @property
    def last(self) -> dict[str, Any]:
        """The row of the last epoch; IndexError if there is none."""
        return self.rows[-1]

    @property
    def best(self) -> dict[str, Any]:
        """The row with the lowest val_loss (train_loss without validation), the earliest if several are equal."""
        measure = "val_loss" if "val_loss" in self.last else "train_loss"
        return min(self.rows, key=lambda row: math.inf if math.isnan(row[measure]) else row[measure])

    @property
    def epochs_since_best(self) -> int:
        """0 if the last epoch is the best one so far."""
        return self.last["epoch"] - self.best["epoch"] if self.rows else 0

    def line(self) -> str:
        """The last epoch in one line, without its duration: the same run prints the same line."""
        parts = []
        for split, name in (("train", "train"), ("val", "validation")):
            if f"{split}_loss" in self.last:
                accuracy = self.last.get(f"{split}_accuracy")
                suffix = "" if accuracy is None else f", accuracy {accuracy:.2f}"
                parts.append(f"{name} loss {_short(self.last[f'{split}_loss'])}{suffix}")
        return f"epoch {self.last['epoch']}: " + "; ".join(parts)

    def _table(self) -> list[list[str]]:
        names = [name for name in (self.rows[0] if self.rows else {}) if name != "seconds"]
        body = [[_cell(name, row.get(name)) for name in names] for row in self.rows]
        return [[name.replace("_", " ").replace("val ", "validation ") for name in names], *body]

    def __repr__(self) -> str:
        if not self.rows:
            return "History: no epochs"
        table = self._table()
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
        return "\n".join(lines + ([self.note] if self.note else []))

    def _repr_html_(self) -> str:
        if not self.rows:
            return "<p>no epochs yet</p>"
        head, *body = [[html.escape(cell) for cell in row] for row in self._table()]
        best = self.best["epoch"]
        bold = ' style="font-weight:bold"'
        rows = [
            f"<tr{bold if row['epoch'] == best else ''}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
            for row, cells in zip(self.rows, body, strict=True)
        ]
        curves = "".join(self._curves(measure) for measure in ("loss", "accuracy"))
        note = f"<p>{html.escape(self.note)}</p>" if self.note else ""
        return (
            f"<div>{curves}</div><table><thead><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>{note}"
        )

    def _curves(self, measure: str) -> str:
        """Training and validation by epoch as a small SVG, which takes microseconds to draw after every epoch."""
        lines = {part: self[f"{part}_{measure}"] for part in _CURVES if f"{part}_{measure}" in self.rows[0]}
        values = [value for line in lines.values() for value in line if math.isfinite(value)]
        if len(self.rows) < 2 or not values:
            return ""
        low, high = min(values), max(values)
        marks = []
        for part, line in lines.items():
            colour, dashes = _CURVES[part]
            points = " ".join(
                f"{30 + (_WIDTH - 40) * i / (len(line) - 1):.1f},"
                f"{20 + (_HEIGHT - 30) * (high - value) / (high - low or 1):.1f}"
                for i, value in enumerate(line)
            )
            stroke = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"'
            marks.append(f'<polyline points="{points}" fill="none" {stroke}/>')
        label = f"{measure}: " + "; ".join(f"{part} {line[0]:.2f} to {line[-1]:.2f}" for part, line in lines.items())
        words = (
            f'<text x="30" y="12">{measure}: training dashed{", validation solid" if "val" in lines else ""}</text>'
            f'<text x="0" y="24">{high:.2f}</text><text x="0" y="{_HEIGHT - 8}">{low:.2f}</text>'
        )
        return (
            f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{label}" fill="currentColor" '
            f'font-size="11" style="margin-right:1em">{words}{"".join(marks)}</svg>'
        )


def _short(value: float) -> str:
    """Two decimals, or two significant digits for small values: 1.53, 0.0042."""
    return f"{value:.2f}" if value == 0 or abs(value) >= 0.1 else f"{value:.2g}"


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in ("epoch", "memory_mib"):
        return f"{value:.0f}"
    return f"{value:.2g}" if name == "lr" else f"{value:.2f}" if name.endswith("accuracy") else f"{value:.3f}"
