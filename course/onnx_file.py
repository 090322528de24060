"""A model of pictures as an ONNX file, tried out in ONNX Runtime before it is handed on."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course.errors import ModelError

MAX_DIFFERENCE = 1e-4  # between torch's logits and ONNX Runtime's


def export_onnx(model: nn.Module, path: str | Path, size: Sequence[int], metadata: Mapping[str, Any]) -> float:
    """Writes an ONNX file and gives the largest difference that a logit had in ONNX Runtime, at most 1e-4.

    `size` is (height, width) of a picture. The file's input is "pictures" (any batch, 3, height, width), its output
    "logits" (batch, classes); `metadata` goes into it as JSON, key by key. Raises ModelError, and leaves no file, if
    ONNX Runtime does not compute the same.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    model = copy.deepcopy(model).cpu().float().eval()
    x = torch.randn(3, 3, *size, generator=torch.Generator().manual_seed(0))
    program: Any = torch.onnx.export(
        model,
        (x,),
        dynamo=True,
        verbose=False,
        input_names=["pictures"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    program.model.metadata_props.update({key: json.dumps(value) for key, value in metadata.items()})
    program.save(str(path))
    difference, same_labels = _compared(path, model, [x, x[:1]])
    if not (difference <= MAX_DIFFERENCE and same_labels):
        path.unlink()
        raise ModelError(
            f"in ONNX Runtime a logit differs by {difference:.2g} from torch's, above {MAX_DIFFERENCE:g}; the file was "
            "taken away again; update onnx, onnxscript and onnxruntime, or hand on the weights themselves"
        )
    return difference


def _compared(path: Path, model: nn.Module, inputs: list[torch.Tensor]) -> tuple[float, bool]:
    """The largest difference of a logit between torch and ONNX Runtime, and whether all labels are the same."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    difference, same_labels = 0.0, True
    for x in inputs:
        with torch.inference_mode():
            ours = model(x)
        theirs = torch.from_numpy(session.run(None, {"pictures": x.numpy()})[0])
        difference = max(difference, float((ours - theirs).abs().max()))
        same_labels = same_labels and bool((ours.argmax(1) == theirs.argmax(1)).all())
    return difference, same_labels
