import threading

import pytest
import torch
from torch.utils.data import Dataset, Subset

from course.data import loaders
from course.data.loaders import make_loader
from course.errors import DataError


class Slow(Dataset):
    """Samples that wait until `together` of them are being read; attributes as a data set of the course has them."""

    classes = ("a", "b")

    def __init__(self, together=1, transform=None):
        self.barrier, self.transform = threading.Barrier(together, timeout=20), transform

    def __len__(self):
        return 24

    def __getitem__(self, index):
        self.barrier.wait()
        return torch.tensor(float(index)), index % 2


def read(batches):
    return [(x.tolist(), y.tolist()) for x, y in batches]


def test_threads_read_the_samples_of_a_batch_at_once_and_keep_their_order():
    serial, parallel = make_loader(Slow(), 8), make_loader(Slow(together=4), 8, threads=4)
    assert read(parallel) == read(serial)
    assert parallel.dataset.classes == ("a", "b") and len(parallel) == 3


def test_an_order_is_new_in_every_epoch_and_the_same_for_a_seed():
    one, same, other = (make_loader(Slow(), 24, shuffle=True, seed=seed) for seed in (0, 0, 1))
    first, second = read(one), read(one)
    assert first != second and sorted(first[0][0]) == sorted(second[0][0]) == list(range(24))
    assert [read(same), read(same)] == [first, second] and read(other) != first


def test_workers_read_the_same_and_exclude_threads():
    assert read(make_loader(Slow(), 8, workers=2)) == read(make_loader(Slow(), 8))
    with pytest.raises(DataError, match="choose one"):
        make_loader(Slow(), workers=2, threads=2)


def test_threads_come_by_themselves_only_for_a_gpu_and_a_transform_without_chance(monkeypatch):
    assert isinstance(make_loader(Slow()).dataset, Slow)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(loaders.os, "cpu_count", lambda: 6)
    assert loaders._threads_for(Slow(transform="Resize(96)")) == 6
    assert loaders._threads_for(Subset(Slow(transform="Resize(96), RandomHorizontalFlip(p=0.5)"), [0])) == 0


def test_an_error_in_a_thread_is_the_data_sets_own():
    class Broken(Slow):
        def __getitem__(self, index):
            raise KeyError(f"no picture {index}")

    with pytest.raises(KeyError, match="no picture 0"):
        read(make_loader(Broken(), 4, threads=2))


def test_threads_that_read_start_no_teams_of_threads_of_their_own():
    class Teams(Slow):
        def __getitem__(self, index):
            return torch.get_num_threads(), 0

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        teams = torch.cat([x for x, _ in make_loader(Teams(), 4, threads=2)])
        assert set(teams.tolist()) == {1} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
