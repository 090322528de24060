"""Figures in one style: colour-blind-safe colours, with markers and dashes as well, and alt text.

Every function returns a `Chart`; `show(chart, alt=...)` displays it once, with its alt text. matplotlib's global state
is neither read nor changed, so a learner's own figures look as usual.
"""

from __future__ import annotations

import base64
import html
import io
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

from course.runtime import kernel

# Okabe and Ito, "Color Universal Design" (2008), without yellow, which is hard to see on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)), (0, (3, 1)), "-")
INK, FAINT = "#333333", "#d9d9d9"

STYLE: Any = {
    "figure.dpi": 120,
    "figure.facecolor": "white",
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.08,
    "savefig.facecolor": "white",
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.edgecolor": "#8c8c8c",
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "legend.frameon": False,
}

# A larger picture is saved with 256 colours, so that a notebook with many pictures stays under 1 MB.
PALETTE_FROM_BYTES = 60_000

PICTURE = "Picture: "  # how a picture's plain text begins: what it states was measured, and differs between machines

_MEASURES = ("loss", "accuracy")
_SPLITS = {"train": "training", "val": "validation"}


class Chart(Figure):
    """A figure with alt text that pyplot doesn't know, so it isn't shown a second time."""

    def __init__(self, width_in: float, height_in: float, alt: str) -> None:
        super().__init__(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(self)
        self.alt = alt

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return as_image(self, self.alt)


def show(figure: Figure, *, alt: str | None = None) -> None:
    """Display `figure` in the notebook, once; outside a notebook only its alt text is printed.

    `alt` describes the picture in words, for readers who can't see it; a `Chart` has a simple one of its own. Any other
    matplotlib figure needs `alt`: ValueError otherwise. The figure is closed.
    """
    alt = alt or getattr(figure, "alt", None)
    if not alt:
        raise ValueError('this figure has no alt text; pass one: show(figure, alt="what the picture shows")')
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    if kernel() is None:
        print(alt)
        return
    from IPython.display import display

    display(as_image(figure, alt), raw=True)


def plot_history(history: Any) -> Chart:
    """Loss, and accuracy if it was measured, against the epoch: training and validation.

    `history.rows` is a list of dicts with "epoch" and any of train_loss, val_loss, train_accuracy, val_accuracy; a
    value that is missing or None has no point.
    """
    rows = list(history.rows)
    measures = [m for m in _MEASURES if any(row.get(f"{part}_{m}") is not None for row in rows for part in _SPLITS)]
    if not measures:
        raise ValueError("the history has no row with a loss or an accuracy; run fit for at least one epoch")
    with matplotlib.rc_context(STYLE):
        chart = Chart(4.2 * len(measures), 3.1, f"Line chart: {' and '.join(measures)} by epoch.")
        for axes, measure in zip(chart.subplots(1, len(measures), squeeze=False)[0], measures, strict=True):
            for i, (part, label) in enumerate(_SPLITS.items()):
                points = [
                    (row["epoch"], row[f"{part}_{measure}"]) for row in rows if row.get(f"{part}_{measure}") is not None
                ]
                if points:
                    axes.plot(*zip(*points, strict=True), label=label, **_line_style(i))
            axes.set(title=measure, xlabel="epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
            axes.legend()
    return chart


def plot_comparison(comparison: Any, *, metric: str | None = None) -> Chart:
    """Each setting's mean with its 95 % t interval, and single seeds as dots.

    `comparison.rows` is a list of dicts with "setting", "seed" and the metrics; `metric` defaults to the first one. A
    single seed has no interval.
    """
    rows = list(comparison.rows)
    metrics = [key for key in (rows[0] if rows else {}) if key not in ("setting", "seed")]
    if not metrics:
        raise ValueError("the comparison has no row with a metric to draw")
    metric = metric or metrics[0]
    if metric not in metrics:
        raise ValueError(f"the comparison has no metric {metric!r}; choose one of {', '.join(metrics)}")
    groups: dict[str, list[float]] = {}
    for row in rows:
        groups.setdefault(str(row["setting"]), []).append(float(row[metric]))
    with matplotlib.rc_context(STYLE):
        title = metric.replace("_", " ")
        chart = Chart(
            6.4, 1.1 + 0.5 * len(groups), f"Dot chart: {title} of {', '.join(groups)}; means and single seeds."
        )
        axes = chart.subplots()
        for i, values in enumerate(groups.values()):
            _draw_setting(axes, i, np.asarray(values))
        axes.set(xlabel=title, ylim=(len(groups) - 0.5, -0.5))
        axes.set_yticks(range(len(groups)), list(groups))
        axes.grid(False, axis="y")
        axes.margins(x=0.08)
        axes.set_title("mean, 95 % interval, single seeds", fontsize=9, fontweight="normal", color="#666666")
    return chart


def plot_curves(
    x: Sequence[float],
    curves: Mapping[str, tuple[Sequence[float], Sequence[float] | None]],
    xlabel: str,
    ylabel: str,
    *,
    log_x: bool = False,
) -> Chart:
    """One line per curve over `x`, with a band for its interval.

    `curves` maps a name to (mean, half-width of the interval), each as long as `x`; a half-width of None has no band.
    """
    with matplotlib.rc_context(STYLE):
        chart = Chart(6.4, 3.8, f"Line chart: {ylabel} by {xlabel} for {', '.join(curves)}.")
        axes = chart.subplots()
        positions = np.asarray(x, dtype=float)
        for i, (name, (mean, half_width)) in enumerate(curves.items()):
            middle = np.asarray(mean, dtype=float)
            style = _line_style(i)
            axes.plot(positions, middle, label=name, **style)
            if half_width is not None:
                half = np.asarray(half_width, dtype=float)
                axes.fill_between(
                    positions, middle - half, middle + half, color=style["color"], alpha=0.15, linewidth=0
                )
        axes.set(xlabel=xlabel, ylabel=ylabel)
        if log_x:
            axes.set_xscale("log")
        if len(positions) <= 8:
            axes.xaxis.set_major_locator(FixedLocator(list(positions)))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(ScalarFormatter())
        # The legend beside the lines, in the order of their ends.
        order = sorted(range(len(curves)), key=lambda i: -float(list(curves.values())[i][0][-1]))
        handles, names = axes.get_legend_handles_labels()
        axes.legend(
            [handles[i] for i in order], [names[i] for i in order], loc="center left", bbox_to_anchor=(1.01, 0.5)
        )
    return chart


def show_pictures(images: Iterable[Any], titles: Sequence[str] | None = None, *, columns: int | None = None) -> Chart:
    """Pictures in rows of `columns`, each with its title.

    A picture is a PIL image, a tensor (3, H, W) or (1, H, W) in [0, 1] (values outside are clipped), or an array
    (H, W, 3). Raises ValueError if there are no pictures, or not as many titles as pictures.
    """
    arrays = [to_pixels(image) for image in images]
    if not arrays:
        raise ValueError("there are no pictures to show")
    if titles is not None and len(titles) != len(arrays):
        raise ValueError(f"there are {len(arrays)} pictures but {len(titles)} titles")
    columns = min(columns or min(8, len(arrays)), len(arrays))
    lines = math.ceil(len(arrays) / columns)
    size_in = min(1.5, 9 / columns)
    with matplotlib.rc_context(STYLE):
        named = f": {', '.join(dict.fromkeys(map(str, titles)))}" if titles is not None else ""
        title_in = 0.28 if titles is not None else 0.0
        chart = Chart(size_in * columns, lines * (size_in + title_in), f"{len(arrays)} pictures{named}.")
        grid = chart.subplots(lines, columns, squeeze=False).ravel()
        for axes in grid:
            axes.axis("off")
        for i, pixels in enumerate(arrays):
            grid[i].imshow(pixels, interpolation="antialiased")
            if titles is not None:
                grid[i].set_title(str(titles[i]), loc="center", fontsize=8, fontweight="normal", pad=3)
    return chart


def _line_style(i: int) -> dict[str, Any]:
    """Colour, marker and dashes of the i-th line: each of the three alone distinguishes the lines."""
    n = len(COLOURS)
    return {"color": COLOURS[i % n], "marker": MARKERS[i % n], "linestyle": DASHES[i % n], "markeredgecolor": "white"}


def _draw_setting(axes: Axes, y: int, values: np.ndarray) -> None:
    from scipy.stats import t

    colour, n = COLOURS[y % len(COLOURS)], len(values)
    # Seeds are spread below the mean, in their own order, so that equal values can still be counted.
    offsets = 0.24 + 0.09 * (np.arange(n) % 3 - 1)
    axes.scatter(values, y + offsets, s=16, color=colour, alpha=0.55, linewidth=0)
    half = t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n) if n > 1 else 0.0
    marker = MARKERS[y % len(MARKERS)]
    axes.errorbar(
        values.mean(), y, xerr=half or None, color=colour, marker=marker, markersize=8, capsize=4, linewidth=2
    )


def to_pixels(image: Any) -> np.ndarray:
    """(H, W, 3) or (H, W, 4) of uint8 from a PIL image, a tensor or an array."""
    if hasattr(image, "convert"):
        return np.asarray(image.convert("RGBA" if "A" in image.getbands() else "RGB"))
    array = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if hasattr(image, "detach") and array.ndim == 3:
        array = array.transpose(1, 2, 0)  # (3, H, W) -> (H, W, 3)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ValueError(
            f"a picture has shape (3, H, W) as a tensor or (H, W, 3) as an array, not {tuple(np.shape(image))}"
        )
    if array.dtype != np.uint8:
        array = np.round(np.clip(array.astype(float), 0, 1) * 255).astype(np.uint8)
    return array.repeat(3, axis=2) if array.shape[2] == 1 else array


def as_image(figure: Figure, alt: str) -> dict[str, str]:
    """The figure for `display(..., raw=True)`: an <img> with alt text; as plain text the line "Picture: ...".

    JupyterLab drops alt text that is given as the metadata of an image/png; that of an <img> reaches the page.
    """
    alt = " ".join(alt.split())
    encoded = base64.b64encode(to_png(figure)).decode()
    page = f'<img alt="{html.escape(alt)}" style="max-width: 100%" src="data:image/png;base64,{encoded}">'
    return {"text/html": page, "text/plain": f"{PICTURE}{alt}"}


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file in the course's style; a large one with 256 colours, so that notebooks stay small."""
    from PIL import Image

    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="png", metadata={"Software": None}, pil_kwargs={"optimize": True})
    if buffer.tell() > PALETTE_FROM_BYTES:
        picture = _with_256_colours(Image.open(buffer).convert("RGB"))
        buffer = io.BytesIO()
        picture.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _with_256_colours(picture: Any) -> Any:
    """The PIL picture with a palette: the colours of lines and text as they are, the rest by what it shows most."""
    from PIL import Image

    kept = [*bytes.fromhex("".join(colour.lstrip("#") for colour in (*COLOURS, INK, FAINT, "#ffffff")))]
    found = picture.quantize(256 - len(kept) // 3).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette(kept + found)
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)
