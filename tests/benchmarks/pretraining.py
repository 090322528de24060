"""Chapter 01's pretraining, by contrast and by names, judged on validation objects beside rivals that cost nothing.

`python -m tests.benchmarks pretraining` measures what is missing, at ten seeds, and writes the stored table
`course/data/assets/tables/pretraining.json`. A seed draws the validation objects, the labelled ones and the first
weights. The networks are kept under COURSE_HOME, where `label_efficiency` finds them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from torch import nn
from torch.nn import functional as F

from course.data.emoji import CLASSES, STYLES, Emoji
from course.data.held_out import hold_out
from course.models.pretraining import GeneratedBatches, augment, collapse_score, nt_xent, small_encoder
from course.runtime import home
from course.training.loop import fit
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept

SIZE, ROUNDS, STEPS, LR, TEMPERATURE = 32, 14, 15, 3e-3, 0.2
COUNTS = (3, 15)  # labelled drawings per class
SEEDS = tuple(range(10))
Encode = Callable[[torch.Tensor], torch.Tensor]


@functools.cache
def drawings(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """All objects of a split in three styles, (objects, 3, 3, SIZE, SIZE) in [-1, 1], and their classes (objects,)."""
    styles = [Emoji(split, style=style, size=SIZE) for style in STYLES]
    return torch.stack([torch.stack([x for x, _ in data]) for data in styles], 1) * 2 - 1, styles[0].labels


@functools.cache
def parts(seed: int) -> tuple[list[int], list[int]]:
    """The rows of the training objects and those of the validation objects, a fifth of each class."""
    train, validation = hold_out(Emoji("train", size=SIZE), 0.2, seed=seed)
    return list(train.indices), list(validation.indices)


def pretrain(model: nn.Module, batch: Callable[[], Any], loss: Callable | None = None, *, rounds: int = ROUNDS) -> Any:
    """The history of `rounds` rounds of STEPS steps, at a rate that rises and falls."""
    loader = GeneratedBatches(batch, STEPS)
    return fit(model, loader, epochs=rounds, lr=LR, schedule="cosine", loss_fn=loss, device="cpu", verbose=False)


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    """A hidden layer of 128 with BatchNorm: the projection of contrast, and SimSiam's predictor."""
    return nn.Sequential(nn.Linear(inputs, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, outputs))


def by_names(seed: int) -> nn.Module:
    """An encoder trained to name the objects in 128 drawings a step."""
    pictures, rng = drawings("train")[0][parts(seed)[0]], torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    encoder = small_encoder()

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        thing = torch.randint(len(pictures), (128,), generator=rng)
        style = torch.randint(3, (128,), generator=rng)
        return augment(pictures[thing, style], rng), thing

    pretrain(nn.Sequential(encoder, nn.Linear(128, len(pictures))), batch)
    return encoder


def by_contrast(
    seed: int,
    *,
    temperature: float = TEMPERATURE,
    both_styles: bool = True,
) -> nn.Module:
    """An encoder trained to find the other view of each of 64 objects, 128 drawings a step."""
    pictures, rng = drawings("train")[0][parts(seed)[0]], torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    encoder = small_encoder()
    projection = mlp(128, 64)

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        thing = torch.randperm(len(pictures), generator=rng)[:64]
        style = torch.rand(64, 3, generator=rng).argsort(1)
        second = style[:, 1] if both_styles else style[:, 0]
        return augment(torch.cat([pictures[thing, style[:, 0]], pictures[thing, second]]), rng), torch.zeros(128)

    pretrain(nn.Sequential(encoder, projection), batch, lambda z, _: nt_xent(z, temperature))
    return encoder


def untrained(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return small_encoder()


ENCODERS: dict[str, Callable[[int], nn.Module]] = {
    "contrast": by_contrast,
    "names": by_names,
    "untrained": untrained,
    "one style": functools.partial(by_contrast, both_styles=False),
    **{f"temperature {t}": functools.partial(by_contrast, temperature=t) for t in (0.05, 1.0)},
}
SETTINGS = ("pixels", "mean colour", "untrained", "names", "contrast")


def encoder(setting: str, seed: int) -> nn.Module:
    """The network of a setting, trained once and kept under COURSE_HOME."""
    path = home() / "benchmarks" / "pretraining" / f"{setting.replace(' ', '_')}-{seed}.pt"
    if path.is_file():
        model = small_encoder()
        model.load_state_dict(torch.load(path, weights_only=True))
        return model.eval()
    model = ENCODERS[setting](seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), path)
    return model.eval()


def encode_with(setting: str, seed: int) -> Encode:
    """What turns pictures (N, 3, SIZE, SIZE) into features (N, D)."""
    if setting in ("pixels", "mean colour"):
        side = 8 if setting == "pixels" else 1
        return lambda x: F.adaptive_avg_pool2d(x, side).flatten(1)
    return torch.no_grad()(encoder(setting, seed))


def labelled(rows: Sequence[int], count: int, seed: int) -> torch.Tensor:
    """The rows of `count` objects of each class, drawn by the seed."""
    drawn = torch.tensor(rows)[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]
    classes = drawings("train")[1][drawn]
    return torch.cat([drawn[classes == label][:count] for label in range(len(CLASSES))])


def probe(x: torch.Tensor, y: torch.Tensor) -> Any:
    """A logistic regression on features whose rows are made of length 1."""
    return make_pipeline(Normalizer(), LogisticRegression(C=10, max_iter=500)).fit(x.numpy(), y)


def by_style(right: Sequence[float]) -> dict[str, float]:
    """From the accuracy in each style: that in the style of the labels (Fluent), and the mean of the other two."""
    return {"same style": right[0], "other styles": (right[1] + right[2]) / 2}


def partners(queries: Sequence[torch.Tensor], gallery: Sequence[torch.Tensor]) -> float:
    """How often the most similar drawing in another style shows the same object, over all six ordered pairs."""
    asked, found = ([F.normalize(x, dim=1) for x in features] for features in (queries, gallery))
    target = torch.arange(len(asked[0]))
    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    return float(np.mean([((asked[a] @ found[b].T).argmax(1) == target).float().mean().item() for a, b in pairs]))


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: on validation objects, how often the partner is found, and the accuracy of probes on few labels."""
    (pictures, classes), (train, validation) = drawings("train"), parts(seed)
    encode = encode_with(setting, seed)
    features = [encode(pictures[validation, style]) for style in range(3)]
    row: dict[str, Any] = {"setting": setting, "seed": seed, "partners": partners(features, features)}
    rng = torch.Generator().manual_seed(seed)
    changed = [encode(augment(pictures[validation, style], rng)) for style in range(3)]
    row["partners of changed drawings"] = partners(changed, features)
    for count in COUNTS:
        chosen = labelled(train, count, seed)
        model = probe(encode(pictures[chosen, 0]), classes[chosen])
        scores = by_style([model.score(x.numpy(), classes[validation]) for x in features])
        row |= {f"{name}, {count} labels": score for name, score in scores.items()}
    return {**row, "spread": collapse_score(torch.cat(features))}


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("pretraining", run, SETTINGS, SEEDS, seeds)
    ahead = comparison.paired("contrast", "untrained", "partners")
    return Figure(ahead.low, "more partners found than by an untrained network, low end", "0", tuple(notes))
