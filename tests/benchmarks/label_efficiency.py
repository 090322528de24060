"""Chapter 01's question: what is pretraining worth, at 3 to 15 labelled drawings per class of unseen objects?

`python -m tests.benchmarks label_efficiency` measures what is missing, at ten seeds, and writes the stored table
`course/data/assets/tables/label_efficiency.json`. The labels are Fluent drawings; a seed draws them, the validation
objects that nobody trains on, and the first weights, so each pretrained network is another one.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn

from course.data.emoji import STYLES, Emoji
from course.models.backbones import image_transform, load_backbone
from course.models.pretraining import GeneratedBatches, augment, small_encoder
from course.training.features import extract_features
from course.training.loop import fit
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept
from tests.benchmarks.pretraining import LR, by_style, drawings, encode_with, labelled, parts, probe

COUNTS = (3, 5, 10, 15)
SEEDS = tuple(range(10))
SCRATCH_STEPS = 200  # of 50, 100, 200 and 400, by accuracy on validation objects
PHOTOGRAPHS = "ImageNet photographs"
SETTINGS = ("scratch", "pixels", "untrained", "names", "contrast", PHOTOGRAPHS)


@functools.cache
def photo_features(split: str, style: int) -> torch.Tensor:
    """Features of a network that was pretrained on photographs, of drawings of 96 pixels."""
    backbone = load_backbone()
    data = Emoji(split, style=STYLES[style], transform=image_transform(backbone, size=96))
    return extract_features(backbone, data).x


def scratch(chosen: torch.Tensor, seed: int, *, steps: int = SCRATCH_STEPS) -> nn.Module:
    """The small network trained on the chosen Fluent drawings alone, in batches of 32."""
    (pictures, classes), draw = drawings("train"), torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        rows = chosen[torch.randperm(len(chosen), generator=draw)[:32]]
        return augment(pictures[rows, 0], draw), classes[rows]

    model = nn.Sequential(small_encoder(), nn.Linear(128, 10))
    loader = GeneratedBatches(batch, steps)
    fit(model, loader, epochs=1, lr=LR, schedule="cosine", device="cpu", verbose=False)
    return model


@torch.no_grad()
def right(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    return (model(x).argmax(1) == y).float().mean().item()


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: the accuracy on the test objects at each number of labels, in the style of the labels and in others."""
    (pictures, classes), (unseen, targets) = drawings("train"), drawings("test")
    row: dict[str, Any] = {"setting": setting, "seed": seed}
    for count in COUNTS:
        chosen = labelled(parts(seed)[0], count, seed)
        if setting == "scratch":
            model = scratch(chosen, seed)
            scores = by_style([right(model, unseen[:, style], targets) for style in range(3)])
        else:
            if setting == PHOTOGRAPHS:
                train, test = photo_features("train", 0)[chosen], [photo_features("test", i) for i in range(3)]
            else:
                encode = encode_with(setting, seed)
                train, test = encode(pictures[chosen, 0]), [encode(unseen[:, i]) for i in range(3)]
            fitted = probe(train, classes[chosen])
            scores = by_style([fitted.score(x.numpy(), targets) for x in test])
        row |= {f"{name}, {count} labels": score for name, score in scores.items()}
    return row


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("label_efficiency", run, SETTINGS, SEEDS, seeds)
    ahead = comparison.paired("contrast", "scratch", "other styles, 3 labels")
    return Figure(ahead.low, "accuracy of contrast above scratch at 3 labels, low end", "0", tuple(notes))
