"""Chapter 10's table: what ways to shrink one fine-tuned network save and cost. Three seeds.

`python -m tests.benchmarks efficiency_table` writes `course/data/assets/tables/efficiency_table.json`; with seeds as
arguments only theirs are measured. Retraining has the learning rate that was chosen for fine-tuning on validation
pictures (`fine_tuning_rates`).

The network is chapter 04's fine-tuned EfficientNet-Lite0 (150 emoji at 64 pixels, the lower part frozen). Pruning
removes weights of the upper part, four fifths of all. MiB are those of the file, `packed_mib` those in a zip archive;
milliseconds are processor time for one of 20 pictures, one thread, the best of five runs; accuracy is on the 205 test
objects in Fluent style, and `agreement` the share of them with the same prediction as the full network.
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
from torch.nn.utils import prune
from torch.utils.data import TensorDataset

from course.applications.onnx_export import export_onnx
from course.data.emoji import CLASSES, Emoji
from course.data.held_out import hold_out
from course.extras import needed_for
from course.models.compression import load_onnx, quantize, zip_size_mib
from course.models.freezing import trainable_parameters
from course.runtime import seed_everything
from course.training.experiments import Comparison
from course.training.loop import fit
from tests.benchmarks import Figure, fine_tuning
from tests.benchmarks._rows import compare_kept
from tests.benchmarks.fine_tuning import HELD_OUT, SIZE, draw, fresh, shuffled, split, transform

SEEDS = tuple(range(3))
FULL, FP16, INT8, INT8_LINEAR = "float32", "float16 file", "int8 (ONNX Runtime)", "int8 Linear only (torchao)"
WEIGHTS, WEIGHTS_AGAIN = "half of the weights pruned", "half of the weights pruned, retrained"
CHANNELS, CHANNELS_AGAIN = "half of the channels pruned", "half of the channels pruned, retrained"
SETTINGS = (FULL, FP16, INT8, INT8_LINEAR, WEIGHTS, WEIGHTS_AGAIN, CHANNELS, CHANNELS_AGAIN)
RETRAINING_EPOCHS = 6
Model = Callable[[torch.Tensor], torch.Tensor]


@functools.cache
def pictures(part: str, seed: int = 0) -> TensorDataset:
    """All pictures of a part, "test" or "training", as one tensor."""
    data: Any = Emoji("test", size=SIZE, transform=transform())
    if part == "training":
        data, _ = hold_out(Emoji("train", seed=seed, transform=transform(), size=SIZE), HELD_OUT, seed=seed)
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


def retrain(upper: nn.Module, seed: int, masks: list[torch.Tensor] | None = None) -> None:
    """Fine-tune what is left; pruned weights stay zero."""
    if masks:
        for module, mask in zip(prunable(upper), masks, strict=True):
            prune.custom_from_mask(module, "weight", mask)
    rate = fine_tuning.best_rate("fine-tuning")
    optimizer = torch.optim.AdamW(trainable_parameters(upper), lr=rate, weight_decay=0.01)
    loader = shuffled(draw(seed)[0], seed)
    fit(upper, loader, epochs=RETRAINING_EPOCHS, optimizer=optimizer, schedule="cosine", verbose=False)
    if masks:
        for module in prunable(upper):
            prune.remove(module, "weight")


def made(setting: str, seed: int) -> nn.Module:
    """The network of a setting, but for those that are files in another format."""
    seed_everything(seed)
    upper, masks = copy.deepcopy(tuned(seed)), None
    if setting in (WEIGHTS, WEIGHTS_AGAIN):
        masks = prune_weights(upper, 0.5)
    if setting in (CHANNELS, CHANNELS_AGAIN):
        prune_channels(upper, 0.5)
    if setting in (WEIGHTS_AGAIN, CHANNELS_AGAIN):
        retrain(upper, seed, masks)
    model = whole(upper, seed)
    if setting == INT8_LINEAR:
        with needed_for("the benchmark efficiency_table"):
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


def run(setting: str, seed: int) -> dict[str, Any]:
    test, full = pictures("test"), predictions(whole(tuned(seed), seed), pictures("test"))
    network = made(setting, seed)
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


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("efficiency_table", run, SETTINGS, SEEDS, seeds)
    notes += [f"{name} minus {FULL}: {comparison.paired(name, FULL, 'accuracy')}" for name in SETTINGS[1:]]
    return Figure(smaller(comparison), "times smaller with int8 than in float32", "printed", tuple(notes))


def smaller(comparison: Comparison) -> float:
    return comparison.interval(FULL, "mib").mean / comparison.interval(INT8, "mib").mean
