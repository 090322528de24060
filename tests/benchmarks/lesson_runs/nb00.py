"""Chapter 00: preprocessing, choosing on validation data, and what pretraining is worth with five labels per class.

Every run splits the chapter's 250 labelled drawings by its seed: 50 for training, 200 for validation.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import normalize
from torchvision.transforms import Compose, Normalize, ToTensor
from torchvision.transforms.functional import pil_to_tensor

from course import extract_features, hold_out, load_backbone, models
from course.data.emoji import CLASSES, STYLES, Emoji
from tests.benchmarks.lesson_runs import Lesson

SIZE = 96
CS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
MISTAKES = ("not normalised", "BGR", "ImageNet's mean and std", "0 to 255")


@cache
def backbone(weights: str | None = "default") -> torch.nn.Module:
    torch.manual_seed(0)
    return load_backbone("efficientnet_lite0", weights=weights)


@cache
def way(name: str):
    prepare = models.image_transform(backbone(), size=SIZE)
    return {
        "right": prepare,
        "not normalised": ToTensor(),
        "BGR": lambda image: prepare(Image.merge("RGB", image.split()[::-1])),
        "ImageNet's mean and std": Compose([ToTensor(), Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]),
        "0 to 255": lambda image: pil_to_tensor(image).float(),
    }[name]


@cache
def features(split: str, prepared: str = "right", weights: str | None = "default") -> torch.Tensor:
    return extract_features(backbone(weights), Emoji(split, size=SIZE, transform=way(prepared))).x


@cache
def sized(size: int) -> torch.Tensor:
    transform = models.image_transform(backbone(), size=size)
    return extract_features(backbone(), Emoji("train", size=size, transform=transform)).x


@cache
def pixels(split: str, size: int = 8) -> torch.Tensor:
    return torch.stack([image for image, _ in Emoji(split, size=size)]).flatten(1) * 2 - 1


@cache
def labels(split: str) -> torch.Tensor:
    return Emoji(split, size=SIZE).labels


@cache
def split_of(seed: int) -> tuple[list[int], list[int]]:
    training, validation = hold_out(Emoji("train", size=SIZE), 0.8, seed=seed)
    return training.indices, validation.indices


def fit_head(x: torch.Tensor, y: torch.Tensor, C: float = 0.1) -> LogisticRegression:
    return LogisticRegression(C=C, max_iter=500).fit(x, y)


def validation_accuracy(train: torch.Tensor, seen: torch.Tensor, seed: int, C: float = 0.1) -> float:
    training, validation = split_of(seed)
    y = labels("train")
    return float(fit_head(train[training], y[training], C).score(seen[validation], y[validation]))


def cost(mistake: str, seed: int) -> float:
    right = features("train")
    return validation_accuracy(right, right, seed) - validation_accuracy(right, features("train", mistake), seed)


def cost_of_the_mismatch(mistake: str, seed: int) -> float:
    """How much more the mistake costs in validation alone than in training and validation alike."""
    wrong = features("train", mistake)
    return validation_accuracy(wrong, wrong, seed) - validation_accuracy(features("train"), wrong, seed)


def best_of_many(seed: int, variants: int = 50, used: int = 128) -> tuple[float, float, float]:
    """The winner's accuracy where it was chosen and on fresh drawings, and all variants' mean on fresh drawings."""
    generator = torch.Generator().manual_seed(seed)
    training, held_out = split_of(seed)
    x, y = features("train"), labels("train")
    hits = []
    for _ in range(variants):
        chosen = torch.randperm(x.shape[1], generator=generator)[:used]
        means = normalize(x[training][:, chosen].reshape(len(CLASSES), 5, -1).mean(1), dim=1)
        hits.append(((normalize(x[held_out][:, chosen], dim=1) @ means.T).argmax(1) == y[held_out]).float())
    shuffled = torch.stack(hits)[:, torch.randperm(len(held_out), generator=generator)]
    chose, fresh = (half.mean(1) for half in shuffled.chunk(2, dim=1))
    winner = int(chose.argmax())
    return float(chose[winner]), float(fresh[winner]), float(fresh.mean())


def optimism(seed: int) -> float:
    chose, fresh, _ = best_of_many(seed)
    return chose - fresh


def real_gain(seed: int) -> float:
    """The winner minus the average variant on fresh drawings: the mean of two splits, since one is noisy."""
    gains = [fresh - average for _, fresh, average in (best_of_many(2 * seed), best_of_many(2 * seed + 1))]
    return sum(gains) / len(gains)


@cache
def best_C(name: str) -> float:
    """The C with the highest mean validation accuracy over ten splits."""
    x = inputs(name, "train")
    return max(CS, key=lambda C: np.mean([validation_accuracy(x, x, seed, C) for seed in range(10)]))


def inputs(name: str, split: str) -> torch.Tensor:
    if name.startswith("pixels"):
        return pixels(split, int(name.split()[1]))
    return features(split, "right", "default" if name == "pretrained" else None)


def test_accuracy(name: str, seed: int) -> float:
    training, _ = split_of(seed)
    head = fit_head(inputs(name, "train")[training], labels("train")[training], best_C(name))
    return float(head.score(inputs(name, "test"), labels("test")))


def ahead_of(rival: str, seed: int) -> float:
    return test_accuracy("pretrained", seed) - test_accuracy(rival, seed)


@cache
def styled(style: str) -> torch.Tensor:
    return extract_features(backbone(), Emoji("train", size=SIZE, style=style, transform=way("right"))).x


def leak(seed: int) -> float:
    """Validation accuracy of a split by picture minus that of a split by object, both with 5/25 of the pictures."""
    x, y = torch.cat([styled(style) for style in STYLES]), labels("train").repeat(len(STYLES))
    objects = torch.arange(len(labels("train"))).repeat(len(STYLES))
    training, _ = split_of(seed)
    of_objects = torch.isin(objects, torch.tensor(training))
    generator = torch.Generator().manual_seed(seed)
    of_pictures = torch.zeros(len(y), dtype=torch.bool)
    for label in range(len(CLASSES)):
        members = (y == label).nonzero()[:, 0]
        count = int(of_objects[members].sum())
        of_pictures[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    by_picture, by_object = (fit_head(x[side], y[side]).score(x[~side], y[~side]) for side in (of_pictures, of_objects))
    return float(by_picture - by_object)


def larger_input(seed: int) -> float:
    large, small = sized(160), sized(SIZE)
    return validation_accuracy(large, large, seed) - validation_accuracy(small, small, seed)


LESSONS = [
    *(
        Lesson(
            f"00-cost-{mistake}", f"A wrong preprocessing ({mistake}) costs accuracy.", lambda s, m=mistake: cost(m, s)
        )
        for mistake in MISTAKES
    ),
    *(
        Lesson(
            f"00-mismatch-{mistake}",
            f"The mistake ({mistake}) costs more in validation alone than in training as well.",
            lambda s, m=mistake: cost_of_the_mismatch(m, s),
        )
        for mistake in MISTAKES
    ),
    Lesson("00-optimism", "The winner's accuracy is too high on the drawings that chose it.", optimism),
    Lesson("00-real-gain", "The winner is better than the average variant on fresh drawings too.", real_gain),
    *(
        Lesson(
            f"00-ahead-{rival}", f"Pretrained features beat {rival} on the test set.", lambda s, r=rival: ahead_of(r, s)
        )
        for rival in ("pixels 8", "pixels 32", "untrained")
    ),
    Lesson("00-leak", "A split by picture reports a higher accuracy than a split by object.", leak),
    Lesson("00-input-size", "Drawings of 160 pixels give a higher accuracy than drawings of 96.", larger_input),
]
