import pytest
import torch
from PIL import Image

from course import load_backbone
from course.data.augmentation import augmentation
from course.data.emoji import object_picture
from course.data.loaders import is_random
from course.errors import DataError
from course.models.backbones import image_transform

PICTURE = object_picture("dog face").convert("RGB")


@pytest.fixture(scope="module")
def prepare():
    return image_transform(load_backbone(weights=None), size=64)


def test_versions_differ_are_repeatable_and_as_the_weights_expect(prepare):
    augment = augmentation(prepare, 64, erase=0.5)
    torch.manual_seed(0)
    first, second = augment(PICTURE), augment(PICTURE)
    assert first.shape == (3, 64, 64)
    assert first.min() >= -1.5 and first.max() <= 1.5
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(augment(PICTURE), first)


def test_without_any_change_it_is_the_preprocessing_alone(prepare):
    augment = augmentation(prepare, 96, min_area=1.0, flip=False, colour=0.0)
    square = Image.new("RGB", (96, 96), (200, 30, 60))
    assert torch.allclose(augment(square), prepare(square), atol=1e-5)


def test_it_is_known_to_be_random(prepare):
    assert is_random(augmentation(prepare, 64))


@pytest.mark.parametrize("wrong", [{"min_area": 0}, {"min_area": 1.5}, {"colour": 1.0}, {"erase": 2}])
def test_impossible_settings_are_refused(prepare, wrong):
    with pytest.raises(DataError, match=r"min_area is above 0"):
        augmentation(prepare, 64, **wrong)
