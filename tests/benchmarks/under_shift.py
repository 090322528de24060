"""Chapter 10: accuracy and calibration of chapter 04's models on other styles and damaged pictures. Five seeds.

`python -m tests.benchmarks under_shift` writes `course/data/assets/tables/under_shift.json`; with seeds as arguments
only theirs are measured. The models are those of `fine_tuning`, at the rates that were chosen there on validation
pictures; "noise in training" is fine-tuning on pictures with and without noise. The temperature is fitted on the
validation pictures (`T`), or by mistake on the training pictures (`T_train`). `ece` is the calibration error in 10
bins: in distribution, `shifted` on the other styles, `_scaled` with the temperature.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.utils.data import Dataset

from course.data.emoji import Emoji
from course.data.held_out import hold_out
from course.inspection.calibration import fit_temperature, reliability
from course.inspection.corruptions import corrupt
from course.models.freezing import trainable_parameters
from course.runtime import seed_everything
from course.training.loop import fit
from tests.benchmarks import Figure, fine_tuning
from tests.benchmarks._rows import compare_kept
from tests.benchmarks.fine_tuning import SIZE, draw, fresh, maps, shuffled, test_maps

NOISY = "noise in training"
SETTINGS = ("fine-tuning", NOISY)
SEEDS = tuple(range(5))
DAMAGE = [(kind, severity) for kind in ("noise", "blur", "contrast") for severity in (1, 3, 5)]


class Damaged(Dataset):
    """The pictures of an emoji data set, corrupted and normalised."""

    def __init__(self, data: Any, kind: str, severity: int, seed: int = 0) -> None:
        pixels = torch.stack([pixels for pixels, _ in data])
        self.pictures, self.labels = (corrupt(pixels, kind, severity, seed=seed) - 0.5) / 0.5, data.labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.pictures[index], int(self.labels[index])


@functools.cache
def damaged_maps(kind: str, severity: int) -> Any:
    return maps(Damaged(Emoji("test", size=SIZE), kind, severity))


class NoisyMaps(Dataset):
    """The training maps of `seed`, each time of the clean picture or of one with noise, drawn at random."""

    def __init__(self, seed: int) -> None:
        part, _ = hold_out(Emoji("train", seed=seed, size=SIZE), fine_tuning.HELD_OUT, seed=seed)
        clean, self.labels = draw(seed)[0].tensors
        noisy = [maps(Damaged(part, "noise", severity, seed)).tensors[0] for severity in (1, 2, 3, 4, 5)]
        self.views = torch.stack([clean, *noisy])
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        view = int(torch.randint(len(self.views), (), generator=self.generator))
        return self.views[view, index], self.labels[index]


@functools.lru_cache(maxsize=4)
def trained(setting: str, seed: int) -> Any:
    """The upper part, in eval mode."""
    if setting != NOISY:
        return fine_tuning.train(setting, fine_tuning.best_rate(setting), seed).eval()
    seed_everything(seed)
    _, upper = fresh(seed)
    optimizer = torch.optim.AdamW(trainable_parameters(upper), lr=fine_tuning.best_rate("fine-tuning"))
    loader = shuffled(NoisyMaps(seed), seed)
    fit(upper, loader, epochs=fine_tuning.EPOCHS, optimizer=optimizer, schedule="cosine", verbose=False)
    return upper.eval()


def run(setting: str, seed: int) -> dict[str, Any]:
    upper = trained(setting, seed)

    @torch.no_grad()
    def outputs(data: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.cat([upper(part) for part in data.tensors[0].split(256)]), data.tensors[1]

    def right(logits: torch.Tensor, labels: torch.Tensor) -> float:
        return (logits.argmax(1) == labels).float().mean().item()

    def error(outputs: tuple[torch.Tensor, torch.Tensor], temperature: float = 1.0) -> float:
        return reliability((outputs[0] / temperature).softmax(1), outputs[1]).calibration_error

    training, validation = (outputs(part) for part in draw(seed))
    home = outputs(test_maps("fluent"))
    shifted = tuple(map(torch.cat, zip(*(outputs(test_maps(style)) for style in ("noto", "twemoji")), strict=True)))
    noise = outputs(damaged_maps("noise", 5))
    temperature, wrong = fit_temperature(*validation), fit_temperature(*training)
    return {
        "setting": setting,
        "seed": seed,
        "fluent": right(*home),
        "shifted": right(*shifted),
        **{f"{kind}_{severity}": right(*outputs(damaged_maps(kind, severity))) for kind, severity in DAMAGE},
        "T": temperature,
        "T_train": wrong,
        "ece": error(home),
        "ece_scaled": error(home, temperature),
        "ece_T_train": error(home, wrong),
        "ece_shifted": error(shifted),
        "ece_shifted_scaled": error(shifted, temperature),
        "ece_noise": error(noise),
        "ece_noise_scaled": error(noise, temperature),
        "confidence": home[0].softmax(1).amax(1).mean().item(),
        "confidence_shifted": shifted[0].softmax(1).amax(1).mean().item(),
    }


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("under_shift", run, SETTINGS, SEEDS, seeds)
    better = comparison.paired(NOISY, "fine-tuning", "noise_5")
    unit = f"± {better.half_width:.2g} accuracy on the strongest noise, gained by noise in training, {better.n} seeds"
    return Figure(better.mean, unit, "0", tuple(notes), missed=better.low <= 0)
