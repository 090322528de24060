"""Pruning and 8-bit files."""

import copy

import pytest
import torch
from torch import nn

from course.applications.onnx_export import export_onnx
from course.errors import EmptyData, ModelError
from course.models.compression import load_onnx, prune_by_magnitude, quantize, zip_size_mib


@pytest.fixture
def network():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU()
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5)).eval()
    return network.to(memory_format=torch.channels_last)


def test_pruning_takes_the_smallest_weights_of_all_layers(network):
    before = copy.deepcopy(network)
    assert prune_by_magnitude(network, 0.4) is network
    old, new = (torch.cat([m[i].weight.flatten() for i in (0, 3, 7)]) for m in (before, network))
    assert int((new == 0).sum()) == int(0.4 * len(old))
    assert old[new == 0].abs().max() <= old[new != 0].abs().min()
    assert torch.equal(new[new != 0], old[new != 0])
    assert torch.equal(network[1].weight, before[1].weight), "BatchNorm is left alone"
    assert zip_size_mib(network) < zip_size_mib(before)


def test_nothing_pruned_is_nothing_changed_and_all_is_refused(network):
    before = copy.deepcopy(network.state_dict())
    prune_by_magnitude(network, 0)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    for fraction in (1, -0.1):
        with pytest.raises(ModelError, match="less than 1"):
            prune_by_magnitude(network, fraction)


def test_an_int8_file_is_smaller_and_nearly_the_same(network, tmp_path):
    x = torch.randn(60, 3, 24, 24, generator=torch.Generator().manual_seed(2))
    export_onnx(network, tmp_path / "float.onnx", (24, 24), {})
    target = quantize(tmp_path / "float.onnx", tmp_path / "int8.onnx", x)
    with torch.no_grad():
        ours = network(x)
    theirs = load_onnx(target)(x)
    assert (theirs - ours).abs().max() < 0.1 * (ours.max() - ours.min())
    assert torch.allclose(load_onnx(tmp_path / "float.onnx")(x), ours, atol=1e-4)
    assert zip_size_mib(target) < zip_size_mib(tmp_path / "float.onnx")
    with pytest.raises(EmptyData):
        quantize(tmp_path / "float.onnx", target, x[:0])
