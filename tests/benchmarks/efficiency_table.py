"""Chapter 10's table: what ways to shrink one fine-tuned network save and cost. Five seeds.

`python -m tests.benchmarks efficiency_table rates` tries each way that trains at two learning rates with three seeds,
and stores the accuracies on validation pictures in `course/data/assets/tables/efficiency_rates.json`. `python -m
tests.benchmarks efficiency_table` then measures every way at its best rate with five seeds and stores
`efficiency_table.json`; with seeds as arguments only theirs are measured.

The network is chapter 04's fine-tuned EfficientNet-Lite0 (150 emoji at 64 pixels, the lower part frozen). Pruning
removes weights of the upper part, four fifths of all. MiB are those of the file, `packed_mib` those in a zip archive;
milliseconds are processor time for one of 20 pictures, one thread, the best of five runs; accuracy is on the 205 test
objects in Fluent style, and `agreement` the share of them with the same prediction as the full network.
"""

from __future__ import annotations

import copy
import functools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils import prune
from torch.utils.data import TensorDataset

from course.applications.onnx_export import export_onnx
from course.data.emoji import CLASSES, Emoji
from course.data.held_out import hold_out
from course.models.compression import load_onnx, quantize, zip_size_mib
from course.models.freezing import trainable_parameters
from course.models.pretraining import small_encoder
from course.runtime import seed_everything
from course.training.distillation import soft_target_loss
from course.training.experiments import Comparison, stored_table
from course.training.loop import fit
from tests.benchmarks import Figure, fine_tuning
from tests.benchmarks._rows import compare_kept
from tests.benchmarks.fine_tuning import HELD_OUT, SIZE, draw, fresh, shuffled, split, transform

SEEDS, RATE_SEEDS = tuple(range(5)), (0, 1, 2)
FULL, FP16, INT8, INT8_LINEAR = "float32", "float16 file", "int8 (ONNX Runtime)", "int8 Linear only (torchao)"
WEIGHTS, WEIGHTS_AGAIN = "half of the weights pruned", "half of the weights pruned, retrained"
CHANNELS, CHANNELS_AGAIN = "half of the channels pruned", "half of the channels pruned, retrained"
DISTILLED, SMALL = "distilled into a small network", "small network on the labels"
SETTINGS = (FULL, FP16, INT8, INT8_LINEAR, WEIGHTS, WEIGHTS_AGAIN, CHANNELS, CHANNELS_AGAIN, DISTILLED, SMALL)
RATES = {
    WEIGHTS_AGAIN: (3e-4, 1e-3),
    CHANNELS_AGAIN: (3e-4, 1e-3),
    DISTILLED: (3e-3, 1e-2),
    SMALL: (3e-3, 1e-2),
}
RETRAINING_EPOCHS, STUDENT_EPOCHS = 6, 25
Model = Callable[[torch.Tensor], torch.Tensor]


@functools.cache
def pictures(part: str, seed: int = 0) -> TensorDataset:
    """All pictures of a part as one tensor: "test", "validation", or those of training."""
    if part == "test":
        data: Any = Emoji("test", size=SIZE, transform=transform())
    else:
        parts = hold_out(Emoji("train", seed=seed, transform=transform(), size=SIZE), HELD_OUT, seed=seed)
        data = parts[part == "validation"]
    return TensorDataset(torch.stack([picture for picture, _ in data]), data.labels)


@functools.lru_cache(maxsize=2)
def tuned(seed: int) -> nn.Sequential:
    """The upper part after fine-tuning."""
    return fine_tuning.train("fine-tuning", fine_tuning.best_rate("fine-tuning"), seed).eval()


def whole(upper: nn.Module, seed: int) -> nn.Sequential:
    lower, _ = split(fresh(seed)[0])
    return nn.Sequential(lower, upper).eval()


def prunable(upper: nn.Module) -> list[Any]:
    return [module for module in upper.modules() if isinstance(module, nn.Conv2d)]


@torch.no_grad()
def prune_weights(upper: nn.Module, fraction: float) -> list[torch.Tensor]:
    """Unstructured magnitude pruning with one threshold for all convolutions; the masks of what is left."""
    weights = [module.weight for module in prunable(upper)]
    magnitudes = torch.cat([weight.abs().flatten() for weight in weights])
    threshold = magnitudes.kthvalue(int(fraction * len(magnitudes))).values
    masks = [weight.abs() > threshold for weight in weights]
    for weight, mask in zip(weights, masks, strict=True):
        weight *= mask
    return masks


@torch.no_grad()
def prune_channels(upper: nn.Module, fraction: float) -> None:
    """Structured pruning: each inverted residual block loses its hidden channels with the smallest filters."""
    for block in upper.modules():
        if hasattr(block, "conv_pwl") and hasattr(block, "conv_pw"):
            norms = block.conv_pw.weight.abs().sum((1, 2, 3))
            kept = norms.topk(round(len(norms) * (1 - fraction))).indices.sort().values
            keep_channels(block, kept)


def keep_channels(block: Any, kept: torch.Tensor) -> None:
    """The block with only these hidden channels: a narrower expansion, depthwise convolution and projection."""
    for convolution in (block.conv_pw, block.conv_dw):
        convolution.weight = nn.Parameter(convolution.weight[kept].clone())
        convolution.out_channels = len(kept)
    block.conv_dw.in_channels = block.conv_dw.groups = len(kept)
    block.conv_pwl.weight = nn.Parameter(block.conv_pwl.weight[:, kept].clone())
    block.conv_pwl.in_channels = len(kept)
    for norm in (block.bn1, block.bn2):
        for name in ("weight", "bias"):
            setattr(norm, name, nn.Parameter(getattr(norm, name)[kept].clone(), requires_grad=False))
        norm.running_mean, norm.running_var = norm.running_mean[kept], norm.running_var[kept]
        norm.num_features = len(kept)


def retrain(upper: nn.Module, seed: int, rate: float, masks: list[torch.Tensor] | None = None) -> None:
    """Fine-tune what is left; pruned weights stay zero."""
    if masks:
        for module, mask in zip(prunable(upper), masks, strict=True):
            prune.custom_from_mask(module, "weight", mask)
    optimizer = torch.optim.AdamW(trainable_parameters(upper), lr=rate, weight_decay=0.01)
    loader = shuffled(draw(seed)[0], seed)
    fit(upper, loader, epochs=RETRAINING_EPOCHS, optimizer=optimizer, schedule="cosine", verbose=False)
    if masks:
        for module in prunable(upper):
            prune.remove(module, "weight")


def student(seed: int, rate: float, *, teacher: bool) -> nn.Module:
    """A small network that learns from the teacher's logits on all 250 pictures, or from the 150 labels."""
    parts = [pictures("training", seed), pictures("validation", seed)]
    x, targets = parts[0].tensors
    if teacher:
        x = torch.cat([part.tensors[0] for part in parts])
        model = whole(tuned(seed), seed)
        with torch.no_grad():
            targets = torch.cat([model(part.contiguous(memory_format=torch.channels_last)) for part in x.split(50)])
    network = nn.Sequential(small_encoder(), nn.Linear(128, len(CLASSES)))
    settings: dict[str, Any] = {"loss_fn": soft_target_loss()} if teacher else {}
    loader = shuffled(TensorDataset(x, targets), seed)
    fit(network, loader, epochs=STUDENT_EPOCHS, lr=rate, schedule="cosine", verbose=False, **settings)
    return network.eval()


def made(setting: str, seed: int, rate: float) -> nn.Module:
    """The network of a setting, but for those that are files in another format."""
    seed_everything(seed)
    if setting in (DISTILLED, SMALL):
        return student(seed, rate, teacher=setting == DISTILLED)
    upper, masks = copy.deepcopy(tuned(seed)), None
    if setting in (WEIGHTS, WEIGHTS_AGAIN):
        masks = prune_weights(upper, 0.5)
    if setting in (CHANNELS, CHANNELS_AGAIN):
        prune_channels(upper, 0.5)
    if setting in (WEIGHTS_AGAIN, CHANNELS_AGAIN):
        retrain(upper, seed, rate, masks)
    model = whole(upper, seed)
    if setting == INT8_LINEAR:
        from torchao.quantization import Int8WeightOnlyConfig, quantize_

        quantize_(model, Int8WeightOnlyConfig())
    return model


@torch.inference_mode()
def predictions(model: Model, data: TensorDataset) -> torch.Tensor:
    parts = data.tensors[0].split(41)
    return torch.cat([model(part.contiguous(memory_format=torch.channels_last)).argmax(1) for part in parts])


@torch.inference_mode()
def milliseconds(model: Model) -> float:
    """Processor time for one picture of a batch of 20, the best of five."""
    x = pictures("test").tensors[0][:20].contiguous(memory_format=torch.channels_last)
    seconds = []
    for _ in range(6):
        start = time.process_time()
        model(x)
        seconds.append(time.process_time() - start)
    return 1000 * min(seconds[1:]) / len(x)


def run_rate(setting: str, seed: int) -> dict[str, Any]:
    """One row on validation pictures; `setting` is "way @ rate"."""
    way, _, rate = setting.partition(" @ ")
    data = pictures("validation", seed)
    right = predictions(made(way, seed, float(rate)), data) == data.tensors[1]
    return {"setting": setting, "seed": seed, "validation": right.float().mean().item()}


@functools.cache
def best_rate(setting: str) -> float:
    if setting not in RATES:
        return 0.0
    rows = stored_table("efficiency_rates").rows
    means = {
        rate: statistics.fmean(row["validation"] for row in rows if row["setting"] == f"{setting} @ {rate:g}")
        for rate in RATES[setting]
    }
    return max(means, key=lambda rate: means[rate])


def run(setting: str, seed: int) -> dict[str, Any]:
    test, full = pictures("test"), predictions(whole(tuned(seed), seed), pictures("test"))
    network = made(setting, seed, best_rate(setting))
    model: Model = network
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.pt")
        if setting == INT8:
            export_onnx(network, Path(folder, "full.onnx"), (SIZE, SIZE), {"classes": list(CLASSES)})
            path = quantize(Path(folder, "full.onnx"), Path(folder, "int8.onnx"), pictures("training", seed).tensors[0])
            model = load_onnx(path)
        elif setting == FP16:
            torch.save(copy.deepcopy(network).half().state_dict(), path)
            network.load_state_dict(torch.load(path))
        else:
            torch.save(network.state_dict(), path)
        mib, packed = path.stat().st_size / 2**20, zip_size_mib(path)
    predicted = predictions(model, test)
    return {
        "setting": setting,
        "seed": seed,
        "accuracy": (predicted == test.tensors[1]).float().mean().item(),
        "agreement": (predicted == full).float().mean().item(),
        "mib": mib,
        "packed_mib": packed,
        "ms": milliseconds(model),
    }


def measure(*arguments: str) -> Figure:
    if arguments[:1] == ("rates",):
        names = [f"{setting} @ {rate:g}" for setting, rates in RATES.items() for rate in rates]
        comparison, notes = compare_kept("efficiency_rates", run_rate, names, RATE_SEEDS, arguments[1:])
        return Figure(len(comparison.rows), "runs", "all", tuple(notes))
    comparison, notes = compare_kept("efficiency_table", run, SETTINGS, SEEDS, arguments)
    notes += [f"rates: {', '.join(f'{setting} {best_rate(setting):g}' for setting in RATES)}"]
    notes += [f"{name} minus {FULL}: {comparison.paired(name, FULL, 'accuracy')}" for name in SETTINGS[1:]]
    return Figure(smaller(comparison), "times smaller with int8 than in float32", "printed", tuple(notes))


def smaller(comparison: Comparison) -> float:
    return comparison.interval(FULL, "mib").mean / comparison.interval(INT8, "mib").mean
