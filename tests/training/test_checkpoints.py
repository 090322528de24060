import copy
import os
import pickle
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course.errors import BadCheckpoint
from course.training.checkpoints import generator_states, read_checkpoint, restore_generators, write_checkpoint
from course.training.loop import cosine, fit

# A run with everything in it that draws at random or remembers: shuffling, dropout, BatchNorm, numpy's and Python's
# generators, momentum, groups with rates of their own, a schedule and early stopping. Arguments: its checkpoint; the
# forward pass at which the process is killed, or 0; and the checkpoint of a second run, from the same start, to compare
# the weights with.
RUN = """
import os, random, signal, sys
import numpy as np, torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from course.training.loop import fit

class Noisy(nn.Module):
    forwards = 0
    def forward(self, x):
        Noisy.forwards += 1
        if Noisy.forwards == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return x + 0.01 * np.random.randn() + 0.01 * random.random()

def run(path):
    torch.manual_seed(0); np.random.seed(0); random.seed(0)
    x = torch.randn(60, 6); y = (x[:, 0] > 0).long()
    model = nn.Sequential(Noisy(), nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
    own = torch.Generator().manual_seed(5)
    loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True, generator=own)
    plain = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True)
    groups = [{"params": model[1].parameters(), "lr": 3e-3}, {"params": model[2:].parameters(), "weight_decay": 0.1}]
    options = {"optimizer": torch.optim.AdamW(groups, lr=1e-2), "schedule": "cosine", "patience": 3}
    fit(model, loader, plain, epochs=4, **options, checkpoint=path, device="cpu", verbose=False)
    return model.state_dict()

torch.set_num_threads(1)
first = run(sys.argv[1])
second = run(sys.argv[3])
print(all(torch.equal(first[name], second[name]) for name in first))
"""


def run(*arguments):
    command = [sys.executable, "-c", RUN, *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL on Windows")
def test_a_killed_run_started_again_ends_in_bit_identical_weights(tmp_path):
    killed = run(tmp_path / "cut.ckpt", 21)  # an epoch has 16 forward passes
    assert killed.returncode == -signal.SIGKILL
    done = run(tmp_path / "cut.ckpt", 0, tmp_path / "whole.ckpt")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"resuming after epoch 1, from {tmp_path / 'cut.ckpt'}", "True"]


def test_an_interrupted_first_epoch_run_again_in_the_same_kernel_starts_where_it_started(tmp_path):
    class Interrupt(nn.Module):
        at = 2

        def forward(self, x):
            self.at -= 1
            if self.at == 0:
                raise KeyboardInterrupt
            return x

    def train(model, path):
        loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=8, shuffle=True)
        fit(model, loader, epochs=2, checkpoint=path, device="cpu", verbose=False)
        return model[1].weight.detach()

    x = torch.randn(24, 4, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    layer = nn.Linear(4, 2)
    whole, cut = (nn.Sequential(Interrupt(), copy.deepcopy(layer)) for _ in range(2))
    whole[0].at = -1
    torch.manual_seed(2)
    expected = train(whole, tmp_path / "whole.ckpt")
    torch.manual_seed(2)
    with pytest.raises(KeyboardInterrupt):
        train(cut, tmp_path / "cut.ckpt")
    assert not torch.equal(cut[1].weight, layer.weight)
    assert torch.equal(train(cut, tmp_path / "cut.ckpt"), expected)


def job(path, *, epochs=2, hidden=8, lr=1e-3, **options):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(24, 4, generator=generator)
    model = nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, 2))
    loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=8)
    return model, fit(
        model, loader, loader, epochs=epochs, lr=lr, checkpoint=path, device="cpu", verbose=False, **options
    )


def test_a_finished_run_is_only_read_back(tmp_path):
    first, history = job(tmp_path / "run.ckpt")
    second, again = job(tmp_path / "run.ckpt")
    assert again.rows == history.rows
    assert torch.equal(first[0].weight, second[0].weight)


def test_more_epochs_go_on_from_the_last_one(tmp_path):
    job(tmp_path / "run.ckpt", epochs=1)
    assert len(job(tmp_path / "run.ckpt", epochs=3)[1]) == 3


class Halving:
    """A schedule that is no function, and holds what no checkpoint can."""

    def __init__(self):
        self.seen = [lambda: None]

    def __call__(self, step):
        return 0.5 ** (step / 3)


@pytest.mark.parametrize("schedule", [cosine(12, warmup=2), Halving()], ids=["function", "object"])
def test_a_run_taken_up_within_its_schedule_goes_on_to_the_bit_in_every_group(tmp_path, schedule):
    def train(epochs, path=None):
        x = torch.randn(24, 4, generator=torch.Generator().manual_seed(0))
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        groups = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters(), "momentum": 0.5}]
        optimizer = torch.optim.SGD(groups, lr=0.01, momentum=0.9)
        loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=8)
        options = {"optimizer": optimizer, "schedule": schedule, "device": "cpu", "verbose": False}
        history = fit(model, loader, epochs=epochs, checkpoint=path, **options)
        return [group["lr"] for group in optimizer.param_groups], history["lr"], list(model.parameters())

    *whole, weights = train(4)
    train(2, tmp_path / "run.ckpt")
    *resumed, again = train(4, tmp_path / "run.ckpt")
    assert resumed == whole and whole[0] == [0.1 * schedule(12), 0.01 * schedule(12)]
    assert all(torch.equal(a, b) for a, b in zip(weights, again, strict=True))


@pytest.mark.parametrize("precisions", [("float32", "float16"), ("float16", "float32")])
def test_a_run_goes_on_in_another_precision_as_on_another_device(tmp_path, precisions):
    for epochs, precision in enumerate(precisions, start=1):
        _, history = job(tmp_path / "run.ckpt", epochs=epochs, precision=precision)
    assert len(history) == 2 and history.last["train_loss"] < history.rows[0]["train_loss"]


@pytest.mark.parametrize("change", [{"hidden": 9}, {"lr": 1e-2}, {"clip_norm": 1.0}, {"schedule": "cosine"}])
def test_a_checkpoint_of_another_run_is_refused_and_stays(tmp_path, change):
    path = tmp_path / "run.ckpt"
    job(path)
    before = path.read_bytes()
    with pytest.raises(BadCheckpoint, match=r"belongs to another run.*delete the file"):
        job(path, **change)
    assert path.read_bytes() == before


def test_a_damaged_checkpoint_says_what_to_do(tmp_path):
    path = tmp_path / "run.ckpt"
    job(path)
    whole = path.read_bytes()
    for damaged in (b"", b"not a checkpoint", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(BadCheckpoint, match="delete it to start this training over"):
            job(path)


def test_flipped_bits_are_found(tmp_path):
    path = tmp_path / "run.ckpt"
    weights = torch.full((1000,), 0.5)
    write_checkpoint(path, {"model": {"weight": weights}})
    content = bytearray(path.read_bytes())
    content[content.index(weights.numpy().tobytes()) + 100] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadCheckpoint):
        read_checkpoint(path)


def test_code_in_a_checkpoint_is_never_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "attacked"),)

    for name, write in (("torch", torch.save), ("pickle", lambda value, path: path.write_bytes(pickle.dumps(value)))):
        write(Attack(), tmp_path / name)
        with pytest.raises(BadCheckpoint):
            read_checkpoint(tmp_path / name)
    assert not (tmp_path / "attacked").exists()


def test_all_generators_come_back():
    loader = DataLoader(TensorDataset(torch.arange(9)), shuffle=True, generator=torch.Generator().manual_seed(1))

    def draw():
        return (
            random.random(),
            np.random.rand(),
            np.random.randn(),
            torch.rand(()).item(),
            [b[0].item() for b in loader],
        )

    np.random.randn()  # numpy keeps the second of a pair of normal numbers for later
    states = generator_states([loader, None])
    first = draw()
    assert draw() != first
    restore_generators(states, [loader, None])
    assert draw() == first
