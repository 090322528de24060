"""What chapter 01 teaches: pretraining saves labels, views decide what is learned, and negatives prevent collapse."""

from __future__ import annotations

import functools

import torch
from torch import nn
from torch.nn import functional as F

from course.models.pretraining import augment, collapse_score, small_encoder
from tests.benchmarks import label_efficiency, pretraining
from tests.benchmarks.lesson_runs import Lesson
from tests.benchmarks.pretraining import STEPS, drawings, mlp, parts

on_validation, on_test = functools.cache(pretraining.run), functools.cache(label_efficiency.run)


def ahead_on_test(better: str, worse: str, metric: str, seed: int) -> float:
    return on_test(better, seed)[metric] - on_test(worse, seed)[metric]


def ahead_on_validation(better: str, worse: str, metric: str, seed: int) -> float:
    return on_validation(better, seed)[metric] - on_validation(worse, seed)[metric]


def lead_shrinks(seed: int) -> float:
    """How much the lead of contrast over scratch is smaller with 15 labels than with 3."""
    few, many = (ahead_on_test("contrast", "scratch", f"other styles, {count} labels", seed) for count in (3, 15))
    return few - many


class WithPrediction(nn.Module):
    """Embeddings (2N, 64) to the embeddings beside their predictions: (2N, 128)."""

    def __init__(self) -> None:
        super().__init__()
        self.predictor = mlp(64, 64)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.cat([z, self.predictor(z)], dim=1)


def spread_after_attraction(seed: int, *, predicts: bool) -> float:
    """The spread of the embeddings after 30 steps of attraction, with SimSiam's predictor and stop-gradient or not."""
    pictures, rng = drawings("train")[0][parts(seed)[0]], torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = nn.Sequential(small_encoder(), mlp(128, 64), *([WithPrediction()] if predicts else []))
    spread = []

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        thing = torch.randperm(len(pictures), generator=rng)[:64]
        style = torch.rand(64, 3, generator=rng).argsort(1)
        return augment(torch.cat([pictures[thing, style[:, 0]], pictures[thing, style[:, 1]]]), rng), torch.zeros(128)

    def loss(output: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        z, prediction = output.chunk(2, dim=1) if predicts else (output, output)
        spread.append(collapse_score(z))
        target = (z.detach() if predicts else z).roll(len(z) // 2, dims=0)
        return 1 - F.cosine_similarity(prediction, target).mean()

    pretraining.pretrain(model, batch, loss, rounds=30 // STEPS)
    return spread[-1]


LESSONS = [
    Lesson(
        "01-contrast-saves-labels",
        "With 3 labels per class, contrast is ahead of training from scratch on styles without labels.",
        functools.partial(ahead_on_test, "contrast", "scratch", "other styles, 3 labels"),
    ),
    Lesson(
        "01-contrast-beats-pixels",
        "With 3 labels per class, contrast is ahead of 8 x 8 pixels on styles without labels.",
        functools.partial(ahead_on_test, "contrast", "pixels", "other styles, 3 labels"),
    ),
    Lesson(
        "01-contrast-beats-random-weights",
        "With 3 labels per class, contrast is ahead of a frozen untrained network on styles without labels.",
        functools.partial(ahead_on_test, "contrast", "untrained", "other styles, 3 labels"),
    ),
    Lesson(
        "01-names-save-labels",
        "With 3 labels per class, naming objects is ahead of training from scratch on styles without labels.",
        functools.partial(ahead_on_test, "names", "scratch", "other styles, 3 labels"),
    ),
    Lesson(
        "01-the-lead-shrinks", "The lead of contrast over scratch is smaller with 15 labels than with 3.", lead_shrinks
    ),
    Lesson(
        "01-contrast-ignores-changes",
        "Contrast finds more partners of cropped and rotated drawings than 8 x 8 pixels do.",
        functools.partial(ahead_on_validation, "contrast", "pixels", "partners of changed drawings"),
    ),
    Lesson(
        "01-views-decide",
        "With both views in one style, fewer partners are found in other styles.",
        functools.partial(ahead_on_validation, "contrast", "one style", "partners"),
    ),
    Lesson(
        "01-no-collapse-without-negatives",
        "With a predictor and a stop-gradient, attraction leaves the embeddings spread out.",
        lambda seed: spread_after_attraction(seed, predicts=True) - spread_after_attraction(seed, predicts=False) - 0.5,
    ),
]
