"""Microseconds a step costs beyond the bare step, for `fit` and its peers: a tiny model, where overhead shows.

All take turns in short runs on the same batches in memory, and each one's fastest run counts.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import AdamW

from tests.benchmarks import Figure

BATCH = 32
SHORT = 2  # steps of a run that shows the set-up alone


class Pairs(torch.utils.data.Dataset):
    """Samples as (inputs, labels)."""

    def __init__(self, samples: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(samples, 32, generator=generator)
        self.y = torch.randint(0, 10, (samples,), generator=generator)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.x[index], self.y[index]


class Named(Pairs):
    """The same samples as dicts, as transformers wants them."""

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:  # type: ignore[override]
        return {"x": self.x[index], "labels": self.y[index]}


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


def loader(steps: int) -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(Pairs(steps * BATCH), batch_size=BATCH)


def bare(steps: int) -> None:
    model, batches = tiny().train(), loader(steps)
    optimizer = AdamW(model.parameters())
    for x, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def course(steps: int) -> None:
    from course.training import fit

    fit(tiny(), loader(steps), epochs=1, device="cpu", verbose=False)


def fabric(steps: int) -> None:
    from lightning.fabric import Fabric

    runner = Fabric(accelerator="cpu", devices=1)
    model = tiny().train()
    model, optimizer = runner.setup(model, AdamW(model.parameters()))
    for x, y in runner.setup_dataloaders(loader(steps)):
        optimizer.zero_grad()
        runner.backward(F.cross_entropy(model(x), y))
        optimizer.step()


def accelerate(steps: int) -> None:
    from accelerate import Accelerator

    accelerator, model = Accelerator(cpu=True), tiny().train()
    model, optimizer, batches = accelerator.prepare(model, AdamW(model.parameters()), loader(steps))
    for x, y in batches:
        optimizer.zero_grad()
        accelerator.backward(F.cross_entropy(model(x), y))
        optimizer.step()


def lightning_trainer(steps: int) -> None:
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
    lightning.Trainer(accelerator="cpu", devices=1, max_epochs=1, **quiet).fit(Module(), loader(steps))


def fastai(steps: int) -> None:
    import fastai.callback.progress  # noqa: F401 gives the learner its no_bar
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    learner = Learner(
        DataLoaders(loader(steps), []), tiny(), loss_func=F.cross_entropy, opt_func=partial(OptimWrapper, opt=AdamW)
    )
    with learner.no_bar(), learner.no_logging():
        learner.fit(1)


def transformers_trainer(steps: int) -> None:
    from transformers import Trainer, TrainingArguments

    with tempfile.TemporaryDirectory() as folder:
        options = {"save_strategy": "no", "logging_strategy": "no", "report_to": [], "disable_tqdm": True}
        arguments = TrainingArguments(
            folder, num_train_epochs=1, per_device_train_batch_size=BATCH, use_cpu=True, max_grad_norm=0.0, **options
        )
        Trainer(TinyForTrainer(), arguments, train_dataset=Named(steps * BATCH)).train()


# What to run, and the package it needs.
PEERS: dict[Callable[[int], None], str] = {
    course: "course",
    fabric: "lightning",
    accelerate: "accelerate",
    lightning_trainer: "lightning",
    fastai: "fastai",
    transformers_trainer: "transformers",
}


def measure(repetitions: str = "5", steps: str = "2000") -> Figure:
    os.environ.update(COURSE_LIVE="0", TOKENIZERS_PARALLELISM="false")
    warnings.simplefilter("ignore")
    installed = [peer for peer, package in PEERS.items() if importlib.util.find_spec(package)]
    notes = [f"{peer.__name__}: not installed, skipped" for peer in PEERS if peer not in installed]
    runs = [bare, *installed]
    long, short = dict.fromkeys(runs, float("inf")), dict.fromkeys(runs, float("inf"))
    for run in runs:  # imports, and what each sets up once
        run(20)
    for _ in range(int(repetitions)):
        for run in runs:
            short[run] = min(short[run], _seconds(run, SHORT), _seconds(run, SHORT))
            long[run] = min(long[run], _seconds(run, int(steps)))
    # What a step costs: the long run, less the set-up that the short run shows too.
    fastest = {run: (long[run] - short[run]) / (int(steps) - SHORT) * 1e6 for run in runs}
    over = {run: fastest[run] - fastest[bare] for run in installed}
    notes += [f"{run.__name__}: {over[run]:.0f} µs over the bare step" for run in installed]
    bar = f"{over[fabric]:.0f}, Lightning Fabric's" if fabric in over else "Lightning Fabric's, which is not installed"
    return Figure(over[course], "µs over the bare step", bar, (*notes, f"bare step: {fastest[bare]:.0f} µs"))


def _seconds(run: Callable[[int], None], steps: int) -> float:
    started = time.perf_counter()
    run(steps)
    return time.perf_counter() - started
