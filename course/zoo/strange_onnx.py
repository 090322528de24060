"""ONNX files that ask for more than to be read, and two that don't: what `read_onnx` can be tried on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SIDE = 2**19  # a matrix with this many rows and columns of float32 takes up a terabyte


def write_strange_files(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """(strange, good): descriptions of one-layer ONNX files and their paths in `folder`; nothing runs or loads them.

    The strange ones refer to a file outside the folder or beyond the end of one inside it, claim a tensor of a
    terabyte or more values than they hold, or need an operator that isn't part of ONNX. `folder` is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder.parent / "secret.bin"
    secret.write_bytes(bytes(32))
    (folder / "beside.bin").write_bytes(bytes(32))
    strange = {
        "weights at a path outside the folder": _model(_external("../secret.bin")),
        "weights at an absolute path": _model(_external(str(secret))),
        "weights past the end of a file": _model(_external("beside.bin", offset=16)),
        "a tensor of a terabyte": _model(_inside((SIDE, SIDE))),
        "fewer bytes than the shape needs": _model(_inside(values=7)),
        "an operator that isn't part of ONNX": _model(_inside(), "RunScript", "com.example"),
    }
    good = {"weights inside": _model(_inside()), "weights in a file beside it": _model(_external("beside.bin"))}
    return _write(strange, folder, "strange"), _write(good, folder, "good")


def _write(made: dict[str, Any], folder: Path, kind: str) -> dict[str, Path]:
    paths = {}
    for number, (what, model) in enumerate(made.items()):
        paths[what] = folder / f"{kind}-{number}.onnx"
        paths[what].write_bytes(model.SerializeToString())
    return paths


def _model(weights: Any, operator: str = "Gemm", domain: str = "") -> Any:
    """A model of one layer with these weights."""
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info
    inputs, outputs = [value("x", TensorProto.FLOAT, ["batch", 4])], [value("y", TensorProto.FLOAT, ["batch", 2])]
    node = helper.make_node(operator, ["x", "w"], ["y"], domain=domain)
    graph = helper.make_graph([node], "one layer", inputs, outputs, [weights])
    opsets = [helper.make_opsetid("", 17)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _external(location: str, **where: int) -> Any:
    """A weight (4, 2) whose values are in another file."""
    from onnx import TensorProto

    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 2], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **where}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _inside(dims: tuple[int, int] = (4, 2), values: int = 8) -> Any:
    """A weight that claims the shape `dims` and holds this many values."""
    from onnx import TensorProto

    content = np.ones(values, np.float32).tobytes()
    return TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=content)
