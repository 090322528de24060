"""Masks over pictures: colours, outlines, a sheet, and the page with the slider."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from course.applications.iou import VOID
from course.applications.mask_viewer import (
    OUTLINE_OPACITY,
    explore_overlay,
    overlay,
    overlay_page,
    show_overlays,
)
from course.errors import DataError, EmptyData
from course.notebook.plots import COLOURS

CLASSES = ("background", "cat", "dog")


@pytest.fixture
def picture():
    return Image.new("RGB", (16, 12), (100, 100, 100))


@pytest.fixture
def mask():
    labels = np.zeros((12, 16), np.uint8)
    labels[2:8, 2:8], labels[2:8, 9:14], labels[10:] = 1, 2, VOID
    return labels


def rgb(code):
    return [int(code[i : i + 2], 16) for i in (1, 3, 5)]


def test_classes_have_their_colours_the_rest_fades_to_pale_grey_and_void_is_white(picture, mask):
    pixels = overlay(picture, mask, opacity=1.0)
    assert pixels[0, 0].tolist() == [173, 173, 173]
    assert pixels[4, 4].tolist() == rgb(COLOURS[0])
    assert pixels[4, 11].tolist() == rgb(COLOURS[1])
    assert pixels[11, 3].tolist() == [255, 255, 255]


def test_at_opacity_0_the_picture_is_bare(picture, mask):
    assert np.array_equal(overlay(picture, mask, opacity=0.0), np.asarray(picture))


@pytest.mark.parametrize("opacity", [0.05, 0.3, 0.7])
def test_the_outline_is_stronger_than_the_colour(picture, mask, opacity):
    pixels = overlay(picture, mask, opacity=opacity).astype(int)
    inside, outline = (np.abs(pixels[4, x] - rgb(COLOURS[0])).sum() for x in (4, 7))
    assert outline < inside


def test_the_outline_fades_with_the_colour(picture, mask):
    outlines = [overlay(picture, mask, opacity=opacity)[4, 7].astype(int) for opacity in (0.0, 0.05, 0.3)]
    away = [np.abs(colour - rgb(COLOURS[0])).sum() for colour in outlines]
    assert away[0] > away[1] > away[2]


def test_a_mask_of_another_size_is_refused(picture, mask):
    with pytest.raises(DataError, match="does not fit"):
        overlay(picture, mask[:-1])


def test_a_sheet_without_a_picture_is_refused(mask):
    for pictures, masks in (([], {}), ([], {"truth": []})):
        with pytest.raises(EmptyData, match="no picture to show masks on; pass at least one"):
            show_overlays(pictures, masks, CLASSES)


def test_a_set_that_has_not_one_mask_for_each_picture_is_refused_by_its_name(picture, mask):
    with pytest.raises(DataError, match="'predicted' has 1 masks for 2 pictures; pass one mask for each"):
        show_overlays([picture, picture], {"truth": [mask, mask], "predicted": [mask]}, CLASSES)


@pytest.mark.parametrize("live", ["0", "1"])
def test_no_masks_at_all_are_refused(picture, monkeypatch, live):
    monkeypatch.setenv("COURSE_LIVE", live)
    for refused in (
        lambda: show_overlays([picture], {}, CLASSES),
        lambda: explore_overlay(picture, {}, CLASSES),
        lambda: overlay_page(picture, {}, CLASSES, "none"),
    ):
        with pytest.raises(EmptyData, match="no masks to show on the picture; pass at least one"):
            refused()


def test_a_sheet_has_a_row_for_the_pictures_and_one_for_each_set_of_masks(picture, mask):
    chart = show_overlays([picture, picture], {"truth": [mask, mask], "predicted": [mask, mask]}, CLASSES)
    assert len(chart.axes) == 6
    assert [text.get_text() for text in chart.legends[0].get_texts()] == ["cat", "dog"]
    assert "truth, predicted" in chart.alt


def test_one_picture_alone_stands_beside_its_masks(picture, mask):
    chart = show_overlays([picture], {"truth": [mask], "predicted": [mask]}, CLASSES)
    assert [axes.get_title("center") for axes in chart.axes] == ["picture", "truth", "predicted"]
    assert chart.get_figwidth() > chart.get_figheight()


def pixels_of(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition("base64,")[2])))).astype(float)


@pytest.mark.parametrize("opacity", [0.0, 0.1, 0.7, 1.0])
def test_layers_blended_by_their_opacity_are_the_overlay(picture, mask, opacity):
    page = overlay_page(picture, {"truth": mask, "empty": np.zeros_like(mask)}, CLASSES, "a scene")
    live = json.loads(re.search(r"root.innerHTML = (.*);", page)[1])
    pictures = re.findall(r'<img alt="([^"]*)"(?: data-layer="(\w+)")? src="([^"]+)"(?: data-layer="(\w+)")?', live)
    assert [(alt, first or last) for alt, first, _, last in pictures[:4]] == [
        ("a scene", ""),
        ("", "fill"),
        ("", "fill"),
        ("", "outline"),
    ]
    blended = pixels_of(pictures[0][2])
    for _, first, address, last in pictures[1:4]:
        layer = pixels_of(address)
        strength = opacity if "fill" in (first, last) else max(opacity, min(3 * opacity, OUTLINE_OPACITY))
        alpha = strength * (layer[..., 3:] / 255 if layer.shape[2] == 4 else 1)
        blended = blended * (1 - alpha) + layer[..., :3] * alpha
    assert np.abs(blended - overlay(picture, mask, opacity=opacity)).max() <= 1


def test_the_page_has_a_slider_a_choice_of_masks_and_a_legend_and_a_sheet_without_scripts(picture, mask):
    page = overlay_page(picture, {"truth": mask, "<b>": mask}, CLASSES, "a scene")
    static, script = page.split("<script>")
    assert re.findall("<img alt=.a scene.", static) and "<input" not in static
    live = json.loads(re.search(r"root.innerHTML = (.*);", script)[1])
    assert re.search('<label>opacity <input type="range"[^>]* value="0.7"></label>', live)
    assert re.findall('<label><input type="radio"[^>]*>([^ ]*)</label>', live) == ["truth", "&lt;b&gt;"]
    assert "cat" in live and COLOURS[1] in live


def test_where_nobody_watches_it_is_a_static_sheet(picture, mask, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_LIVE", "0")
    explore_overlay(picture, {"truth": mask}, CLASSES)
    assert "cat, dog: truth" in capsys.readouterr().out
