"""Ten epochs of a head on a frozen backbone: the backbone run in every epoch, against features cached once.

Both train the same new head on the same emoji in the same order. Prints both accuracies with their standard error,
then how many times faster the cached way is, with nothing cached yet and with a warm cache.
"""

from __future__ import annotations

import math
import os
import statistics
import tempfile
import time
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from course.data.emoji import CLASSES, Emoji
from course.models.backbones import image_transform, load_backbone
from course.models.freezing import freeze, set_train, unfreeze
from course.models.heads import find_head, replace_head
from course.training.features import extract_features
from course.training.loop import evaluate, fit
from tests.benchmarks import Figure

EPOCHS, BATCH_SIZE, LEARNING_RATE, SIZE = 10, 64, 3e-3, 96
COLD_RUNS, WARM_RUNS = 3, 2


def backbone_with_head() -> nn.Module:
    """The frozen bundled backbone with a new, trainable head."""
    model = replace_head(freeze(load_backbone()), len(CLASSES))
    unfreeze(find_head(model).module)
    return model


def shuffled(dataset: Any) -> DataLoader:
    """Batches in an order that is the same for both ways."""
    return DataLoader(dataset, BATCH_SIZE, shuffle=True, generator=torch.Generator().manual_seed(0))


def source_loop(model: nn.Module, train: Emoji) -> None:
    """The loop of the article that the course grew from: every epoch runs the frozen backbone over every picture."""
    optimizer = torch.optim.AdamW(find_head(model).module.parameters(), lr=LEARNING_RATE)
    criterion = nn.CrossEntropyLoss()
    loader = shuffled(train)
    set_train(model)  # the article leaves the backbone in train mode; its statistics would drift
    for _ in range(EPOCHS):
        for inputs, labels in loader:
            optimizer.zero_grad()
            criterion(model(inputs), labels).backward()
            optimizer.step()


def cached_loop(model: nn.Module, train: Emoji) -> bool:
    """The same head trained on features; True if they were read from disk."""
    features = extract_features(model, train)
    head = find_head(model).module
    optimizer = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE)
    fit(head, shuffled(features.dataset()), epochs=EPOCHS, optimizer=optimizer, device="cpu", verbose=False)
    return features.from_cache


def accuracy(model: nn.Module, test: Emoji) -> float:
    return evaluate(model, DataLoader(test, BATCH_SIZE), device="cpu")["accuracy"]


def measure() -> Figure:
    transform = image_transform(load_backbone(), size=SIZE)
    train, test = (Emoji(split, size=SIZE, transform=transform) for split in ("train", "test"))
    with torch.inference_mode():  # the first batch pays for the thread pool and the kernels' choice
        backbone_with_head()(torch.zeros(BATCH_SIZE, 3, SIZE, SIZE))

    source = backbone_with_head()
    start = time.perf_counter()
    source_loop(source, train)
    source_s = time.perf_counter() - start

    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(COLD_RUNS):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["COURSE_HOME"] = folder
            for _ in range(1 + WARM_RUNS):
                cached = backbone_with_head()
                start = time.perf_counter()
                times[cached_loop(cached, train)].append(time.perf_counter() - start)
    if len(times[False]) != COLD_RUNS:
        raise SystemExit(f"{len(times[False])} runs of {COLD_RUNS} found the cache empty")
    first_s, warm_s = (statistics.median(times[from_cache]) for from_cache in (False, True))

    ours, theirs = accuracy(cached, test), accuracy(source, test)
    standard_error = math.sqrt(theirs * (1 - theirs) / len(test))
    if abs(ours - theirs) > standard_error:
        raise SystemExit(f"accuracies {theirs:.3f} and {ours:.3f} differ, so their times cannot be compared")
    notes = (
        f"{len(train)} pictures, {EPOCHS} epochs, batches of {BATCH_SIZE}, {torch.get_num_threads()} threads",
        f"test accuracy: every epoch {theirs:.3f}, cached {ours:.3f}, standard error {standard_error:.3f}",
        f"seconds: every epoch {source_s:.2f}, cached first time {first_s:.2f}, cache warm {warm_s:.3f}",
        f"cached_probe: {source_s / first_s:.1f} times faster the first time (bar 8)",
    )
    return Figure(source_s / warm_s, "times faster when the cache is warm", "50", notes)
