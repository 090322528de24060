import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course.errors import EmptyData, TrainingError
from course.training.lr_finder import find_lr


def separable(n=64):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 8, generator=generator)
    return DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=16)


def test_rates_grow_evenly_and_the_suggestion_is_below_the_lowest_loss():
    torch.manual_seed(0)
    found = find_lr(nn.Linear(8, 2), separable(), low=1e-4, high=10, steps=40)
    ratios = {round(b / a, 6) for a, b in zip(found.lrs, found.lrs[1:], strict=False)}
    assert len(ratios) == 1
    assert found.lrs[0] == pytest.approx(1e-4)
    lowest = found.losses.index(min(found.losses))
    assert found.suggestion == pytest.approx(found.lrs[lowest] / 10)


def test_the_model_stays_as_it_was():
    model = nn.Linear(8, 2).train()
    before = model.weight.clone()
    find_lr(model, separable(), steps=20)
    assert torch.equal(model.weight, before)
    assert model.training
    assert model.weight.grad is None


def test_it_stops_once_the_loss_has_diverged():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    found = find_lr(model, separable(), low=1e-3, high=1e6, steps=60)
    assert len(found.lrs) < 60
    assert all(loss < 1e30 for loss in found.losses)


def test_a_loader_shorter_than_the_search_is_read_again():
    assert len(find_lr(nn.Linear(8, 2), separable(16), high=1e-3, steps=25).lrs) == 25


def test_nothing_to_train_and_nothing_to_read_are_said():
    with pytest.raises(TrainingError, match="every parameter of the model is frozen"):
        find_lr(nn.Linear(8, 2).requires_grad_(False), separable())
    with pytest.raises(EmptyData):
        find_lr(nn.Linear(8, 2), [])
    with pytest.raises(TrainingError, match="at least 10 steps"):
        find_lr(nn.Linear(8, 2), separable(), low=1, high=0.1)
