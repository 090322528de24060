"""Chapter 03: a head on pretrained features, rows of the old head as a start, a softmax too many, a second head.

Each seed draws its training objects and the start of every head; 200 other training objects are the validation set, and
the test split isn't touched. Learning rates were chosen on the validation sets of seeds 100 to 109.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from course import extract_features, hold_out, load_backbone, models
from course.data.emoji import CLASSES, STYLES, Emoji
from tests.benchmarks.lesson_runs import Lesson

RATE = 1e-3
STEPS = 100
MAMMALS = [*range(101, 107), *range(147, 300), *range(330, 389)]
OVERLAP: dict[str, str | list[int]] = {
    "mammal": MAMMALS,
    "other animal": [*range(101), *range(107, 147), *range(300, 330), *range(389, 398)],
    "plant": [*range(936, 947), *range(948, 958), *range(984, 991), 998],  # without mushrooms and other fungi
    "food": [*range(924, 936), *range(959, 970)],
    "vehicle": "ambulance, airliner, cab, canoe, fire engine, minibus, mountain bike, pickup, police van, racer, "
    "school bus, speedboat, sports car, steam locomotive, streetcar, tractor, trailer truck, trolleybus, "
    "motor scooter, bullet train, passenger car, recreational vehicle, jeep, convertible, liner",
    "place": "castle, church, mosque, palace, monastery, volcano, alp, valley, lakeside, seashore, fountain, barn, "
    "library, stupa, yurt, mountain tent, dome, viaduct",
    "clothing": "jean, jersey, kimono, lab coat, sandal, running shoe, sock, gown, cardigan, bikini, trench coat, "
    "cowboy hat, purse, sunglasses, suit, miniskirt, Loafer, mitten, military uniform, backpack",
    "tool": "hammer, hatchet, screwdriver, plunger, broom, syringe, stethoscope, padlock, paintbrush, fountain pen, "
    "ballpoint, bucket, safety pin, nail, screw, power drill, shovel, rule, loupe, hook, crutch, mousetrap",
}


@cache
def backbone(weights: str | None = "default") -> nn.Module:
    torch.manual_seed(0)
    return load_backbone(weights=weights)


@cache
def pool(kind: str = "pretrained", style: str = "fluent") -> tuple[torch.Tensor, torch.Tensor]:
    """Features (250, D) of the training objects and their labels: of a network, or pixels of 8 x 8 pictures."""
    data = Emoji("train", style=style, transform=models.image_transform(backbone(), size=96))
    if kind == "pixels":
        pictures = torch.stack([data[i][0] for i in range(len(data))])
        x = functional.adaptive_avg_pool2d(pictures, 8).flatten(1)
        return standardised(x), data.labels
    features = extract_features(backbone("default" if kind == "pretrained" else None), data)
    return features.x if kind == "pretrained" else standardised(features.x), features.y


def standardised(x: torch.Tensor) -> torch.Tensor:
    return (x - x.mean(0)) / (x.std(0) + 1e-6)


@cache
def split(seed: int) -> tuple[list[int], list[int]]:
    """Numbers of five training objects of each class, class by class, and of the twenty others."""
    data = Emoji("train")
    few, others = hold_out(data, 0.8, seed=seed)
    return list(few.indices), list(others.indices)


@cache
def averages() -> torch.Tensor:
    """(10, 1000): row k averages the old rows that overlap with class k."""
    names = models.categories(backbone()) or []
    matrix = torch.zeros(len(CLASSES), len(names))
    for name, chosen in OVERLAP.items():
        rows = [names.index(word) for word in chosen.split(", ")] if isinstance(chosen, str) else chosen
        matrix[CLASSES.index(name), rows] = 1 / len(rows)
    return matrix


def copied_rows(turn: int = 0) -> nn.Linear:
    """A linear head from mean old rows; with `turn`, the known classes get the rows of another one."""
    old: Any = models.find_head(backbone()).module
    known = averages().any(1)
    head = nn.Linear(1280, len(CLASSES))
    with torch.no_grad():
        for new, rows in ((head.weight, old.weight), (head.bias, old.bias)):
            start = averages() @ rows - rows.mean(0)
            new.zero_()
            new[known] = start[known].roll(turn, 0)
    return head


def accuracies(
    head: nn.Module,
    seed: int,
    *,
    per_class: int = 5,
    kind: str = "pretrained",
    lr: float = RATE,
    softmax: bool = False,
    steps: int = STEPS,
    at: tuple[int, ...] = (1, 5, 20, STEPS),
) -> dict[int, float]:
    """Validation accuracy after some steps of full-batch AdamW."""
    x, y = pool(kind)
    few, others = (torch.tensor(numbers) for numbers in split(seed))
    few = few.reshape(len(CLASSES), -1)[:, :per_class].flatten()
    optimizer = torch.optim.AdamW(head.parameters(), lr=lr)
    found = {}
    for step in range(1, steps + 1):
        z = head(x[few])
        loss = functional.cross_entropy(z.softmax(1) if softmax else z, y[few])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in at:
            head.eval()
            with torch.inference_mode():
                found[step] = (head(x[others]).argmax(1) == y[others]).float().mean().item()
            head.train()
    return found


def linear(seed: int, inputs: int = 1280, outputs: int = len(CLASSES)) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(inputs, outputs)


def mlp(seed: int, width: int = 128, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(1280, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, len(CLASSES)))


@cache
def lead(seed: int, per_class: int) -> dict[int, float]:
    """Copied rows minus a random start, by step."""
    copied = accuracies(copied_rows(), seed, per_class=per_class)
    random = accuracies(linear(seed), seed, per_class=per_class)
    return {step: copied[step] - random[step] for step in copied}


@cache
def in_all_styles(kind: str) -> tuple[torch.Tensor, ...]:
    """For each style, features or pixels (250, D) of the training objects; pixels standardised over all styles."""
    if kind == "pretrained":
        return tuple(pool(kind, style)[0] for style in STYLES)
    transform = models.image_transform(backbone(), size=96)
    drawn = [Emoji("train", style=style, transform=transform) for style in STYLES]
    pictures = [data[i][0] for data in drawn for i in range(len(data))]
    return standardised(functional.adaptive_avg_pool2d(torch.stack(pictures), 8).flatten(1)).chunk(len(STYLES))


def style_accuracy(seed: int, kind: str, lr: float) -> float:
    """Validation accuracy of a linear head that names the style, from five objects per class in each style."""
    few, others = (torch.tensor(numbers) for numbers in split(seed))
    xs = in_all_styles(kind)
    x, y = torch.cat([one[few] for one in xs]), torch.arange(len(STYLES)).repeat_interleave(len(few))
    head = linear(seed, x.shape[1], len(STYLES))
    optimizer = torch.optim.AdamW(head.parameters(), lr=lr)
    for _ in range(STEPS):
        loss = functional.cross_entropy(head(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.inference_mode():
        right = [(head(one[others]).argmax(1) == i).float() for i, one in enumerate(xs)]
    return torch.cat(right).mean().item()


def pretrained_against(kind: str, inputs: int, lr: float) -> Any:
    def difference(seed: int) -> float:
        here = accuracies(linear(seed), seed)[STEPS]
        return here - accuracies(linear(seed, inputs), seed, kind=kind, lr=lr)[STEPS]

    return difference


def softmax_slows(seed: int) -> float:
    return accuracies(linear(seed), seed)[5] - accuracies(linear(seed), seed, softmax=True)[5]


LESSONS = [
    Lesson(
        "03-pixels",
        "With five labels per class, a linear head on pretrained features beats one on pixels.",
        pretrained_against("pixels", 192, 1e-3),
    ),
    Lesson(
        "03-untrained",
        "It also beats a linear head on the features of the untrained network.",
        pretrained_against("untrained", 1280, 3e-3),
    ),
    Lesson(
        "03-copied-early",
        "With one label per class, copied rows are ahead of a random start after one step.",
        lambda seed: lead(seed, 1)[1],
    ),
    Lesson(
        "03-copied-late",
        "They are still ahead after 100 steps.",
        lambda seed: lead(seed, 1)[100],
    ),
    Lesson(
        "03-lead-shrinks",
        "The lead shrinks between step 1 and step 100.",
        lambda seed: lead(seed, 1)[1] - lead(seed, 1)[100],
    ),
    Lesson(
        "03-copied-five",
        "With five labels per class, copied rows are ahead after 100 steps, too.",
        lambda seed: lead(seed, 5)[100],
    ),
    Lesson(
        "03-right-rows",
        "After 100 steps rows of the right classes beat the same rows given to the wrong classes.",
        lambda seed: (
            accuracies(copied_rows(), seed, per_class=1)[STEPS] - accuracies(copied_rows(3), seed, per_class=1)[STEPS]
        ),
    ),
    Lesson(
        "03-softmax-slows",
        "At the same rate, a head with a softmax too many is behind after 5 steps.",
        softmax_slows,
    ),
    Lesson(
        "03-style",
        "A second head names the drawing style from the same features more often than a head on pixels.",
        lambda seed: style_accuracy(seed, "pretrained", 1e-3) - style_accuracy(seed, "pixels", 1e-3),
    ),
]
