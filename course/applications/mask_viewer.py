"""Masks over their pictures, in colour-blind-safe colours: static sheets, and a picture with an opacity slider."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.patches import Patch

from course.applications import viewer_pages
from course.applications.iou import VOID
from course.errors import DataError, EmptyData
from course.notebook import bridge
from course.notebook.plots import COLOURS, PICTURE, STYLE, Chart, as_image, show
from course.runtime import can_answer

OPACITY = 0.7
OUTLINE_OPACITY = 0.85  # of outlines, unless the rest is stronger
VOID_COLOUR = (255, 255, 255)
PALE = 120  # the grey that black fades to
SIDE = 384  # pixels, of the picture with a slider

# The layers are blended as `overlay` does.
SCRIPT = f"""
const form = root.querySelector("form"), slider = root.querySelector("[type=range]");
const masks = [...root.querySelectorAll(".layers > div")];
const draw = () => {{
  const opacity = Number(slider.value), outline = Math.max(opacity, Math.min(3 * opacity, {OUTLINE_OPACITY}));
  for (const image of root.querySelectorAll("[data-layer]"))
    image.style.opacity = image.dataset.layer == "fill" ? opacity : outline;
  masks.forEach((mask, i) => {{ mask.hidden = i != Number(form.elements.mask.value); }});
  slider.ariaValueText = root.querySelector("output").textContent = opacity.toFixed(2);
}};
form.addEventListener("input", draw);
form.addEventListener("submit", event => event.preventDefault());
draw();
"""


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
    ground = pixels * (1 - opacity) + _pale(picture) * opacity  # colours stand out from grey, whatever the picture
    return (ground * (1 - strength) + _colours()[labels] * strength).round().astype(np.uint8)


def _pale(picture: Any) -> np.ndarray:
    """(H, W, 3): the picture in pale greys."""
    grey = PALE + (1 - PALE / 255) * np.asarray(picture.convert("L"), dtype=float)
    return np.repeat(grey[..., None], 3, axis=2)


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
    number = "1 scene" if len(pictures) == 1 else f"{len(pictures)} scenes"
    return _sheet(
        rows,
        classes,
        f"{number}, with masks for {', '.join(classes[1:])}: {', '.join(masks)}.",
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
        page = overlay_page(picture, masks, classes, chart.alt)
        bridge.show_page(page, f"{PICTURE}{chart.alt}")
    else:
        show(chart)


def overlay_page(picture: Any, masks: Mapping[str, Any], classes: Sequence[str], alt: str) -> str:
    """HTML: the picture below its masks, with a slider for the opacity and a choice of masks; a sheet without scripts.

    Raises EmptyData if there is no mask, DataError if one does not have the picture's size.
    """
    static = as_image(show_overlays([picture], {name: [mask] for name, mask in masks.items()}, classes), alt)
    slider = f'<input type="range" min="0" max="1" step="0.05" value="{OPACITY}">'
    # The form is what makes the radio buttons a group of their own.
    choices = "".join(
        f'<label><input type="radio" name="mask" value="{i}"{" checked" if i == 0 else ""}>{html.escape(name)}</label>'
        for i, name in enumerate(masks)
    )
    pale = viewer_pages.png_address(_pale(picture).round().astype(np.uint8))
    layers = "".join(f"<div>{_mask_layers(np.asarray(mask))}</div>" for mask in masks.values())
    legend = "".join(f"<span>{_legend_entry(k, name)}</span>" for k, name in enumerate(classes[1:]))
    live = (
        f'<form role="group" aria-label="masks on the picture"><label>opacity {slider}</label><output></output>'
        f'{choices}</form><div class="layers" style="width: {SIDE}px; max-width: 100%; image-rendering: pixelated">'
        f'<img alt="{html.escape(alt)}" src="{viewer_pages.png_address(np.asarray(picture.convert("RGB")))}">'
        f'<img alt="" src="{pale}" data-layer="fill">{layers}</div><p>{legend}</p>'
    )
    return viewer_pages.page(static["text/html"], live, SCRIPT)


def _mask_layers(labels: np.ndarray) -> str:
    """The colours of a mask and its outlines, which are stronger, as two pictures that are clear elsewhere."""
    colours, outline = _colours()[labels].astype(np.uint8), _is_outline(labels)
    parts = {"fill": (labels != 0) & ~outline, "outline": (labels != 0) & outline}
    return "".join(
        f'<img alt="" data-layer="{name}" '
        f'src="{viewer_pages.png_address(np.dstack([colours, np.uint8(255) * part.astype(np.uint8)]))}">'
        for name, part in parts.items()
    )


def _require_masks(masks: Mapping[str, Any]) -> None:
    if not masks:
        raise EmptyData(
            'there are no masks to show on the picture; pass at least one by its name, as in {"truth": mask}'
        )


def _legend_entry(k: int, name: str) -> str:
    colour = COLOURS[k % len(COLOURS)]
    edge = "1px solid #808080"  # so that black is visible on a dark page
    look = f"display: inline-block; width: 0.8em; height: 0.8em; border: {edge}; background: {colour}"
    return f'<span style="{look}"></span> {html.escape(name)}'
