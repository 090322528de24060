"""Scenes of 128 pixels made in a second of one core's time, once the things in them have been decoded."""

from __future__ import annotations

import time

import torch

from course.data.scenes import Scenes
from tests.benchmarks import Figure

SECONDS = 2.0


def measure(repetitions: str = "3") -> Figure:
    torch.set_num_threads(1)
    started = time.process_time()
    make(Scenes("train", 3000))
    warming = time.process_time() - started
    rates = [rate(seed) for seed in range(1, int(repetitions) + 1)]
    note = f"the first 3000 scenes, pictures decoded and resized on the way: {warming:.1f} s"
    return Figure(
        max(rates), "scenes a second", "at least 500", (note, "runs: " + ", ".join(f"{r:.0f}" for r in rates))
    )


def make(scenes: Scenes) -> None:
    for _ in scenes:
        pass


def rate(seed: int) -> float:
    """Scenes a second, over at least SECONDS, all of them other ones than before."""
    made, started = 0, time.process_time()
    while (seconds := time.process_time() - started) < SECONDS:
        make(Scenes("train", 100, seed=1000 * seed + made))
        made += 100
    return made / seconds
