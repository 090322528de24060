"""Boxes drawn on their pictures, and a slider for the lowest score that is drawn."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from course.applications import viewer_pages
from course.notebook import bridge
from course.notebook.plots import COLOURS, PICTURE, STYLE, Chart, as_image, show, to_pixels
from course.runtime import can_answer

THRESHOLDS = (0.2, 0.5, 0.8)
WIDTH_IN = 1.8  # of one picture
FONT_PT = 6.5  # of the names
LEGEND_IN = 0.3
WIDTH_PX = round(WIDTH_IN * STYLE["figure.dpi"])

SCRIPT = """
const slider = root.querySelector("input"), boxes = [...root.querySelectorAll("[data-score]")];
const draw = () => {
  const is_drawn = box => Number(box.dataset.score) >= Number(slider.value);
  for (const box of boxes) box.style.display = is_drawn(box) ? "" : "none";
  for (const layer of root.querySelectorAll("svg")) {
    const names = [...layer.querySelectorAll("g")].filter(is_drawn).map(box => box.textContent);
    layer.setAttribute("aria-label", names.length ? "boxes: " + names.join(", ") : "no boxes");
  }
  slider.ariaValueText = root.querySelector("output").textContent =
    `${Number(slider.value).toFixed(2)}: ${boxes.filter(is_drawn).length} of ${boxes.length} boxes`;
};
slider.addEventListener("input", draw);
draw();
"""


def show_boxes(
    pictures: Sequence[Any],
    detections: Sequence[dict[str, torch.Tensor]],
    classes: Sequence[str],
    *,
    threshold: float = 0.5,
    legend: bool = False,
) -> Chart:
    """One row of pictures with the boxes whose score is at least `threshold`; targets, which have no scores, show all.

    With `legend` the names of the classes are in a legend below, and beside a box stands only its score. A picture is
    anything `show_pictures` takes; `detections` have "boxes", "labels" from 1 and, unless they are targets, "scores".
    Raises ValueError if there are not as many pictures as detections.
    """
    return _rows(pictures, detections, classes, [threshold], legend=legend)


def explore_threshold(
    pictures: Sequence[Any],
    detections: Sequence[dict[str, torch.Tensor]],
    classes: Sequence[str],
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    legend: bool = False,
    alt: str,
) -> None:
    """A slider for the lowest score that is drawn; when nobody watches, one row for each of `thresholds`.

    With `legend`, these rows name the classes in a legend (see `show_boxes`). The slider starts in the middle of
    `thresholds` and needs no kernel. `alt` describes the rows in words.
    """
    if not can_answer():
        show(_rows(pictures, detections, classes, thresholds, legend=legend), alt=alt)
        return
    threshold = thresholds[len(thresholds) // 2]
    bridge.show_page(threshold_page(pictures, detections, classes, threshold=threshold, alt=alt), f"{PICTURE}{alt}")


def threshold_page(
    pictures: Sequence[Any],
    detections: Sequence[dict[str, torch.Tensor]],
    classes: Sequence[str],
    *,
    threshold: float,
    alt: str,
) -> str:
    """HTML: the pictures under a slider, which starts at `threshold`, for the lowest score that is drawn."""
    chart = show_boxes(pictures, detections, classes, threshold=threshold)
    total = sum(len(one["scores"]) for one in detections)
    drawn = sum(int((one["scores"] >= threshold).sum()) for one in detections)
    static = f"{as_image(chart, alt)['text/html']}<p>score at least {threshold:g}: {drawn} of {total} boxes</p>"
    slider = f'<input type="range" min="0.05" max="0.95" step="0.05" value="{threshold:g}">'
    layers = "".join(
        _layers(to_pixels(picture), one, classes, f"picture {number} of {len(pictures)}")
        for number, (picture, one) in enumerate(zip(pictures, detections, strict=True), 1)
    )
    live = (
        f"<p><label>score at least {slider}</label><output></output></p>"
        f'<div class="pictures" role="group" aria-label="{html.escape(alt)}">{layers}</div>'
    )
    return viewer_pages.page(static, live, SCRIPT)


def _layers(pixels: np.ndarray, one: dict[str, torch.Tensor], classes: Sequence[str], alt: str) -> str:
    """A picture below its boxes and their names, the highest score on top; each knows its score."""
    height, width = pixels.shape[:2]
    order, names = _order(one, classes, 0.0)
    boxes = [one["boxes"][i].tolist() for i in order]
    positions = _label_positions(width, boxes, names)
    drawn = "".join(
        f'<g data-score="{float(one["scores"][i])}">{_svg_box(box, name, position, _colour(one, i), width)}</g>'
        for i, box, name, position in zip(order, boxes, names, positions, strict=True)
    )
    return (
        f'<div class="layers" style="width: {WIDTH_PX}px">'
        f'<img alt="{html.escape(alt)}" src="{viewer_pages.png_address(pixels)}">'
        f'<svg viewBox="0 0 {width} {height}" role="img">{drawn}</svg></div>'
    )


def _svg_box(box: Sequence[float], name: str, position: tuple[float, float, bool], colour: str, side: float) -> str:
    """A box and its name, in the place that `_label_positions` gives, for a picture of this width."""
    (x1, y1, x2, y2), (x, y, leftwards) = box, position
    point = side / (WIDTH_IN * 72)
    width, height = 0.6 * FONT_PT * point * len(name), 1.3 * FONT_PT * point
    left = x - width if leftwards else x
    ink = "#000" if _luminance(colour) > 0.18 else "#fff"  # at least 4.5:1 either way
    return (
        f'<rect x="{x1:.2f}" y="{y1:.2f}" width="{x2 - x1:.2f}" height="{y2 - y1:.2f}" fill="none" stroke="{colour}" '
        f'stroke-width="{1.6 * point:.2f}"/>'
        f'<rect x="{left - point:.2f}" y="{y - height:.2f}" width="{width + 2 * point:.2f}" height="{height:.2f}" '
        f'fill="{colour}"/><text x="{left:.2f}" y="{y - 0.3 * FONT_PT * point:.2f}" textLength="{width:.2f}" '
        f'lengthAdjust="spacingAndGlyphs" font-size="{FONT_PT * point:.2f}" font-family="sans-serif" fill="{ink}">'
        f"{html.escape(name)}</text>"
    )


def _luminance(colour: str) -> float:
    """The relative luminance of "#rrggbb", as WCAG 2 defines it: from 0 for black to 1 for white."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rows(
    pictures: Sequence[Any],
    detections: Sequence[dict[str, torch.Tensor]],
    classes: Sequence[str],
    thresholds: Sequence[float],
    *,
    legend: bool = False,
) -> Chart:
    if len(pictures) != len(detections) or not len(pictures):
        raise ValueError(
            f"there are {len(pictures)} pictures and boxes for {len(detections)}; give boxes for each picture"
        )
    alt = f"{len(pictures)} pictures with boxes around their objects."
    with matplotlib.rc_context(STYLE):
        title_in = 0.25 if len(thresholds) > 1 else 0.0
        height_in = (WIDTH_IN + title_in) * len(thresholds) + (LEGEND_IN if legend else 0.0)
        chart = Chart(WIDTH_IN * len(pictures), height_in, alt)
        grid = chart.subplots(len(thresholds), len(pictures), squeeze=False)
        for line, threshold in zip(grid, thresholds, strict=True):
            for axes, picture, one in zip(line, pictures, detections, strict=True):
                axes.imshow(to_pixels(picture), interpolation="antialiased")
                axes.axis("off")
                (_draw_outlines if legend else _draw)(axes, one, classes, threshold)
            if len(thresholds) > 1:
                line[0].set_title(f"score at least {threshold:g}", fontsize=9, fontweight="normal", pad=4)
        if legend:
            handles = [Patch(facecolor="none", edgecolor=_colour_of(i + 1), linewidth=2) for i in range(len(classes))]
            chart.legend(handles, classes, loc="outside lower center", ncols=min(len(classes), 6), fontsize=9)
    return chart


def _draw_outlines(axes: Axes, one: dict[str, torch.Tensor], classes: Sequence[str], threshold: float) -> None:
    """Boxes as thin outlines in the colour of their class, with their score in percent above them if they have one."""
    edge = [patheffects.Stroke(linewidth=3, foreground="white"), patheffects.Normal()]
    for i in _order(one, classes, threshold)[0]:
        x1, y1, x2, y2 = one["boxes"][i].tolist()
        outline = Rectangle(
            (x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, edgecolor=_colour(one, i), linewidth=1.8
        )
        outline.set_path_effects(edge)
        axes.add_patch(outline)
        if "scores" in one:
            score = _percent(one["scores"], i).strip()
            axes.text(
                x1, max(y1 - 1, 6), score, fontsize=FONT_PT, color=_colour(one, i), path_effects=edge, va="bottom"
            )


def _draw(axes: Axes, one: dict[str, torch.Tensor], classes: Sequence[str], threshold: float) -> None:
    """Boxes with their class, and their score in percent if they have one; the highest score on top."""
    order, names = _order(one, classes, threshold)
    boxes = [one["boxes"][i].tolist() for i in order]
    positions = _label_positions(max(axes.get_xlim()), boxes, names)
    for i, (x1, y1, x2, y2), name, (x, y, leftwards) in zip(order, boxes, names, positions, strict=True):
        colour = _colour(one, i)
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


def _order(one: dict[str, torch.Tensor], classes: Sequence[str], threshold: float) -> tuple[list[int], list[str]]:
    """The indices of the boxes to draw, the highest score last, and the name of each."""
    scores = one.get("scores")
    order = range(len(one["labels"])) if scores is None else scores.argsort().tolist()
    order = [i for i in order if scores is None or scores[i] >= threshold]
    return order, [classes[int(one["labels"][i]) - 1] + _percent(scores, i) for i in order]


def _colour(one: dict[str, torch.Tensor], i: int) -> str:
    return _colour_of(int(one["labels"][i]))


def _colour_of(label: int) -> str:
    return COLOURS[(label - 1) % (len(COLOURS) - 1)]


def _percent(scores: torch.Tensor | None, i: int) -> str:
    return "" if scores is None else f" {100 * float(scores[i]):.0f}"


def _label_positions(
    side: float, boxes: Sequence[Sequence[float]], names: Sequence[str]
) -> list[tuple[float, float, bool]]:
    """The lower corner of each name: (x, y, whether it extends to the left); above its box, or below, or inside.

    The last name, which is drawn on top, chooses first; each takes the first position where it covers no other name in
    a picture of width `side`. So a name's place does not depend on boxes with lower scores.
    """
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
