"""Masks over their pictures, in colour-blind-safe colours: static sheets, and a picture with an opacity slider."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.patches import Patch
from PIL import Image

from course.applications.iou import VOID
from course.errors import DataError, EmptyData
from course.notebook.plots import COLOURS, STYLE, Chart, show
from course.notebook.questions import show_widget
from course.runtime import can_answer

OPACITY = 0.7
OUTLINE_OPACITY = 0.85  # of outlines, unless the rest is stronger
VOID_COLOUR = (255, 255, 255)
PALE = 120  # the grey that black fades to
SIDE = 384  # pixels, of the picture with a slider


def overlay(picture: Any, mask: Any, *, opacity: float = OPACITY) -> np.ndarray:
    """(H, W, 3) uint8: the picture with class k of the mask in colour k and void in white; the rest fades to pale grey.

    `opacity`, from 0 to 1, is how far it fades and how strong colours are; outlines are stronger, up to
    OUTLINE_OPACITY, and at 0 the picture is unchanged. Raises DataError if the two have different sizes.
    """
    pixels, labels = np.asarray(picture.convert("RGB"), dtype=float), np.asarray(mask)
    if pixels.shape[:2] != labels.shape:
        raise DataError(f"a mask of {labels.shape} pixels does not fit a picture of {pixels.shape[:2]}")
    outline = max(opacity, min(3 * opacity, OUTLINE_OPACITY))
    strength = np.where(labels == 0, 0.0, np.where(_is_outline(labels), outline, opacity))[..., None]
    pale = PALE + (1 - PALE / 255) * np.asarray(picture.convert("L"), dtype=float)[..., None]
    ground = pixels * (1 - opacity) + pale * opacity  # colours stand out from grey, whatever the picture
    return (ground * (1 - strength) + _colours()[labels] * strength).round().astype(np.uint8)


def _colours() -> np.ndarray:
    """(256, 3): the colour of every label."""
    palette = [tuple(int(code[i : i + 2], 16) for i in (1, 3, 5)) for code in COLOURS]
    table = np.array([palette[(label - 1) % len(palette)] for label in range(256)], dtype=float)
    table[VOID] = VOID_COLOUR
    return table


def _is_outline(labels: np.ndarray) -> np.ndarray:
    """True where the pixel to the right or below has another label."""
    edge = np.zeros(labels.shape, bool)
    edge[:-1] |= labels[:-1] != labels[1:]
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return edge


def show_overlays(
    pictures: Sequence[Any], masks: Mapping[str, Sequence[Any]], classes: Sequence[str], *, opacity: float = OPACITY
) -> Chart:
    """A sheet: the pictures in a row, and below them a row for each named set of masks; a legend at the bottom.

    A single picture is beside its masks. `classes` are the names of all classes, background first.
    Raises EmptyData if there is no picture or no set of masks, DataError if a set does not have one mask per picture.
    """
    if not len(pictures):
        raise EmptyData("there is no picture to show masks on; pass at least one")
    _require_masks(masks)
    for name, several in masks.items():
        if len(several) != len(pictures):
            raise DataError(
                f"{name!r} has {len(several)} masks for {len(pictures)} pictures; pass one mask for each picture, in "
                "their order"
            )
    rows = {"picture": [np.asarray(picture.convert("RGB")) for picture in pictures]} | {
        name: [overlay(*pair, opacity=opacity) for pair in zip(pictures, several, strict=True)]
        for name, several in masks.items()
    }
    return _sheet(
        rows, classes, f"{len(pictures)} scenes, with masks for {', '.join(classes[1:])}: {', '.join(masks)}."
    )


def _sheet(rows: dict[str, list[np.ndarray]], classes: Sequence[str], alt: str) -> Chart:
    """Named rows of images above a legend; images of one picture alone are side by side instead."""
    columns = len(next(iter(rows.values())))
    side_by_side = columns == 1
    images = [[row[0] for row in rows.values()]] if side_by_side else list(rows.values())
    with matplotlib.rc_context(STYLE):
        size_in = (1.9 * len(rows), 2.6) if side_by_side else (1.5 * columns + 0.9, 1.5 * len(rows) + 0.45)
        chart = Chart(*size_in, alt)
        grid = chart.subplots(len(images), len(images[0]), squeeze=False)
        for axes, image in zip(grid.ravel(), [image for line in images for image in line], strict=True):
            axes.imshow(image, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
            axes.spines[:].set_visible(False)
        for position, name in enumerate(rows):
            if side_by_side:
                grid[0, position].set_title(name, loc="center", fontsize=10, fontweight="normal")
            else:
                grid[position, 0].set_ylabel(name, rotation=0, ha="right", va="center")
        patches = [Patch(color=COLOURS[k % len(COLOURS)], label=name) for k, name in enumerate(classes[1:])]
        legend_columns = min(len(patches), 2 if side_by_side else 6)
        chart.legend(handles=patches, loc="outside lower center", ncols=max(1, legend_columns))
    return chart


def explore_overlay(picture: Any, masks: Mapping[str, Any], classes: Sequence[str]) -> None:
    """One picture with a slider for the opacity and a choice of masks; a sheet when nobody watches.

    Raises EmptyData if there is no mask, DataError if one does not have the picture's size.
    """
    chart = show_overlays([picture], {name: [mask] for name, mask in masks.items()}, classes)
    if can_answer():
        show_widget(overlay_box(picture, masks, classes), chart.alt)
    else:
        show(chart)


def overlay_box(picture: Any, masks: Mapping[str, Any], classes: Sequence[str]) -> Any:
    """The slider, the choice and the picture, as ipywidgets (7.7 or 8). Raises EmptyData if there is no mask."""
    import ipywidgets

    _require_masks(masks)

    slider = ipywidgets.FloatSlider(value=OPACITY, min=0.0, max=1.0, step=0.05, description="opacity")
    choice = ipywidgets.Dropdown(options=list(masks), description="mask")
    image = ipywidgets.Image(format="png", width=SIDE)
    names = ipywidgets.HTML(" ".join(_legend_entry(k, name) for k, name in enumerate(classes[1:])))

    def draw(_: Any = None) -> None:
        image.value = _png(overlay(picture, masks[choice.value], opacity=slider.value))

    slider.observe(draw, names="value")
    choice.observe(draw, names="value")
    draw()
    return ipywidgets.VBox([ipywidgets.HBox([slider, choice]), image, names])


def _require_masks(masks: Mapping[str, Any]) -> None:
    if not masks:
        raise EmptyData(
            'there are no masks to show on the picture; pass at least one by its name, as in {"truth": mask}'
        )


def _legend_entry(k: int, name: str) -> str:
    import html

    colour = COLOURS[k % len(COLOURS)]
    edge = "1px solid #808080"  # so that black is visible on a dark page
    look = f"display: inline-block; width: 0.8em; height: 0.8em; border: {edge}; background: {colour}"
    return f'<span style="{look}"></span> {html.escape(name)}'


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST).save(buffer, format="PNG")
    return buffer.getvalue()
