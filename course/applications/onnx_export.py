"""An image model as an ONNX file, compared with ONNX Runtime's output before it is shared."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course.errors import ModelError
from course.files import replacing
from course.models.freezing import evaluating

MAX_DIFFERENCE = 1e-4  # between torch's logits and ONNX Runtime's, as a fraction of the largest logit


def export_onnx(model: nn.Module, path: str | Path, size: Sequence[int], metadata: Mapping[str, Any]) -> float:
    """Writes an ONNX file; returns the largest difference between its logits and the model's, at most 1e-4.

    The difference is relative to the largest logit, or to 1 if all logits are smaller: rounding errors grow with the
    values that are summed. `size` is (height, width) of a picture. The file's input is "pictures" (any batch, 3,
    height, width), its output "logits" (batch, classes); `metadata` is stored in it as JSON, key by key. Raises
    ModelError if ONNX Runtime does not compute the same, and CannotWrite; a file that was there before is then
    unchanged.
    """
    model = copy.deepcopy(model).cpu().float().eval()
    for module in model.modules():
        if hasattr(module, "inplace"):
            module.inplace = False  # type: ignore[assignment]  # the same numbers, exported in half the time
    x = torch.randn(3, 3, *size, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch 2.11 warns of its own code
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
    with replacing(Path(path), parents=True) as unfinished:
        program.save(str(unfinished))
        difference, same_labels = _compare_with_runtime(unfinished, model, x)
        if not (difference <= MAX_DIFFERENCE and same_labels):
            raise ModelError(
                f"in ONNX Runtime a logit differs from torch's by {difference:.2g} of the largest one, above "
                f"{MAX_DIFFERENCE:g}, so no file was written; update onnx, onnxscript and onnxruntime, or share the "
                "weights themselves"
            )
    return difference


def _compare_with_runtime(path: Path, model: nn.Module, x: torch.Tensor) -> tuple[float, bool]:
    """The difference that `export_onnx` returns, over a batch and one picture, and whether all labels are equal."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = [largest_difference(model, session, batch) for batch in (x, x[:1])]
    with torch.inference_mode():
        scale = model(x).abs().max().clamp_min(1)
    worst = torch.tensor([difference for difference, _ in found]).max()  # NaN if one is
    return float(worst / scale), all(same for _, same in found)


def largest_difference(model: nn.Module, session: Any, x: torch.Tensor) -> tuple[float, bool]:
    """The largest difference between the logits of a model and of an ONNX Runtime session; if all labels are equal.

    `x` is (B, 3, H, W); it is permuted for a session whose input is (B, H, W, 3). The model runs in eval mode and its
    mode is restored. The difference is NaN if an output is.
    """
    session_input = session.get_inputs()[0]
    channels_last = session_input.shape[-1] == x.shape[1] != session_input.shape[1]
    feed = x.permute(0, 2, 3, 1).contiguous() if channels_last else x
    with evaluating(model), torch.inference_mode():
        expected = model(x)
    found = torch.from_numpy(session.run(None, {session_input.name: feed.numpy()})[0])
    return float((expected - found).abs().max()), bool((expected.argmax(1) == found.argmax(1)).all())
