"""Microseconds a step costs beyond the bare step, for `fit` and its peers: a tiny model, where overhead shows.

The loops take short turns, always in another order: each waits in its data set when it asks for the next batch. A step
lasts from one batch asked for to the next, in processor time, and is compared with the bare loop's of the same round.
The median over the rounds counts, with the quartiles beside it, because other work on the machine comes and goes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import statistics
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import AdamW

from tests.benchmarks import Figure

BATCH = 8
WARM_UP = 5  # steps at the start of a turn that do not count


class Pairs(torch.utils.data.Dataset):
    """Samples as (inputs, labels). Whoever asks for a batch waits after every turn of `steps` steps."""

    def __init__(self, rounds: int, steps: int) -> None:
        generator = torch.Generator().manual_seed(0)
        inputs, labels = torch.randn(800, 32, generator=generator), torch.randint(0, 10, (800,), generator=generator)
        self.samples = [self.sample(*pair) for pair in zip(inputs, labels, strict=True)]
        self.rounds, self.steps = rounds, steps
        self.asked = 0
        self.seconds: list[float] = []  # a step, in each turn
        self.go, self.stopped = threading.Semaphore(0), threading.Semaphore(0)

    @staticmethod
    def sample(x: torch.Tensor, y: torch.Tensor) -> Any:
        return x, y

    def __len__(self) -> int:
        return (self.rounds * (WARM_UP + self.steps) + 1) * BATCH

    def __getitem__(self, index: int) -> Any:
        return self.samples[index % len(self.samples)]

    def __getitems__(self, indices: list[int]) -> list[Any]:  # what a DataLoader calls once a batch
        position = self.asked % (WARM_UP + self.steps)
        if position == 0:
            self._wait()
        elif position == WARM_UP:
            self.started = time.process_time()
        self.asked += 1
        return [self[index] for index in indices]

    def _wait(self) -> None:
        if self.asked:
            self.seconds.append((time.process_time() - self.started) / self.steps)
        self.stopped.release()
        self.go.acquire()

    def end(self, _: Any) -> None:
        """Nobody need wait any more for a loop that has ended, or failed."""
        self.stopped.release(self.rounds + 1)


class Named(Pairs):
    """The same samples as dicts, as transformers wants them."""

    @staticmethod
    def sample(x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"x": x, "labels": y}


class TinyForTrainer(nn.Module):
    """The tiny model with its loss inside, as transformers wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = tiny()

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.body(x)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


def tiny() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 10))


def loader(data: Pairs) -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(data, batch_size=BATCH)


def bare(data: Pairs) -> None:
    model, batches = tiny().train(), loader(data)
    optimizer = AdamW(model.parameters())
    for x, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def course(data: Pairs) -> None:
    from course.training.loop import fit

    fit(tiny(), loader(data), epochs=1, device="cpu", verbose=False)


def fabric(data: Pairs) -> None:
    from lightning.fabric import Fabric

    runner = Fabric(accelerator="cpu", devices=1)
    model = tiny().train()
    model, optimizer = runner.setup(model, AdamW(model.parameters()))
    for x, y in runner.setup_dataloaders(loader(data)):
        optimizer.zero_grad()
        runner.backward(F.cross_entropy(model(x), y))
        optimizer.step()


def accelerate(data: Pairs) -> None:
    from accelerate import Accelerator

    accelerator, model = Accelerator(cpu=True), tiny().train()
    model, optimizer, batches = accelerator.prepare(model, AdamW(model.parameters()), loader(data))
    for x, y in batches:
        optimizer.zero_grad()
        accelerator.backward(F.cross_entropy(model(x), y))
        optimizer.step()


def lightning_trainer(data: Pairs) -> None:
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # importing it sets its level

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.body = tiny()

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            x, y = batch
            return F.cross_entropy(self.body(x), y)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return AdamW(self.parameters())

    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    lightning.Trainer(accelerator="cpu", devices=1, max_epochs=1, **quiet).fit(Module(), loader(data))


def fastai(data: Pairs) -> None:
    import fastai.callback.progress  # noqa: F401 gives the learner its no_bar
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    learner = Learner(
        DataLoaders(loader(data), []), tiny(), loss_func=F.cross_entropy, opt_func=partial(OptimWrapper, opt=AdamW)
    )
    with learner.no_bar(), learner.no_logging():
        learner.fit(1)


def transformers_trainer(data: Pairs) -> None:
    from transformers import Trainer, TrainingArguments

    with tempfile.TemporaryDirectory() as folder:
        options = {
            "save_strategy": "no",
            "logging_strategy": "no",
            "report_to": [],
            "disable_tqdm": True,
            "optim": "adamw_torch",
        }
        arguments = TrainingArguments(
            folder, num_train_epochs=1, per_device_train_batch_size=BATCH, use_cpu=True, max_grad_norm=0.0, **options
        )
        Trainer(TinyForTrainer(), arguments, train_dataset=data).train()


# What to run, and the package it needs.
PEERS: dict[Callable[[Pairs], None], str] = {
    course: "course",
    fabric: "lightning",
    accelerate: "accelerate",
    lightning_trainer: "lightning",
    fastai: "fastai",
    transformers_trainer: "transformers",
}


def measure(rounds: str = "40", steps: str = "50") -> Figure:
    os.environ.update(COURSE_LIVE="0", TOKENIZERS_PARALLELISM="false")
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    installed = [peer for peer, package in PEERS.items() if importlib.util.find_spec(package)]
    notes = [f"{peer.__name__}: not installed, skipped" for peer in PEERS if peer not in installed]
    with contextlib.redirect_stdout(io.StringIO()):
        seconds = take_turns([bare, *installed], int(rounds), int(steps))
    over = {loop: differences(seconds[loop], seconds[bare]) for loop in installed}
    notes += [f"{loop.__name__}: {spread(over[loop])} µs over the bare step" for loop in installed]
    notes.append(f"bare step: {spread([value * 1e6 for value in seconds[bare]])} µs")
    bar = "Lightning Fabric's, which is not installed"
    if fabric in over:
        notes.append(f"course less fabric, round by round: {spread(differences(seconds[course], seconds[fabric]))} µs")
        bar = f"{statistics.median(over[fabric]):.0f}, Lightning Fabric's"
    return Figure(statistics.median(over[course]), "µs over the bare step", bar, tuple(notes))


def take_turns(loops: list[Callable[[Pairs], None]], rounds: int, steps: int) -> dict[Callable, list[float]]:
    """Seconds a step of each loop in each round, as the mean over a turn: what is done now and then counts as well."""
    data = {loop: (Named if loop is transformers_trainer else Pairs)(rounds, steps) for loop in loops}
    running = {}
    with ThreadPoolExecutor(len(loops)) as threads:
        try:
            for loop in loops:  # one after the other up to its first batch: imports and set-up do not count
                running[loop] = threads.submit(loop, data[loop])
                running[loop].add_done_callback(data[loop].end)
                data[loop].stopped.acquire()
            # Importing lightning sets this; every optimizer step of every loop then looks for NVIDIA's library on disk.
            os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
            for start in range(rounds):
                for loop in loops[start % len(loops) :] + loops[: start % len(loops)]:
                    data[loop].go.release()
                    data[loop].stopped.acquire()
        finally:
            for own in data.values():
                own.go.release(rounds + 1)  # to the end, without waiting
    return {loop: running[loop].result() or data[loop].seconds for loop in loops}


def differences(seconds: list[float], others: list[float]) -> list[float]:
    """Microseconds by which each of these exceeds the other of the same round."""
    return [(a - b) * 1e6 for a, b in zip(seconds, others, strict=True)]


def spread(values: list[float]) -> str:
    """The median, with the quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"
