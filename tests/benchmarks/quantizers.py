"""Chapter 10: which kinds of layers each tool stores in 8 bits, and what that costs. Three seeds.

`python -m tests.benchmarks quantizers` writes `course/data/assets/tables/quantizers.json`. A row is one tool on one
layer with random weights: `size` and `time` are relative to the float32 layer in the same format, `error` is the norm
of the change of the output relative to the output. Times are processor time, one thread, the best of twenty.
"""

from __future__ import annotations

import copy
import io
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course.extras import needed_for
from course.runtime import seed_everything
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept

TOOLS = ("torchao", "torch.ao dynamic (deprecated)", "ONNX Runtime dynamic", "ONNX Runtime static")
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "Linear": (lambda: nn.Sequential(nn.Linear(512, 512)), (64, 512)),
    "LSTM": (lambda: Outputs(nn.LSTM(256, 256, batch_first=True)), (8, 20, 256)),
    "convolution": (lambda: nn.Sequential(nn.Conv2d(128, 128, 3)), (4, 128, 16, 16)),
}
SETTINGS = tuple(f"{tool}: {layer}" for tool in TOOLS for layer in LAYERS)
SEEDS = (0, 1, 2)


class Outputs(nn.Module):
    """A recurrent layer's outputs without its last state."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


def size_of(model: nn.Module) -> int:
    content = io.BytesIO()
    torch.save(model.state_dict(), content)
    return content.tell()


def session(path: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    found = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(found.run(None, {"x": x.numpy()})[0])


def with_onnx(layer: nn.Module, x: torch.Tensor, folder: Path, *, static: bool) -> tuple[Any, int, Any, int]:
    """(float32 model, its bytes, 8-bit model, its bytes), both run by ONNX Runtime."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_dynamic, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.batches = iter([{"x": x.numpy()}])

        def get_next(self) -> Any:
            return next(self.batches, None)

    full, small = folder / "full.onnx", folder / "small.onnx"
    torch.onnx.export(layer, (x,), str(full), input_names=["x"], dynamo=False)
    if static:
        quantize_static(str(full), str(small), Reader(), per_channel=True)
    else:
        quantize_dynamic(str(full), str(small), per_channel=True)
    return session(full), full.stat().st_size, session(small), small.stat().st_size


def with_torch(layer: nn.Module, tool: str) -> tuple[Any, int, Any, int]:
    if tool == "torchao":
        with needed_for("the benchmark quantizers"):
            from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

        small = copy.deepcopy(layer)
        quantize_(small, Int8DynamicActivationInt8WeightConfig())
    else:
        small = torch.ao.quantization.quantize_dynamic(layer)
    return layer, size_of(layer), small, size_of(small)


@torch.inference_mode()
def best_time(run: Callable[[torch.Tensor], Any], x: torch.Tensor) -> float:
    seconds = []
    for _ in range(21):
        start = time.process_time()
        run(x)
        seconds.append(time.process_time() - start)
    return min(seconds[1:])


def run(setting: str, seed: int) -> dict[str, Any]:
    tool, _, name = setting.partition(": ")
    logging.disable(logging.WARNING)
    seed_everything(seed)
    make, shape = LAYERS[name]
    layer, x = make().eval(), torch.randn(shape)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        if tool.startswith("ONNX"):
            full, before, small, after = with_onnx(layer, x, Path(folder), static=tool.endswith("static"))
        else:
            full, before, small, after = with_torch(layer, tool)
        error = ((small(x) - full(x)).norm() / full(x).norm()).item()
        ratio = best_time(small, x) / best_time(full, x)
    logging.disable(logging.NOTSET)
    return {"setting": setting, "seed": seed, "size": after / before, "time": ratio, "error": error}


def measure(*seeds: str) -> Figure:
    comparison, notes = compare_kept("quantizers", run, SETTINGS, SEEDS, seeds)
    covered = sum(comparison.interval(setting, "size").mean < 0.5 for setting in SETTINGS)
    return Figure(
        covered, f"of {len(SETTINGS)} pairs of a tool and a kind of layer are stored in 8 bits", "printed", tuple(notes)
    )
