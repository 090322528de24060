"""What seven ways to train or to shrink the same model cost and keep: chapter 10's table, at three seeds.

`python -m tests.benchmarks efficiency_table` measures what is missing and writes the stored table
`course/data/assets/tables/efficiency_table.json`; with seeds as arguments only theirs are measured. Training starts
from the probe of `ood_signs` (100 emoji at 96 pixels, the whole EfficientNet-Lite0) and takes EPOCHS epochs. Seconds
are of the training, or of the shrinking, alone; MiB are of the weights in a zip; milliseconds are for one of 20
pictures; accuracy is on the 205 test things in the training style.
"""

from __future__ import annotations

import copy
import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import TensorDataset

from course.applications.onnx_export import export_onnx
from course.data.emoji import CLASSES
from course.models.compression import load_onnx, prune_by_magnitude, quantize, zip_size_mib
from course.models.freezing import freeze, trainable_parameters, unfreeze
from course.models.heads import find_head
from course.models.lora import add_lora, merge_lora
from course.models.pretraining import small_encoder
from course.runtime import seed_everything
from course.training.distillation import soft_target_loss
from course.training.features import extract_features
from course.training.loop import fit
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept
from tests.benchmarks._whole_network import PER_CLASS, PROBE_EPOCHS, PROBE_LR, SIZE, fresh, pictures, probed, shuffled

SEEDS = (0, 1, 2)
EPOCHS, RATE, LORA_RATE = 3, 3e-4, 3e-3
Model = Callable[[torch.Tensor], torch.Tensor]


def training(seed: int) -> TensorDataset:
    return pictures("train", per_class=PER_CLASS, seed=seed)


@functools.cache
def probe(seed: int) -> nn.Module:
    """Where every way begins: the trained head on the pretrained network."""
    return probed(training(seed), seed)


def trained(model: nn.Module, seed: int, lr: float, precision: str = "float32") -> nn.Module:
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=lr)
    fit(
        model,
        shuffled(training(seed), seed),
        epochs=EPOCHS,
        optimizer=optimizer,
        schedule="cosine",
        precision=precision,
        device="cpu",
        verbose=False,
    )
    return model


def everything(seed: int) -> nn.Module:
    """A copy of the probe, trainable but for BatchNorm."""
    model = unfreeze(copy.deepcopy(probe(seed)))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            freeze(module)
    return model


@functools.cache
def full(seed: int) -> nn.Module:
    """The network that full precision gives: what the three ways to shrink begin with."""
    return trained(everything(seed), seed, RATE)


def full_precision(seed: int) -> nn.Module:
    full.cache_clear()
    return full(seed)


def bfloat16(seed: int) -> nn.Module:
    return trained(everything(seed), seed, RATE, "bfloat16")


def cached_features(seed: int) -> nn.Module:
    model = freeze(fresh(seed))
    features = extract_features(model, training(seed), cache=False)
    loader = shuffled(features.dataset(), seed)
    fit(unfreeze(find_head(model).module), loader, epochs=PROBE_EPOCHS, lr=PROBE_LR, device="cpu", verbose=False)
    return model


def lora(seed: int) -> nn.Module:
    return merge_lora(trained(add_lora(copy.deepcopy(probe(seed)), rank=4, seed=seed), seed, LORA_RATE)).eval()


def half_pruned(seed: int) -> nn.Module:
    return prune_by_magnitude(copy.deepcopy(full(seed)), 0.5)


def distilled(seed: int) -> nn.Module:
    """A small network that learns full precision's logits on 250 pictures without labels."""
    x = pictures("train", per_class=25, seed=seed).tensors[0]
    with torch.inference_mode():
        answers = torch.cat([full(seed)(part.contiguous(memory_format=torch.channels_last)) for part in x.split(50)])
    data = TensorDataset(x, answers.clone())
    student = nn.Sequential(small_encoder(), nn.Linear(128, len(CLASSES)))
    loader = shuffled(data, seed)
    settings: dict[str, Any] = {"loss_fn": soft_target_loss(), "schedule": "cosine", "device": "cpu", "verbose": False}
    fit(student, loader, epochs=20, lr=5e-3, **settings)
    return student


SETTINGS: dict[str, Callable[[int], nn.Module]] = {
    "full precision": full_precision,
    "bfloat16": bfloat16,
    "cached features": cached_features,
    "LoRA": lora,
    "int8": full,
    "half pruned": half_pruned,
    "distilled": distilled,
}


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row; models that another begins with are made before the clock starts."""
    pictures("test")
    probe(seed)
    if setting in ("int8", "half pruned", "distilled"):
        full(seed)
    seed_everything(seed)
    start = time.perf_counter()
    model: Any = SETTINGS[setting](seed)
    if setting == "int8":
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "full.onnx")
            export_onnx(model, source, (SIZE, SIZE), {"classes": list(CLASSES)})
            target = quantize(source, Path(folder, "int8.onnx"), training(seed).tensors[0])
            seconds, mib, model = time.perf_counter() - start, zip_size_mib(target), load_onnx(target)
    else:
        seconds, mib = time.perf_counter() - start, zip_size_mib(model)
    return {
        "setting": setting,
        "seed": seed,
        "accuracy": accuracy(model, pictures("test")),
        "seconds": seconds,
        "mib": mib,
        "ms_a_picture": milliseconds(model),
    }


@torch.inference_mode()
def accuracy(model: Model, data: TensorDataset) -> float:
    x, y = data.tensors
    parts = [model(part.contiguous(memory_format=torch.channels_last)).argmax(1) for part in x.split(41)]
    return (torch.cat(parts) == y).float().mean().item()


@torch.inference_mode()
def milliseconds(model: Model) -> float:
    """For one picture of a batch of 20, the best of five."""
    x = pictures("test").tensors[0][:20].contiguous(memory_format=torch.channels_last)
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        model(x)
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds[1:]) / len(x)


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("efficiency_table", run, SETTINGS, SEEDS, seeds)
    mean = {
        name: {metric: comparison.interval(name, metric).mean for metric in comparison.metrics} for name in SETTINGS
    }
    base, ratios = mean["full precision"], {}
    for name, row in mean.items():
        ratios[name] = {metric: base[metric] / row[metric] for metric in ("seconds", "mib", "ms_a_picture")}
    for name in list(SETTINGS)[1:]:
        # The ways to shrink begin after training, so their seconds are no ratio to it.
        better = {
            k: v for k, v in ratios[name].items() if k != "seconds" or name in ("bfloat16", "cached features", "LoRA")
        }
        best = max(better, key=better.__getitem__)
        loss = comparison.paired(name, "full precision", "accuracy")
        notes.append(f"{name}: best ratio {better[best]:.1f} x less {best.replace('_', ' ')}; accuracy {loss}")
    smaller = max(ratios["int8"]["mib"], 0.0)
    return Figure(smaller, "times smaller with int8 than in full precision", "printed", tuple(notes))
