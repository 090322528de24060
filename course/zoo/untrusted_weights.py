"""A weight file from elsewhere: what kind it is, what it wants to import, and its tensors checked against a model.

A pickle is a program: reading it runs what it says. safetensors is a header and bytes. Nothing in here runs a pickle.
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


def kind_of(path: str | Path) -> str:
    """What a weight file is by its first bytes, whatever its name: "safetensors", "pickle", "hdf5" or "unknown".

    PyTorch's .pt and .pth are zip archives with a pickle in them, older ones a bare pickle. Raises WeightsMissing.
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
    """What a pickle would import and may call when it is loaded ("os.system"), read without running any of it.

    PyTorch's own file of weights wants "collections.OrderedDict", "torch._utils._rebuild_tensor_v2" and storages such
    as "torch.FloatStorage", and nothing else. "?" stands for a name that the file hides. Raises WeightsCorrupt for a
    file that is no pickle.
    """
    path = Path(path)
    if kind_of(path) != "pickle":
        raise WeightsCorrupt(f"{path} is no pickle but {kind_of(path)}; it imports nothing when it is read")
    found: dict[str, None] = {}
    for content in _pickles(path):
        try:
            found |= dict.fromkeys(_imports(content))
        except Exception as error:  # pickletools has no error of its own
            raise WeightsCorrupt(
                f"{path} is a pickle that cannot be read to its end ({error}); don't load it"
            ) from error
    return list(found)


def _pickles(path: Path) -> Iterator[bytes]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist() if name.endswith(".pkl"))
    else:
        yield path.read_bytes()


def _imports(content: bytes) -> Iterator[str]:
    """Every name that the program in a pickle imports; "?" where it hides which one that is."""
    top: list[str | None] = [None, None]  # what lies on the stack: a text, or None for whatever else was done
    memo: dict[Any, str | None] = {}
    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif name == "STACK_GLOBAL":
            module, attribute = top[-2:]
            yield "?" if module is None or attribute is None else f"{module}.{attribute}"
        elif name.startswith("EXT"):
            yield "?"
        if name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            memo[len(memo) if name == "MEMOIZE" else argument] = top[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            top.append(memo.get(argument))
        elif name not in ("PROTO", "FRAME"):
            is_text = isinstance(argument, str) and name not in ("GLOBAL", "INST")
            top.append(argument if is_text else None)


def read_weights(path: str | Path, model: nn.Module | None = None) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, by name, checked before use; against `model`, if given, in names and shapes.

    Raises WeightsMissing; WeightsUnsafe for a pickle under any name; WeightsCorrupt for a header that claims more than
    the file holds, or a file that is cut off; WeightsError for values that are not finite, and for weights that do not
    fit the model, with the first names that differ.
    """
    path = Path(path)
    kind = kind_of(path)
    if kind == "pickle":
        raise WeightsUnsafe(
            f"{path} is a pickle, whatever its name says: loading it runs what its author wrote; ask for safetensors"
        )
    if kind != "safetensors":
        raise WeightsCorrupt(f"{path} is no safetensors file ({kind}); fetch it again from where it came from")
    with path.open("rb") as file:
        read_header(file, str(path), "fetch it again from where it came from")
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise WeightsCorrupt(f"{path} is damaged ({error}); fetch it again from where it came from") from error
    broken = [name for name, tensor in state.items() if not bool(tensor.isfinite().all())]
    if broken:
        raise WeightsError(
            f"{path} holds NaN or infinity in {len(broken)} of its {len(state)} tensors, first in {broken[0]}; ask for "
            "weights of a training that went well"
        )
    if model is not None and (problem := describe_mismatch(shapes(state), shapes(model.state_dict()))):
        raise WeightsError(
            f"{path} holds no weights of this {type(model).__name__}: {problem}; take the architecture that its model "
            "card names, with its number of classes"
        )
    return state
