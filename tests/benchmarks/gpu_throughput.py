"""Pictures a second of fine-tuning ResNet-50 at 224 pixels: through `fit`, against a bare tuned loop on the same GPU.

    python -m tests.benchmarks gpu_throughput [--compile no|yes|both] [--batch-size 128] [--steps 40] [--turns 5]

Once on pictures that are in memory already, once from JPEG files of 500 x 375 pixels made for the purpose, in epochs
four times as long because the first batch is waited for: the bare loop reads them as `torchvision` and a DataLoader
with a process per core do, `fit` by our own `make_loader`, by processes and by threads. The loops take turns on one
model, and the fastest epoch of each counts. Without a CUDA GPU nothing is run; `--device cpu --model resnet18 --size 64
--batch-size 8 --steps 2 --turns 1` tries the code.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from course.data.loaders import MAX_THREADS, make_loader
from course.data.pictures import PictureFolder
from course.models.backbones import image_transform, load_backbone
from course.models.freezing import set_train
from course.runtime import choose_precision
from course.training.engine import PRECISIONS, Engine
from course.training.loop import fit
from tests.benchmarks import Figure

BAR, JPEG_BAR = 0.97, 0.9
CLASSES = 37


class InMemory:
    """`steps` batches of random pictures in pinned memory, a few of them over and over."""

    def __init__(self, batch_size: int, size: int, steps: int, *, pinned: bool) -> None:
        generator = torch.Generator().manual_seed(0)
        self.steps, self.batches = steps, []
        for _ in range(min(steps, 8)):
            pictures = torch.rand(batch_size, 3, size, size, generator=generator)
            labels = torch.randint(0, CLASSES, (batch_size,), generator=generator)
            self.batches.append((pictures.pin_memory(), labels.pin_memory()) if pinned else (pictures, labels))

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        return (self.batches[step % len(self.batches)] for step in range(self.steps))


class Loops:
    """One model, and an epoch of it through `fit` or by the loop that a good engineer would write for this GPU."""

    def __init__(self, name: str, device: torch.device, *, compiles: bool) -> None:
        self.device, self.precision = device, choose_precision(str(device))[0]
        self.model = load_backbone(name, weights=None, num_classes=CLASSES).to(device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=device.type == "cuda" or None)
        self.engine = Engine(str(device), self.precision, compile=compiles)
        self.network: Any = torch.compile(self.model) if compiles else self.model
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "float16")

    def ours(self, batches: Any) -> None:
        fit(self.model, batches, epochs=1, optimizer=self.optimizer, device=self.engine, verbose=False)

    def bare(self, batches: Any) -> None:
        set_train(self.model)
        half = torch.autocast(self.device.type, PRECISIONS[self.precision], enabled=self.precision != "float32")
        for pictures, labels in batches:
            pictures = pictures.to(self.device, non_blocking=True, memory_format=torch.channels_last)
            labels = labels.to(self.device, non_blocking=True)
            self.optimizer.zero_grad()
            with half:
                loss = F.cross_entropy(self.network(pictures), labels)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def seconds(self, epoch: Callable[[Any], None], batches: Any) -> float:
        """What an epoch takes, until the GPU has done all of it."""
        started = time.perf_counter()
        epoch(batches)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - started


def measure(*arguments: str) -> Figure | None:
    options = _options(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("gpu_throughput: not run: there is no CUDA GPU here (--device cpu tries the code)")
        return None
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    rows, ratios = [], []
    memory = InMemory(options.batch_size, options.size, options.steps, pinned=device.type == "cuda")
    for compiles in {"no": [False], "yes": [True], "both": [False, True]}[options.compile]:
        loops = Loops(options.model, device, compiles=compiles)
        fastest = take_turns(loops, {loops.bare: memory, loops.ours: memory}, options.turns)
        ratios.append(fastest[loops.bare] / fastest[loops.ours])
        kind = f"{loops.precision}{', compiled' if compiles else ''}"
        pictures = options.steps * options.batch_size
        rows += [f"bare loop, in memory, {kind}: {pictures / fastest[loops.bare]:.0f} pictures/s"]
        rows += [f"fit, in memory, {kind}: {pictures / fastest[loops.ours]:.0f} pictures/s, {ratios[-1]:.3f} of it"]
        if not compiles:
            in_memory = pictures / fastest[loops.bare]
            rates = from_files(loops, options)
            for way, rate in rates.items():
                rows.append(
                    f"{way}, from JPEG files, {kind}: {rate:.0f} pictures/s, {rate / in_memory:.3f} of in memory"
                )
            bare, *ours = rates.values()
            rows.append(f"gpu_throughput from JPEG files: {max(ours) / bare:.4g} of the bare loop (bar {JPEG_BAR})")
    setting = f"{where}, torch {torch.__version__}: {options.model}, {options.size} pixels, batch {options.batch_size}"
    return Figure(min(ratios), "of the bare loop's pictures a second, in memory", str(BAR), (setting, *rows))


def take_turns(loops: Loops, epochs: dict[Callable, Any], turns: int) -> dict[Callable, float]:
    """Each loop's fastest epoch in seconds, after one that does not count."""
    for epoch, batches in epochs.items():
        loops.seconds(epoch, batches)
    times: dict[Callable, list[float]] = {epoch: [] for epoch in epochs}
    for turn in range(turns):
        for epoch in list(epochs)[:: -1 if turn % 2 else 1]:
            times[epoch].append(loops.seconds(epoch, epochs[epoch]))
    return {epoch: min(seconds) for epoch, seconds in times.items()}


def from_files(loops: Loops, options: argparse.Namespace) -> dict[str, float]:
    """Pictures a second from JPEG files: of the bare loop, and of `fit` in each way to read in parallel."""
    cores = os.cpu_count() or 1
    threads = min(cores, MAX_THREADS)
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder), 4 * options.steps * options.batch_size)
        transform = image_transform(loops.model, size=options.size)
        usual = DataLoader(
            ImageFolder(folder, transform), options.batch_size, drop_last=True, num_workers=cores,
            pin_memory=loops.device.type == "cuda", persistent_workers=True,
        )  # fmt: skip
        data = PictureFolder(folder, transform=transform)
        turns = max(1, options.turns - 2)
        by_processes = make_loader(data, options.batch_size, drop_last=True, workers=cores)
        fastest = take_turns(loops, {loops.bare: usual, loops.ours: by_processes}, turns)
        seconds = {"bare loop": fastest[loops.bare], f"fit, {cores} processes": fastest[loops.ours]}
        by_threads = make_loader(data, options.batch_size, drop_last=True, threads=threads)
        seconds[f"fit, {threads} threads"] = take_turns(loops, {loops.ours: by_threads}, turns)[loops.ours]
    return {way: len(usual) * options.batch_size / took for way, took in seconds.items()}


def write_photographs(root: Path, count: int) -> None:
    """`count` JPEG files of 500 x 375 pixels in CLASSES folders, as large as photographs: 16 pictures over and over."""
    rng, contents = np.random.default_rng(0), []
    for _ in range(16):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((500, 375), 3)
        pixels = np.asarray(coarse, dtype=np.float32) + rng.normal(0, 12, (375, 500, 3))
        path = root / "one.jpg"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=85)
        contents.append(path.read_bytes())
        path.unlink()
    for number in range(max(count, CLASSES)):
        folder = root / f"class {number % CLASSES:02}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(contents[number % len(contents)])


def _options(arguments: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks gpu_throughput")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=40, help="of an epoch")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--compile", choices=("no", "yes", "both"), default="both")
    return parser.parse_args(arguments)
