"""Boxes on pictures: those above the threshold, with their names; a slider where somebody watches."""

import itertools
import json
import re

import pytest
import torch

from course.applications import box_viewer
from course.applications.box_viewer import explore_threshold, show_boxes
from course.notebook.plots import COLOURS
from tests.live_notebook import run_live

CLASSES = ("cat", "dog")
PICTURES = [torch.rand(3, 32, 32), torch.rand(3, 32, 32)]
FOUND = [
    {
        "boxes": torch.tensor([[2.0, 2, 20, 20], [10, 10, 30, 30]]),
        "labels": torch.tensor([1, 2]),
        "scores": torch.tensor([0.9, 0.3]),
    },
    {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64), "scores": torch.zeros(0)},
]


def texts(chart):
    return [[text.get_text() for text in axes.texts] for axes in chart.axes]


def test_boxes_above_the_threshold_are_drawn_with_class_and_score():
    assert texts(show_boxes(PICTURES, FOUND, CLASSES, threshold=0.5)) == [["cat 90"], []]
    assert texts(show_boxes(PICTURES, FOUND, CLASSES, threshold=0.2)) == [["dog 30", "cat 90"], []]
    assert len(show_boxes(PICTURES, FOUND, CLASSES, threshold=0.2).axes[0].patches) == 2


def test_a_name_near_the_right_edge_grows_to_the_left():
    wide = {"boxes": torch.tensor([[1.0, 8, 12, 30], [22, 8, 31, 30]]), "labels": torch.tensor([1, 2])}
    left, right = show_boxes(PICTURES[:1], [wide], ("a", "a long name")).axes[0].texts
    assert (left.get_ha(), left.get_position()[0]) == ("left", 1)
    assert (right.get_ha(), right.get_position()[0]) == ("right", 31)


def test_names_of_boxes_at_the_same_place_do_not_cover_each_other():
    twice = {"boxes": torch.tensor([[20.0, 40, 60, 80]] * 4), "labels": torch.tensor([1, 2, 1, 2])}
    drawn = show_boxes([torch.rand(3, 128, 128)], [twice], CLASSES).axes[0].texts
    assert len({text.get_position()[0] for text in drawn}) == 1
    heights = sorted(text.get_position()[1] for text in drawn)
    assert all(lower - upper > 8 for upper, lower in itertools.pairwise(heights))
    assert drawn[-1].get_position()[1] == 39  # the one on top stands above its box


def test_targets_are_drawn_whole_and_without_a_score():
    targets = [{key: one[key] for key in ("boxes", "labels")} for one in FOUND]
    assert texts(show_boxes(PICTURES, targets, CLASSES, threshold=0.99)) == [["cat", "dog"], []]


def test_pictures_and_boxes_must_be_as_many():
    with pytest.raises(ValueError, match="2 pictures and boxes for 1"):
        show_boxes(PICTURES, FOUND[:1], CLASSES)
    with pytest.raises(ValueError, match="0 pictures"):
        show_boxes([], [], CLASSES)


def test_when_nobody_watches_there_is_one_row_a_threshold(monkeypatch):
    shown = []
    monkeypatch.setattr(box_viewer, "show", lambda chart, alt: shown.append((chart, alt)))
    explore_threshold(PICTURES, FOUND, CLASSES, thresholds=(0.2, 0.5), alt="two rows")
    ((chart, alt),) = shown
    assert alt == "two rows"
    assert texts(chart) == [["dog 30", "cat 90"], [], ["cat 90"], []]
    assert chart.axes[0].get_title(loc="left") == "score at least 0.2"


def page_of_boxes():
    """(what is shown without scripts, what the script shows)."""
    page = box_viewer.threshold_page(PICTURES, FOUND, ("<cat>", "dog"), threshold=0.5, alt="a & b")
    static, script = page.split("<script>")
    return static, json.loads(re.search(r"root.innerHTML = (.*);", script)[1])


def test_without_scripts_the_page_is_the_picture_at_the_default_threshold_with_its_count():
    static, _ = page_of_boxes()
    assert re.findall("<img alt=[^ ]* [^ ]*", static) == ['<img alt="a &amp;']
    assert "score at least 0.5: 1 of 2 boxes" in static
    assert "<script" not in static and "<input" not in static


def test_the_page_has_every_box_with_its_score_and_its_escaped_name_on_a_picture_with_alt_text():
    _, live = page_of_boxes()
    boxes = re.findall(r'<g data-score="([^"]+)"><rect x="([^"]+)" y="([^"]+)".*?>([^<]*)</text></g>', live)
    assert [(round(float(score), 3), x, y, name) for score, x, y, name in boxes] == [
        (0.3, "10.00", "10.00", "dog 30"),
        (0.9, "2.00", "2.00", "&lt;cat&gt; 90"),
    ]
    assert re.findall('<img alt="([^"]*)" src="data:image/png;base64,', live) == ["picture 1 of 2", "picture 2 of 2"]
    assert re.search("<label>score at least <input type=.range.", live) and "<output>" in live


def test_names_have_enough_contrast_with_every_colour_of_a_class():
    for colour in COLOURS:
        page = box_viewer._svg_box([0, 0, 9, 9], "cat", (0, 9, False), colour, 32)
        back = box_viewer._luminance(colour)
        contrast = (1.05 / (back + 0.05)) if 'fill="#fff"' in page else (back + 0.05) / 0.05
        assert contrast >= 4.5, colour


def test_what_is_stored_of_a_live_viewer_needs_no_kernel_and_two_of_them_share_no_id():
    source = """
import torch
from course.applications.box_viewer import explore_threshold
found = {"boxes": torch.tensor([[2.0, 2, 20, 20]]), "labels": torch.tensor([1]), "scores": torch.tensor([0.9])}
for _ in range(2): explore_threshold([torch.rand(3, 32, 32)], [found], ["cat"], alt="one cat")"""
    ((first, second),) = run_live(source)
    assert first.data["text/plain"] == "Picture: one cat"
    assert set(first.data) == {"text/html", "text/plain"}
    assert " id=" not in first.data["text/html"] + second.data["text/html"]


def test_with_a_legend_the_classes_are_named_once_and_boxes_have_only_their_score():
    chart = show_boxes(PICTURES, FOUND, CLASSES, threshold=0.2, legend=True)
    assert texts(chart) == [["30", "90"], []]
    assert [text.get_text() for text in chart.legends[0].get_texts()] == list(CLASSES)
