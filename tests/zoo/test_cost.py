"""What a model costs, counted by hand."""

import pytest
import torch
from torch import nn

from course.models.weights import minilm_folder
from course.zoo.cost import footprint


def test_a_small_network_is_counted_as_by_hand():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 64, 5))
    found = footprint(model, torch.randn(2, 3, 8, 8), repeats=1)
    assert found.parameters == 3 * 4 * 9 + 4 + 4 + 4 + 4 * 64 * 5 + 5
    buffers = 4 * 4 * 2 + 8  # two statistics of four channels, and a counter of int64
    assert found.mebibytes == pytest.approx((4 * found.parameters + buffers) / 2**20)
    assert found.flops == 2 * (3 * 4 * 9 * 64 + 4 * 64 * 5)  # a multiplication and an addition are two
    assert found.milliseconds > 0


def test_the_model_keeps_its_mode_and_its_statistics():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = model[1].running_mean.clone()
    footprint(model, torch.randn(4, 3, 8, 8), repeats=1)
    assert model.training and model[1].training
    assert torch.equal(model[1].running_mean, before)


def test_operations_are_those_of_one_input_whatever_the_batch():
    model = nn.Linear(8, 8)
    assert footprint(model, torch.randn(1, 8), repeats=1).flops == footprint(model, torch.randn(7, 8), repeats=1).flops


def test_a_text_model_takes_a_dict():
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(minilm_folder(), num_hidden_layers=1)
    batch = {"input_ids": torch.ones(2, 6, dtype=torch.int64), "attention_mask": torch.ones(2, 6, dtype=torch.int64)}
    assert footprint(AutoModel.from_config(config), batch, repeats=1).flops > 0
