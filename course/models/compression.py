"""Smaller models: magnitude pruning, 8-bit quantization."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course.errors import EmptyData, ModelError


@torch.no_grad()
def prune_by_magnitude(model: nn.Module, fraction: float) -> nn.Module:
    """The same model, changed in place: the smallest `fraction` of its Linear and convolution weights is zero.

    There is one threshold for all layers. Zeros take as much space and time as other values, unless the file is
    compressed or a library uses sparse weights. Raises ModelError unless 0 <= fraction < 1.
    Han et al., "Learning both weights and connections for efficient neural networks" (2015).
    """
    if not 0 <= fraction < 1:
        raise ModelError(f"fraction={fraction} of the weights cannot be pruned; give 0 or more, and less than 1")
    weights = [module.weight for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    magnitudes = torch.cat([weight.abs().flatten() for weight in weights])
    count = int(fraction * len(magnitudes))
    if count:
        threshold = magnitudes.kthvalue(count).values
        for weight in weights:
            weight[weight.abs() <= threshold] = 0
    return model


def quantize(path: str | Path, target: str | Path, pictures: torch.Tensor) -> Path:
    """An ONNX file with 8-bit weights and activations, made from a float32 file by ONNX Runtime.

    `pictures` (N, 3, H, W), preprocessed, are typical inputs: the range of every activation is calibrated on them;
    nothing is trained. `path` is a file that `course.applications.onnx_export.export_onnx` wrote; the input keeps its
    name. On a CPU without 8-bit instructions the result may be slower. Raises EmptyData without a picture.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    if not len(pictures):
        raise EmptyData("the ranges of the activations are calibrated on pictures; pass some typical ones")

    class Reader(CalibrationDataReader):
        """Batch by batch, as ONNX Runtime asks for them."""

        def __init__(self) -> None:
            self.batches: Iterator[torch.Tensor] = iter(pictures.split(25))

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"pictures": batch.contiguous().numpy()}

    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it recommends a preprocessing step that the exported graph doesn't need
    try:
        quantize_static(
            str(path),
            str(target),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
    finally:
        logger.setLevel(level)
    return Path(target)


def load_onnx(path: str | Path) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function from pictures (N, 3, H, W) to logits (N, classes), by ONNX Runtime, with torch's number of threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(pictures: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run(None, {"pictures": pictures.contiguous().cpu().numpy()})[0])

    return run


def zip_size_mib(model: nn.Module | str | Path) -> float:
    """The size in MiB of a model's weights, or of a file, in a zip archive, where zeros take almost no space."""
    if isinstance(model, nn.Module):
        content = io.BytesIO()
        torch.save(model.state_dict(), content)
        data = content.getvalue()
    else:
        data = Path(model).read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.writestr("model", data)
    return len(packed.getvalue()) / 2**20
