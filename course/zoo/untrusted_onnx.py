"""An ONNX file from an untrusted source: checked before anything runs it, and refused with a reason.

An ONNX file is not a pickle and runs no Python, but it may refer to other files, to operators that need a library of
native code, and to tensors of any size. `read_onnx` refuses all of these: see its docstring for the list. It does not
protect against a bug in the parsers of onnx or ONNX Runtime, or judge the model's quality.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course.errors import WeightsCorrupt, WeightsMissing, WeightsUnsafe

MAX_MEBIBYTES = 1024.0
DOMAINS = ("", "ai.onnx", "ai.onnx.ml")  # the operators that are part of ONNX itself


def read_onnx(path: str | Path, *, max_mebibytes: float = MAX_MEBIBYTES) -> Any:
    """The checked `onnx.ModelProto` of a file, external data not loaded; nothing in it was run.

    It refuses files over `max_mebibytes` (before reading them, and including external data); tensors whose shape and
    bytes disagree or that claim more than the limit; external data outside the file's own folder (absolute paths, "..",
    links) or beyond the end of its file; operators that are neither ONNX's own nor defined in the file; and anything
    that onnx's own checker refuses. Raises WeightsUnsafe, WeightsCorrupt, WeightsMissing.
    """
    import onnx

    path = Path(path)
    if not path.is_file():
        raise WeightsMissing(f"there is no file {path}; give the path of an .onnx file")
    limit = int(max_mebibytes * 2**20)
    if path.stat().st_size > limit:
        raise WeightsUnsafe(
            f"{path} has {path.stat().st_size / 2**20:,.0f} MiB, over the limit of {max_mebibytes:g}; it was not read; "
            "pass a larger max_mebibytes if you expect such a model"
        )
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf raises several kinds for bytes that are not a message
        raise WeightsCorrupt(
            f"{path} is truncated or not an ONNX file ({type(error).__name__}); download it again"
        ) from error
    if not model.graph.node:
        raise WeightsCorrupt(f"{path} contains no computation; it is not an ONNX file, or an empty one")
    _check_tensors(model, path, limit)
    _check_operators(model, path)
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsCorrupt(
            f"onnx's checker refuses {path}: {reason}; download it again, or export it again"
        ) from error
    return model


def _check_tensors(model: Any, path: Path, limit: int) -> None:
    from onnx import TensorProto

    total = 0
    for tensor in _tensors(model):
        if any(size < 0 for size in tensor.dims):
            raise WeightsUnsafe(f"the tensor {tensor.name!r} in {path} has a negative size, {list(tensor.dims)}")
        claimed = _bytes_of(tensor)
        total += claimed
        if total > limit:
            raise WeightsUnsafe(
                f"the tensors in {path} claim {total / 2**20:,.0f} MiB ({tensor.name!r} is {list(tensor.dims)}), over "
                f"the limit of {limit / 2**20:g}; nothing was allocated; pass a larger max_mebibytes if you expect that"
            )
        if tensor.data_location == TensorProto.EXTERNAL:
            _check_external(tensor, path, claimed)
        elif tensor.HasField("raw_data") and len(tensor.raw_data) != claimed:
            raise WeightsUnsafe(
                f"the tensor {tensor.name!r} in {path} claims the shape {list(tensor.dims)}, {claimed:,} bytes, and "
                f"has {len(tensor.raw_data):,}; the file is damaged or malicious"
            )


def _check_external(tensor: Any, path: Path, claimed: int) -> None:
    """Raises unless the file with a tensor's values is in the model's folder, a regular file, and long enough."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    folder = path.parent.resolve()
    target = folder / location
    what = f"the tensor {tensor.name!r} in {path} is stored in another file, {location!r}"
    is_outside = Path(location).is_absolute() or "\\" in location or ":" in location
    if not location or is_outside or not Path(os.path.realpath(target)).is_relative_to(folder):
        raise WeightsUnsafe(
            f"{what}, which is outside the model's folder; a model needs none of your files: don't use it"
        )
    if target.is_symlink() or not target.is_file():
        kind = "a link" if target.is_symlink() else "not there"
        raise WeightsMissing(f"{what}, which is {kind}; download it from where the model came from, as a regular file")
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", claimed))
    except ValueError as error:
        raise WeightsUnsafe(f"{what}, at an offset that is not a number; the file is damaged or malicious") from error
    size = target.stat().st_size
    if offset < 0 or length != claimed or offset + length > size:
        raise WeightsUnsafe(
            f"{what}: it claims bytes {offset:,} to {offset + length:,} of {size:,}, and its shape "
            f"{list(tensor.dims)} needs {claimed:,}; the files are from different exports, truncated or malicious"
        )


def _bytes_of(tensor: Any) -> int:
    """How many bytes a tensor's shape requires; one for each string."""
    from onnx import TensorProto, helper

    count = math.prod(tensor.dims)
    if tensor.data_type == TensorProto.STRING:
        return count
    try:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except KeyError as error:
        raise WeightsUnsafe(f"the tensor {tensor.name!r} has an unknown type, number {tensor.data_type}") from error
    bits = {"int4": 4, "uint4": 4, "float4_e2m1fn": 4, "int2": 2, "uint2": 2}.get(dtype.name, 8 * dtype.itemsize)
    return (count * bits + 7) // 8


def _check_operators(model: Any, path: Path) -> None:
    """Raises unless every operator is ONNX's own, in a version that onnx knows, or a function defined in the file."""
    from onnx import defs

    versions = {opset.domain: opset.version for opset in model.opset_import}
    defined = {(function.domain, function.name) for function in model.functions}
    unknown: dict[str, None] = {}
    for node in _nodes(model):
        if (node.domain, node.op_type) in defined:
            continue
        domain = "" if node.domain == "ai.onnx" else node.domain
        version = versions.get(node.domain, versions.get(domain, 1))
        if node.domain not in DOMAINS or not defs.has(node.op_type, version, domain):
            unknown[f"{node.domain or 'ai.onnx'}.{node.op_type}"] = None
    if unknown:
        raise WeightsUnsafe(
            f"{path} uses operators that are not part of ONNX: {', '.join([*unknown][:5])}; they would need native "
            "code from the author of the file. Don't load such a library; ask for a file in plain ONNX"
        )


def _graphs(model: Any) -> Iterator[Any]:
    """The main graph, the training graphs, and every graph inside a node's attributes."""
    waiting = [model.graph, *(part for info in model.training_info for part in (info.algorithm, info.initialization))]
    waiting += list(model.functions)
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += attribute.graphs


def _nodes(model: Any) -> Iterator[Any]:
    for graph in _graphs(model):
        yield from graph.node


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor with values: initializers, sparse ones too, and those in the attributes of nodes."""
    for graph in _graphs(model):
        if hasattr(graph, "initializer"):  # a function has none
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                for sparse in [
                    *attribute.sparse_tensors,
                    *([attribute.sparse_tensor] * attribute.HasField("sparse_tensor")),
                ]:
                    yield from (sparse.values, sparse.indices)
