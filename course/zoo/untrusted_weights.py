"""A weight file from an untrusted source: its format, what it would import, and its tensors checked against a model.

A pickle is a program: loading it runs it. safetensors is a header and bytes. Nothing here loads a pickle.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from course.errors import WeightsCorrupt, WeightsError, WeightsMissing, WeightsUnsafe
from course.zoo.safetensors_header import describe_mismatch, read_header, shapes


def detect_format(path: str | Path) -> str:
    """A weight file's format, from its first bytes: "safetensors", "pickle", "hdf5" or "unknown"; its name is ignored.

    PyTorch's .pt and .pth files are zip archives with a pickle inside, older ones a bare pickle. Raises WeightsMissing.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsMissing(f"there is no file {path}; give the path of a weight file")
    with path.open("rb") as file:
        start = file.read(9)
    if start.startswith(b"\x89HDF\r\n"):
        return "hdf5"
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return "pickle" if any(name.endswith(".pkl") for name in archive.namelist()) else "unknown"
    if len(start) == 9 and start[8:] == b"{":
        return "safetensors"
    if start[:1] == b"\x80" or start[:2] in (b"(l", b"(d", b"c_", b"co", b"cp", b"cb"):
        return "pickle"
    return "unknown"


def pickle_imports(path: str | Path) -> list[str]:
    """The names that a pickle would import, and may call, when it is loaded ("os.system"); none of it is run.

    A plain weight file of PyTorch needs "collections.OrderedDict", "torch._utils._rebuild_tensor_v2" and storages such
    as "torch.FloatStorage", and nothing else. "?" stands for a name that the file hides. Raises WeightsCorrupt for a
    file that is not a pickle.
    """
    path = Path(path)
    if detect_format(path) != "pickle":
        raise WeightsCorrupt(f"{path} is not a pickle ({detect_format(path)}), so it imports nothing")
    found: dict[str, None] = {}
    for content in _pickles(path):
        try:
            found |= dict.fromkeys(_imports(content))
        except Exception as error:  # pickletools raises many kinds
            raise WeightsCorrupt(
                f"{path} is a pickle that cannot be parsed to its end ({error}); don't load it"
            ) from error
    return list(found)


def _pickles(path: Path) -> Iterator[bytes]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist() if name.endswith(".pkl"))
    else:
        yield path.read_bytes()


def _imports(content: bytes) -> Iterator[str]:
    """Every name that a pickle imports; "?" for one that it hides."""
    stack: list[str | None] = [None, None]  # a string, or None for anything else that was pushed
    memo: dict[Any, str | None] = {}
    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif name == "STACK_GLOBAL":
            module, attribute = stack[-2:]
            yield "?" if module is None or attribute is None else f"{module}.{attribute}"
        elif name.startswith("EXT"):
            yield "?"
        if name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo.get(argument))
        elif name not in ("PROTO", "FRAME"):
            is_string = isinstance(argument, str) and name not in ("GLOBAL", "INST")
            stack.append(argument if is_string else None)


def read_weights(path: str | Path, model: nn.Module | None = None) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, by name, checked before use, and against the shapes of `model`, if given.

    Raises WeightsMissing; WeightsUnsafe for a pickle, whatever its name; WeightsCorrupt for a header that claims more
    than the file contains, or a truncated file; WeightsError for values that are not finite, and for weights that don't
    fit the model, with the first names that differ.
    """
    path = Path(path)
    kind = detect_format(path)
    if kind == "pickle":
        raise WeightsUnsafe(
            f"{path} is a pickle, whatever its name: loading it runs its author's code; ask for safetensors"
        )
    if kind != "safetensors":
        raise WeightsCorrupt(f"{path} is not a safetensors file ({kind}); download it again from where it came from")
    with path.open("rb") as file:
        read_header(file, str(path), "download it again from where it came from")
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise WeightsCorrupt(f"{path} is damaged ({error}); download it again from where it came from") from error
    broken = [name for name, tensor in state.items() if not bool(tensor.isfinite().all())]
    if broken:
        raise WeightsError(
            f"{path} holds NaN or infinity in {len(broken)} of its {len(state)} tensors, first in {broken[0]}; ask for "
            "weights from a training run that didn't diverge"
        )
    if model is not None and (problem := describe_mismatch(shapes(state), shapes(model.state_dict()))):
        raise WeightsError(
            f"the weights in {path} don't fit this {type(model).__name__}: {problem}; use the architecture that the "
            "model card names, with its number of classes"
        )
    return state
