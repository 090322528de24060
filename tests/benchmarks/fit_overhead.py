"""One fine-tuning epoch of the backbone (batches of 25, 96 pixels): `fit` against the loop a good engineer would write.

The two take turns, and the ratio of their fastest epochs is the figure: other work on the machine slows both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from course.models.backbones import load_backbone
from course.models.freezing import set_train
from course.training.loop import fit
from tests.benchmarks import Figure


def measure(repetitions: str = "7", steps: str = "6") -> Figure:
    os.environ["COURSE_LIVE"] = "0"
    generator = torch.Generator().manual_seed(0)
    samples = 25 * int(steps)
    pictures = torch.rand(samples, 3, 96, 96, generator=generator)
    labels = torch.randint(0, 10, (samples,), generator=generator)
    loader = DataLoader(TensorDataset(pictures, labels), batch_size=25)
    model = load_backbone(num_classes=10)

    def ours() -> None:
        fit(model, loader, epochs=1, lr=1e-4, device="cpu", verbose=False)

    def bare() -> None:
        _bare_epoch(model, loader)

    bare()
    times: dict[Callable, list[float]] = {ours: [], bare: []}
    for repetition in range(int(repetitions)):
        for epoch in (ours, bare) if repetition % 2 else (bare, ours):
            started = time.perf_counter()
            epoch()
            times[epoch].append(time.perf_counter() - started)
    note = f"fastest epoch of {steps} steps: fit {min(times[ours]):.3f} s, bare loop {min(times[bare]):.3f} s"
    return Figure(min(times[ours]) / min(times[bare]), "times the bare loop", "1.03", (note,))


def _bare_epoch(model: torch.nn.Module, loader: DataLoader) -> None:
    """What `fit` does for this call, without `fit`: the mean loss and the accuracy are wanted as well."""
    set_train(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    loss_sum, hits = 0.0, 0
    for pictures, labels in loader:
        pictures = pictures.to(memory_format=torch.channels_last)
        optimizer.zero_grad()
        logits = model(pictures)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(labels)
        hits += (logits.argmax(1) == labels).sum().item()
    model.eval()
