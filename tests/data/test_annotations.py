"""Boxes and masks of own data: what is wrong is named with its sample and the remedy."""

import numpy as np
import pytest
import torch
from PIL import Image

from course.data.annotations import check_boxes, check_mask, check_scene, check_scenes
from course.data.scenes import Scene, Scenes
from course.errors import BadBoxes, BadLabels, BadMask, EmptyData

PICTURE = Image.new("RGB", (20, 10))
GOOD = Scene(PICTURE, np.zeros((10, 20), np.uint8), torch.tensor([[0.0, 0, 20, 10]]), torch.tensor([1]))


def test_scenes_are_sound():
    assert check_scenes(Scenes("train", 20), 10) == 20


def test_lists_and_other_kinds_become_tensors_and_arrays():
    scene = check_scene(Scene(PICTURE, Image.new("L", (20, 10), 255), [[1, 2, 3, 4]], [2]), 3)
    assert torch.equal(scene.boxes, torch.tensor([[1.0, 2, 3, 4]]))
    assert scene.labels.dtype == torch.int64
    assert scene.mask.dtype == np.uint8
    assert (scene.mask == 255).all()


@pytest.mark.parametrize("nothing", [[], torch.zeros(0, 4), np.zeros((0, 4))])
def test_a_picture_without_things_is_allowed(nothing):
    boxes, labels = check_boxes(nothing, [], (20, 10), 3)
    assert boxes.shape == (0, 4)
    assert (labels.shape, labels.dtype) == ((0,), torch.int64)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ([15, 5, 25, 8], r"box 1, \(15, 5, 25, 8\), extends beyond its picture of 20 x 10"),
        ([-1, 5, 5, 8], "clip_boxes_to_image"),
        ([0, 0, 10, 20], "extends beyond"),
        ([5, 5, 5, 8], "has no area"),
        ([8, 5, 4, 8], "xywh"),
        ([0.1, 0.1, 0.5, 0.6], "multiply fractions"),
        ([0, 0, float("nan"), 4], "holds NaN or infinity"),
        ([0, 0, float("inf"), 4], "holds NaN or infinity"),
    ],
)
def test_a_bad_box_is_named_with_its_sample(box, words):
    with pytest.raises(BadBoxes, match=words) as caught:
        check_boxes([[0, 0, 20, 10], box], [1, 1], (20, 10), 3, name="dog.jpg")
    assert str(caught.value).startswith("dog.jpg: box 1")


def test_boxes_of_another_shape_are_refused():
    with pytest.raises(BadBoxes, match=r"\(1, 5\), not \(N, 4\)"):
        check_boxes([[0, 0, 2, 2, 1]], [1], (20, 10), 3)
    with pytest.raises(BadBoxes, match=r"\(4,\)"):
        check_boxes([0, 0, 2, 2], [1], (20, 10), 3)


@pytest.mark.parametrize(
    ("labels", "words"),
    [([0], "0 is the background"), ([4], "from 1 to 3"), ([1.5], "1.5"), ([1, 2], "one label per box")],
)
def test_bad_labels_are_named_with_their_sample(labels, words):
    with pytest.raises(BadLabels, match=words) as caught:
        check_boxes([[0, 0, 2, 2]], labels, (20, 10), 3, name="dog.jpg")
    assert str(caught.value).startswith("dog.jpg: ")


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.zeros((20, 10), np.uint8), "10 x 20 pixels and its picture 20 x 10"),
        (np.full((10, 20), 7), "the values 7, which are not 0"),
        (np.full((10, 20), 0.5), "0.5"),
        (np.full((10, 20), -1), "-1"),
        (np.full((10, 20), np.nan), "nan"),
        (Image.new("RGB", (20, 10)), "in colours"),
        (np.zeros(200), r"\(200,\)"),
    ],
)
def test_a_bad_mask_is_named_with_its_sample(mask, words):
    with pytest.raises(BadMask, match=words) as caught:
        check_mask(mask, (20, 10), 3, name="dog.jpg")
    assert str(caught.value).startswith("dog.jpg: ")


@pytest.mark.parametrize("mask", [torch.full((10, 20), 3), np.full((10, 20), 255.0), np.ones((10, 20), bool)])
def test_masks_of_any_kind_are_read(mask):
    assert check_mask(mask, (20, 10), 3).dtype == np.uint8


def test_the_first_bad_sample_is_named_by_its_number():
    bad = GOOD._replace(boxes=torch.tensor([[0.0, 0, 21, 10]]))
    with pytest.raises(BadBoxes, match=r"^sample 2: box 0"):
        check_scenes([GOOD, GOOD, bad], 3)


def test_no_scene_at_all_is_an_error():
    with pytest.raises(EmptyData):
        check_scenes([], 3)
