"""Boxes drawn on their pictures, and a slider for the lowest score that is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from course.notebook.plots import COLOURS, STYLE, Chart, show, to_pixels, to_png
from course.notebook.questions import show_widget
from course.runtime import can_answer

THRESHOLDS = (0.2, 0.5, 0.8)
WIDTH_IN = 1.8  # of one picture
FONT_PT = 6.5  # of the names


def show_boxes(
    pictures: Sequence[Any],
    detections: Sequence[dict[str, torch.Tensor]],
    classes: Sequence[str],
    *,
    threshold: float = 0.5,
) -> Chart:
    """One row of pictures with the boxes whose score is at least `threshold`; targets, which have no scores, show all.

    A picture is anything `show_pictures` takes; `detections` have "boxes", "labels" from 1 and, unless they are
    targets, "scores". Raises ValueError if there are not as many pictures as detections.
    """
    return _rows(pictures, detections, classes, [threshold])


def explore_threshold(
    pictures: Sequence[Any],
    detections: Sequence[dict[str, torch.Tensor]],
    classes: Sequence[str],
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    alt: str,
) -> None:
    """A slider for the lowest score that is drawn; when nobody watches, one row for each of `thresholds`.

    `alt` describes the rows in words.
    """
    if not can_answer():
        show(_rows(pictures, detections, classes, thresholds), alt=alt)
        return
    show_widget(_slider(pictures, detections, classes, thresholds[len(thresholds) // 2]), alt)


def _slider(
    pictures: Sequence[Any], detections: Sequence[dict[str, torch.Tensor]], classes: Sequence[str], start: float
) -> Any:
    """A slider above a picture that is drawn again when it moves."""
    import ipywidgets

    slider = ipywidgets.FloatSlider(
        value=start,
        min=0.05,
        max=0.95,
        step=0.05,
        description="score at least",
        continuous_update=False,
        style={"description_width": "initial"},
        layout=ipywidgets.Layout(width="380px"),
    )
    count = ipywidgets.HTML()
    image = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%", object_fit="contain"))

    def draw(_: Any = None) -> None:
        image.value = to_png(show_boxes(pictures, detections, classes, threshold=slider.value))
        drawn = sum(int((one["scores"] >= slider.value).sum()) for one in detections)
        count.value = f"{drawn} of {sum(len(one['scores']) for one in detections)} boxes"

    slider.observe(draw, names="value")
    draw()
    return ipywidgets.VBox([ipywidgets.HBox([slider, count]), image])


def _rows(
    pictures: Sequence[Any],
    detections: Sequence[dict[str, torch.Tensor]],
    classes: Sequence[str],
    thresholds: Sequence[float],
) -> Chart:
    if len(pictures) != len(detections) or not len(pictures):
        raise ValueError(
            f"there are {len(pictures)} pictures and boxes for {len(detections)}; give boxes for each picture"
        )
    alt = f"{len(pictures)} pictures with boxes around their objects."
    with matplotlib.rc_context(STYLE):
        title_in = 0.25 if len(thresholds) > 1 else 0.0
        chart = Chart(WIDTH_IN * len(pictures), (WIDTH_IN + title_in) * len(thresholds), alt)
        grid = chart.subplots(len(thresholds), len(pictures), squeeze=False)
        for line, threshold in zip(grid, thresholds, strict=True):
            for axes, picture, one in zip(line, pictures, detections, strict=True):
                axes.imshow(to_pixels(picture), interpolation="antialiased")
                axes.axis("off")
                _draw(axes, one, classes, threshold)
            if len(thresholds) > 1:
                line[0].set_title(f"score at least {threshold:g}", fontsize=9, fontweight="normal", pad=4)
    return chart


def _draw(axes: Axes, one: dict[str, torch.Tensor], classes: Sequence[str], threshold: float) -> None:
    """Boxes with their class, and their score in percent if they have one; the highest score on top."""
    scores = one.get("scores")
    order = range(len(one["labels"])) if scores is None else scores.argsort().tolist()
    order = [i for i in order if scores is None or scores[i] >= threshold]
    boxes = [one["boxes"][i].tolist() for i in order]
    names = [classes[int(one["labels"][i]) - 1] + _percent(scores, i) for i in order]
    positions = _label_positions(axes, boxes, names)
    for i, (x1, y1, x2, y2), name, (x, y, leftwards) in zip(order, boxes, names, positions, strict=True):
        colour = COLOURS[(int(one["labels"][i]) - 1) % (len(COLOURS) - 1)]
        axes.add_patch(Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=1.6))
        axes.text(
            x,
            y,
            name,
            ha="right" if leftwards else "left",
            fontsize=FONT_PT,
            color="white",
            va="bottom",
            clip_on=True,
            bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.8},
        )


def _percent(scores: torch.Tensor | None, i: int) -> str:
    return "" if scores is None else f" {100 * float(scores[i]):.0f}"


def _label_positions(
    axes: Axes, boxes: Sequence[Sequence[float]], names: Sequence[str]
) -> list[tuple[float, float, bool]]:
    """The lower corner of each name: (x, y, whether it extends to the left); above its box, or below, or inside.

    The last name, which is drawn on top, chooses first; each takes the first position where it covers no other name.
    """
    side = max(axes.get_xlim())
    point = side / (WIDTH_IN * 72)  # a point of the font, in pixels of the picture
    height, positions = 1.4 * FONT_PT * point, []
    taken: list[tuple[float, float, float]] = []
    for (x1, y1, x2, y2), name in zip(reversed(boxes), reversed(names), strict=True):
        # A name on the right half ends where its box does, so that the picture's edge doesn't cut it off.
        leftwards, width = x1 > side / 2, 0.6 * FONT_PT * point * len(name)
        x = min(x2, side) if leftwards else max(x1, 0)
        left = x - width if leftwards else x
        bottoms = [max(y1 - 1, height), min(y2 + height, side), min(y1 + height, side), max(y2 - 1, height)]
        free = [y for y in bottoms if not any(_overlap((left, y, width), other, height) for other in taken)]
        y = (free or bottoms)[0]
        taken.append((left, y, width))
        positions.append((x, y, leftwards))
    return positions[::-1]


def _overlap(one: tuple[float, float, float], other: tuple[float, float, float], height: float) -> bool:
    """Whether two names of this height, each (left, bottom, width), overlap."""
    (left, bottom, width), (left2, bottom2, width2) = one, other
    return left < left2 + width2 and left2 < left + width and abs(bottom - bottom2) < height
