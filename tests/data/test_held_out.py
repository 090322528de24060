import pytest
import torch
from torch.utils.data import TensorDataset

from course.data.emoji import Emoji
from course.data.held_out import hold_out
from course.errors import DataError


def test_every_class_gives_its_share_and_no_sample_is_on_both_sides():
    training, validation = hold_out(Emoji("train", per_class=10), 0.3, seed=1)
    assert torch.bincount(validation.labels).tolist() == [3] * 10
    assert torch.bincount(training.labels).tolist() == [7] * 10
    assert sorted([*training.indices, *validation.indices]) == list(range(100))
    assert training.classes == Emoji.classes


def test_the_labels_of_a_subset_are_those_of_its_samples():
    training, _ = hold_out(Emoji("train", per_class=3))
    assert [label for _, label in training] == training.labels.tolist()


def test_one_seed_draws_the_same_objects_in_every_style():
    drawn = []
    for style in ("fluent", "noto"):
        data = Emoji("train", style=style, per_class=5)
        drawn.append([data.objects[index] for index in hold_out(data, seed=3)[1].indices])
    assert drawn[0] == drawn[1]
    assert drawn[0] != [data.objects[index] for index in hold_out(data, seed=4)[1].indices]


def test_a_rare_class_is_on_either_side():
    data = TensorDataset(torch.zeros(12, 1), torch.tensor([0] * 10 + [1] * 2))
    training, validation = hold_out(data, 0.1)
    assert torch.bincount(training.labels).tolist() == [9, 1]
    assert torch.bincount(validation.labels).tolist() == [1, 1]


def test_a_class_with_one_sample_is_named():
    data = Emoji("train", per_class=1)
    with pytest.raises(DataError, match=r"class 'mammal' has a single sample.*add samples"):
        hold_out(data)


@pytest.mark.parametrize("share", [0, 1, 20])
def test_a_share_is_between_zero_and_one(share):
    with pytest.raises(DataError, match=r"between 0 and 1"):
        hold_out(Emoji("train", per_class=2), share)


def test_labels_that_are_no_classes_are_refused():
    with pytest.raises(DataError, match=r"not one class number per sample.*Subset"):
        hold_out(TensorDataset(torch.zeros(4, 1), torch.rand(4)))
