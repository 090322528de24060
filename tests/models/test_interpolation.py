"""Weights between two models."""

import pytest
import torch
from torch import nn

from course.errors import ModelError
from course.models.interpolation import interpolate


def model(seed):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    network(torch.randn(2 + seed, 3, 5, 5))
    for _ in range(seed):
        network(torch.randn(4, 3, 5, 5))
    return network


def test_both_ends_are_bit_identical_and_new_tensors():
    a, b = model(0).state_dict(), model(3).state_dict()
    for alpha, end in ((0, a), (1.0, b)):
        made = interpolate(a, b, alpha)
        assert all(torch.equal(made[name], end[name]) and made[name].dtype == end[name].dtype for name in end)
        assert not {t.data_ptr() for t in made.values()} & {t.data_ptr() for t in (*a.values(), *b.values())}


def test_in_between_fractions_are_averaged_and_whole_numbers_are_the_nearer_models():
    a, b = model(0).state_dict(), model(3).state_dict()
    before = {name: value.clone() for name, value in a.items()}
    for alpha, nearer in ((0.25, a), (0.5, a), (0.75, b)):
        made = interpolate(a, b, alpha)
        assert torch.allclose(made["1.running_var"], (1 - alpha) * a["1.running_var"] + alpha * b["1.running_var"])
        assert torch.equal(made["1.num_batches_tracked"], nearer["1.num_batches_tracked"])
        model(1).load_state_dict(made)
    assert all(torch.equal(a[name], before[name]) for name in a)


def test_states_of_different_models_are_refused():
    a = model(0).state_dict()
    with pytest.raises(ModelError, match=r"differ in \['0\.bias'"):
        interpolate(a, {name: value for name, value in a.items() if name != "0.bias"}, 0.5)
    with pytest.raises(ModelError, match=r"0\.weight"):
        interpolate(a, nn.Sequential(nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4)).state_dict(), 0.5)
