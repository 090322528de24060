"""Chapter 10's stamp: what a classifier learns if one class is stamped, before and after a repair. Five seeds.

`python -m tests.benchmarks shortcut` writes `course/data/assets/tables/shortcut.json`; with seeds as arguments only
theirs are measured. A seed draws ten objects per class; the stamp is on the tools alone. The trunk is frozen, and a
head of two layers learns what to look for in its maps. Measured on the 205 test objects, with and without a stamp.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from course.data.emoji import CLASSES, Emoji
from course.models.backbones import load_backbone
from course.models.heads import find_head
from course.runtime import seed_everything
from course.training.loop import fit
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept

SIZE, TRUNK, PER_CLASS, EPOCHS, RATE = 96, 7, 10, 30, 3e-3
TOOL, BACKGROUND = CLASSES.index("tool"), 240 / 255
BOX = (70, 70, 90, 90)  # top, left, bottom, right of the stamp
ALL_TOOLS, REPAIRED, HALF_OF_ALL, LINEAR = "stamped tools", "repaired", "half of every class stamped", "linear probe"
SETTINGS = (ALL_TOOLS, REPAIRED, HALF_OF_ALL, LINEAR)
SEEDS = tuple(range(5))


def blocks() -> list[nn.Module]:
    found: list[nn.Module] = []
    for child in load_backbone().children():
        found += list(child.children()) if type(child) is nn.Sequential else [child]
    return found


def with_margin(pixels: torch.Tensor) -> torch.Tensor:
    """The drawing small, in the upper left, so that a stamp covers nothing."""
    sheet = torch.full_like(pixels, BACKGROUND)
    sheet[..., 4:60, 4:60] = F.interpolate(pixels, size=56, mode="bilinear", antialias=True)
    return sheet


def stamped(pixels: torch.Tensor) -> torch.Tensor:
    stripes = (torch.arange(20) * 6 // 20 % 2).float()
    marked = pixels.clone()
    marked[..., 70:90, 70:90] = torch.stack([stripes, torch.zeros(20), 1 - stripes])[:, None].expand(3, 20, 20)
    return marked


@functools.cache
@torch.no_grad()
def trunk_maps(split: str, seed: int, is_stamped: bool) -> TensorDataset:
    """The frozen trunk's maps of a split's sheets."""
    data = Emoji(split, size=SIZE, per_class=PER_CLASS if split == "train" else None, seed=seed)
    sheets = with_margin(torch.stack([x for x, _ in data]))
    pixels = (stamped(sheets) if is_stamped else sheets).to(memory_format=torch.channels_last)
    trunk = nn.Sequential(*blocks()[:TRUNK])
    return TensorDataset(torch.cat([trunk((part - 0.5) / 0.5) for part in pixels.split(50)]), data.labels)


def searching_head(channels: int) -> nn.Module:
    return nn.Sequential(
        nn.BatchNorm2d(channels, affine=False), nn.Conv2d(channels, 64, 3, padding=1), nn.ReLU(),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(64, len(CLASSES)),
    )  # fmt: skip


def averaging_head() -> nn.Module:
    """The pretrained layers above the trunk, frozen, and a Linear on their averaged features."""
    *upper, head = blocks()[TRUNK:]
    frozen = nn.Sequential(*upper, nn.Flatten()).eval().requires_grad_(False)
    linear = nn.Linear(find_head(load_backbone()).in_features, len(CLASSES))
    del head
    return nn.Sequential(frozen, linear)


def run(setting: str, seed: int) -> dict[str, Any]:
    plain, marked = (trunk_maps("train", seed, is_stamped) for is_stamped in (False, True))
    labels = plain.tensors[1]
    carries = torch.arange(len(labels)) % 2 == 0 if setting == HALF_OF_ALL else labels == TOOL
    if setting == REPAIRED:
        carries = torch.zeros_like(carries)
    data = torch.where(carries[:, None, None, None], marked.tensors[0], plain.tensors[0])
    seed_everything(seed)
    if setting == LINEAR:
        head: Any = averaging_head()
        with torch.no_grad():
            data = head[0](data)
        trained, epochs = head[1], 2 * EPOCHS
    else:
        head = trained = searching_head(data.shape[1])
        epochs = EPOCHS
    loader = DataLoader(TensorDataset(data, labels), 25, shuffle=True, generator=torch.Generator().manual_seed(seed))
    fit(trained, loader, epochs=epochs, lr=RATE, schedule="cosine", device="cpu", verbose=False)
    head.eval()
    with torch.no_grad():
        tests = [trunk_maps("test", 0, is_stamped) for is_stamped in (False, True)]
        without, with_stamp = (head(test.tensors[0]).argmax(1) for test in tests)
    truth = tests[0].tensors[1]
    tools = truth == TOOL
    measured = {
        "accuracy": (without == truth).float().mean(),
        "accuracy_stamped": (with_stamp == truth).float().mean(),
        "tools": (without[tools] == TOOL).float().mean(),
        "tools_stamped": (with_stamp[tools] == TOOL).float().mean(),
        "others_as_tools": (without[~tools] == TOOL).float().mean(),
        "others_as_tools_stamped": (with_stamp[~tools] == TOOL).float().mean(),
    }
    return {"setting": setting, "seed": seed, **{name: float(value) for name, value in measured.items()}}


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("shortcut", run, SETTINGS, SEEDS, seeds)
    found = comparison.paired(REPAIRED, ALL_TOOLS, "tools")
    unit = f"± {found.half_width:.2g} more unstamped tools found after the repair, {found.n} seeds"
    return Figure(found.mean, unit, "0", tuple(notes), missed=found.low <= 0)
