"""Chapter 04's experiment: does fine-tuning pay, in and out of distribution? Ten seeds, nine ways to train.

`python -m tests.benchmarks fine_tuning rates` trains every way at each of its learning rates with three seeds, and
stores the accuracies on validation pictures in `course/data/assets/tables/fine_tuning_rates.json`. `python -m
tests.benchmarks fine_tuning` then trains each way at the rate with the highest mean, with ten seeds, measures it on the
test pictures and stores `fine_tuning.json`. Runs are kept under COURSE_HOME as soon as they are done, so an interrupted
benchmark resumes; with seeds as arguments only theirs are measured, so that several processes can share the work.

A seed draws 250 drawings in Fluent style: 150 to train on, 100 for validation, with the same number of each class. The
lower part of the network is frozen and runs once per picture; what is fine-tuned is the rest, four fifths of the
parameters. BatchNorm is frozen throughout.
"""

from __future__ import annotations

import functools
import statistics
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from course.data.augmentation import augmentation
from course.data.emoji import CLASSES, STYLES, Emoji
from course.data.held_out import hold_out
from course.models.backbones import image_transform, load_backbone
from course.models.freezing import freeze, trainable_parameters
from course.models.heads import find_head, replace_head
from course.models.lora import add_lora
from course.models.parameter_groups import param_groups
from course.runtime import seed_everything
from course.training.experiments import Comparison, stored_table
from course.training.loop import evaluate, fit
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept

SIZE, BELOW, HELD_OUT, BATCH_SIZE, EPOCHS, VIEWS = 64, 7, 0.4, 25, 15, 6
PROBE_EPOCHS, PROBE_LR = 60, 3e-3  # the rate of the head that "head first" starts from
SEEDS, RATE_SEEDS = tuple(range(10)), (0, 1, 2)
TOO_HIGH = "fine-tuning at 0.01"
# The learning rates that each way chooses from. For pixels: the inverse strength of the regularisation.
RATES: dict[str, tuple[float, ...]] = {
    "pixels": (1e-3, 1e-2, 1e-1),
    "probe": (1e-3, 3e-3, 1e-2),
    "fine-tuning": (1e-4, 3e-4, 1e-3),
    "head first": (1e-4, 3e-4, 1e-3),
    "rates by depth": (1e-3, 3e-3),
    "augmented": (3e-4, 1e-3),
    "LoRA": (3e-3, 1e-2),
    "BitFit": (3e-3, 1e-2),
}
SETTINGS = (*RATES, TOO_HIGH)
Upper = Any  # an nn.Sequential whose last child is the head


def shuffled(dataset: Dataset, seed: int) -> DataLoader:
    """Batches in an order drawn from `seed`."""
    return DataLoader(dataset, BATCH_SIZE, shuffle=True, generator=torch.Generator().manual_seed(seed))


def split(model: nn.Module) -> tuple[nn.Sequential, Upper]:
    """(lower, upper): the first BELOW blocks of the model, and the rest with its head. The layers are shared."""
    blocks: list[nn.Module] = []
    for child in model.children():
        blocks += list(child.children()) if type(child) is nn.Sequential else [child]
    *blocks, head = blocks
    return nn.Sequential(*blocks[:BELOW]), nn.Sequential(*blocks[BELOW:], nn.Flatten(), head)


@functools.cache
def transform() -> Any:
    return image_transform(load_backbone(), size=SIZE)


@torch.no_grad()
def maps(data: Any) -> TensorDataset:
    """The output of the frozen lower part for all pictures of a data set."""
    lower, _ = split(load_backbone())
    pictures = torch.stack([picture for picture, _ in data]).to(memory_format=torch.channels_last)
    return TensorDataset(torch.cat([lower(batch) for batch in pictures.split(50)]), data.labels)


@functools.cache
def draw(seed: int) -> tuple[TensorDataset, TensorDataset]:
    """(training, validation) maps of the drawings that `seed` draws."""
    train, val = hold_out(Emoji("train", seed=seed, transform=transform(), size=SIZE), HELD_OUT, seed=seed)
    return maps(train), maps(val)


@functools.cache
def test_maps(style: str) -> TensorDataset:
    return maps(Emoji("test", style=style, transform=transform(), size=SIZE))


@functools.cache
def views(seed: int) -> torch.Tensor:
    """(1 + VIEWS, 150, ...): the training maps of `seed`, and those of augmented versions of the same pictures."""
    data = Emoji("train", seed=seed, transform=augmentation(transform(), SIZE), size=SIZE)
    part, _ = hold_out(data, HELD_OUT, seed=seed)
    return torch.stack([draw(seed)[0].tensors[0], *(maps(part).tensors[0] for _ in range(VIEWS))])


class Augmented(Dataset):
    """The training maps of `seed`, each time of one view of the picture, drawn at random."""

    def __init__(self, seed: int) -> None:
        self.views, self.labels = views(seed), draw(seed)[0].tensors[1]
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        view = int(torch.randint(len(self.views), (), generator=self.generator))
        return self.views[view, index], self.labels[index]


def fresh(seed: int) -> tuple[nn.Module, Upper]:
    """The pretrained model under a head drawn from `seed`, its lower part and BatchNorm frozen; and its upper part."""
    model = replace_head(load_backbone(), len(CLASSES), seed=seed)
    lower, upper = split(model)
    for part in (lower, *(module for module in upper.modules() if isinstance(module, nn.BatchNorm2d))):
        freeze(part)
    return model, upper


def train_head(model: nn.Module, upper: Upper, data: TensorDataset, seed: int, lr: float) -> None:
    """Train the head alone, on features that are computed once."""
    with torch.no_grad():
        features = TensorDataset(upper[:-1](data.tensors[0]), data.tensors[1])
    fit(find_head(model).module, shuffled(features, seed), epochs=PROBE_EPOCHS, lr=lr, verbose=False)


def _in_eval_mode(layer: nn.Module, mode: bool = True) -> nn.Module:
    """What replaces the `train` of a BatchNorm whose shift learns while its statistics stay."""
    return layer


def train(setting: str, lr: float, seed: int) -> Upper:
    """The upper part after one way of training at one rate."""
    seed_everything(seed)
    data = draw(seed)[0]
    model, upper = fresh(seed)
    if setting in ("probe", "head first"):
        train_head(model, upper, data, seed, lr if setting == "probe" else PROBE_LR)
    if setting == "probe":
        return upper
    if setting == "LoRA":
        add_lora(upper, rank=4, alpha=8)
    if setting == "BitFit":
        freeze(upper[:-1])
        for module in upper.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.bias.requires_grad_(True)
                layer: Any = module
                layer.train = functools.partial(_in_eval_mode, layer)
    groups = param_groups(model, lr, decay=0.5) if setting == "rates by depth" else trainable_parameters(upper)
    optimizer = torch.optim.AdamW(groups, lr=lr, weight_decay=0.01)
    loader = shuffled(Augmented(seed) if setting == "augmented" else data, seed)
    fit(upper, loader, epochs=EPOCHS, optimizer=optimizer, schedule="cosine", verbose=False)
    return upper


def accuracy(setting: str, rate: float, seed: int, styles: dict[str, Any]) -> dict[str, float]:
    """Accuracy of one way of training on each of several data sets."""
    if setting == "pixels":
        return _pixel_accuracy(rate, seed, styles)
    upper = train(setting, rate, seed)
    return {name: evaluate(upper, DataLoader(data(), 256))["accuracy"] for name, data in styles.items()}


def _pixel_accuracy(c: float, seed: int, styles: dict[str, Any]) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression

    train_part, val_part = hold_out(Emoji("train", seed=seed, size=16), HELD_OUT, seed=seed)
    parts = {"validation": val_part} | {style: Emoji("test", style=style, size=16) for style in STYLES}

    def flat(data: Any) -> Any:
        return torch.stack([picture for picture, _ in data]).flatten(1).numpy(), data.labels.numpy()

    model = LogisticRegression(C=c, max_iter=2000).fit(*flat(train_part))
    return {name: float(model.score(*flat(parts[name]))) for name in styles}


def run_rate(setting: str, seed: int) -> dict[str, Any]:
    """One row on validation pictures; `setting` is "way @ rate"."""
    way, _, rate = setting.partition(" @ ")
    found = accuracy(way, float(rate), seed, {"validation": lambda: draw(seed)[1]})
    return {"setting": setting, "seed": seed, **found}


@functools.cache
def best_rate(setting: str) -> float:
    """The rate with the highest mean accuracy on validation pictures, of the stored ones."""
    if setting == TOO_HIGH:
        return 0.01
    rows = stored_table("fine_tuning_rates").rows
    means = {
        rate: statistics.fmean(row["validation"] for row in rows if row["setting"] == f"{setting} @ {rate:g}")
        for rate in RATES[setting]
    }
    return max(means, key=lambda rate: means[rate])


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: accuracy on the test pictures in each style; `shifted` is the mean over the styles never trained on."""
    styles = {style: functools.partial(test_maps, style) for style in STYLES}
    found = accuracy(setting, best_rate(setting), seed, styles)
    return {"setting": setting, "seed": seed, **found, "shifted": (found["noto"] + found["twemoji"]) / 2}


def gains(comparison: Comparison, ahead: str = "fine-tuning", behind: str = "probe") -> dict[str, Any]:
    """The paired difference between two ways, in distribution and out of distribution."""
    return {metric: comparison.paired(ahead, behind, metric) for metric in ("fluent", "shifted")}


def measure(*arguments: str) -> Figure:
    if arguments[:1] == ("rates",):
        names = [f"{setting} @ {rate:g}" for setting, rates in RATES.items() for rate in rates]
        comparison, notes = compare_kept("fine_tuning_rates", run_rate, names, RATE_SEEDS, arguments[1:])
        return Figure(len(comparison.rows), "runs", "all", tuple(notes))
    comparison, notes = compare_kept("fine_tuning", run, SETTINGS, SEEDS, arguments)
    lines = [
        f"{ahead} minus probe, {metric}: {interval.mean:+.3f}, {interval.low:+.3f} to {interval.high:+.3f}"
        for ahead in SETTINGS
        for metric, interval in gains(comparison, ahead).items()
    ]
    low = min(interval.low for interval in gains(comparison).values())
    rates = ", ".join(f"{setting} {best_rate(setting):g}" for setting in SETTINGS)
    notes += [f"rates: {rates}", *lines]
    return Figure(low, "accuracy, smaller low end of fine-tuning above the probe", "0", tuple(notes), missed=low <= 0)
