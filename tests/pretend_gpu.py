"""A GPU pretended on the CPU: tensors know where they would be, and what a GPU would refuse is refused.

`python -m tests.pretend_gpu solutions/04_fine_tune.ipynb [--full]` runs a notebook so, in the quick or the full profile
(the full one on the stand-ins of `tests/full_profile.py`). `with pretended_gpu():` does it for a piece of code.

It finds tensors that were left on the wrong device, and `.numpy()` on a GPU's tensor; speed, memory, streams, random
numbers and rounding are the CPU's. A storage is *on the GPU* once `.to("cuda")` or a function with device="cuda" made
it, or an operation on such a one. Batches are copied in the main thread, because torch's modes hold for one thread.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import course.training.engine
import course.training.features
from course import authoring
from tests import full_profile

ROOT = Path(__file__).resolve().parents[1]
GPU = torch.device("cuda", 0)
TAKE_LENGTHS = ("_pack_padded_sequence", "_pad_packed_sequence", "gru.data", "lstm.data", "rnn_")
LIKE = ("new_empty", "new_zeros", "new_ones", "new_full", "new_tensor")  # without a device: where the tensor is


class Storages:
    """Which storages are on the GPU. A weak reference to each keeps its address from being used by another one."""

    def __init__(self) -> None:
        self.are_copied_by_hand = False  # by copy_ or x[i] = y in Python, which leave the target where it is
        self._known: dict[int, StorageWeakRef] = {}
        self._room = 20_000

    def __contains__(self, tensor: Any) -> bool:
        return isinstance(tensor, torch.Tensor) and _storage(tensor)._cdata in self._known

    def place(self, tensor: torch.Tensor, on_gpu: bool) -> None:
        storage = _storage(tensor)
        if not on_gpu:
            self._known.pop(storage._cdata, None)
            return
        self._known[storage._cdata] = StorageWeakRef(storage)
        if len(self._known) > self._room:
            self._known = {address: known for address, known in self._known.items() if not known.expired()}
            self._room = 2 * len(self._known) + 20_000


def _storage(tensor: torch.Tensor) -> torch.UntypedStorage:
    with torch._C.DisableTorchFunction():
        return tensor.untyped_storage()


class Operations(TorchDispatchMode):
    """Refuses operations on tensors of two places; what an operation on the GPU's gives is on the GPU."""

    def __init__(self, on_gpu: Storages) -> None:
        super().__init__()
        self.on_gpu = on_gpu

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        there = [tensor for tensor in given if tensor in self.on_gpu]
        name = func.__name__
        copies = name.startswith("copy_")
        if there and not copies:
            here = [tensor for tensor in given if tensor.dim() and tensor not in self.on_gpu]
            # x[i] of the GPU takes the CPU's indices, a packed sequence its lengths
            takes_both = ("index" in name and args[0] in self.on_gpu) or name.startswith(TAKE_LENGTHS)
            if here and not takes_both:
                raise RuntimeError(
                    f"Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! "
                    f"({func}; on the GPU {_shapes(there)}, on the CPU {_shapes(here)})"
                )
        result = func(*args, **(kwargs or {}))
        if there and not (copies and self.on_gpu.are_copied_by_hand):  # else torch copies into what it made itself
            for tensor in tree_leaves(result)[: 1 if "_pack_" in name else None]:  # lengths stay on the CPU
                if isinstance(tensor, torch.Tensor):
                    self.on_gpu.place(tensor, True)
        return result


def _shapes(tensors: list[torch.Tensor]) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in tensors]


class Calls(TorchFunctionMode):
    """What names a device: moves, new tensors, questions after the device, and numpy, which a GPU's tensor refuses."""

    def __init__(self, on_gpu: Storages) -> None:
        super().__init__()
        self.on_gpu = on_gpu

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        first = args[0] if args else None
        if func == torch.Tensor.device.__get__ and first in self.on_gpu:  # type: ignore[attr-defined]
            return GPU
        if func in (torch.Tensor.is_cuda.__get__, torch.Tensor.is_cpu.__get__):  # type: ignore[attr-defined]
            return (first in self.on_gpu) == (func == torch.Tensor.is_cuda.__get__)  # type: ignore[attr-defined]
        if name in ("numpy", "__array__") and first in self.on_gpu:
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
                "first."
            )
        if name == "pin_memory":
            return first
        if name in ("cuda", "cpu"):
            return self.moved(first, name == "cuda")
        if name == "to":
            return self.to(first, args[1:], kwargs)
        is_there = is_gpu(kwargs.get("device")) or (
            first in self.on_gpu and kwargs.get("device") is None and (name in LIKE or name.endswith("_like"))
        )
        if is_gpu(kwargs.get("device")):
            kwargs["device"] = "cpu"
        self.on_gpu.are_copied_by_hand = name in ("copy_", "__setitem__")
        result = func(*args, **kwargs)
        self.on_gpu.are_copied_by_hand = False
        if is_there:
            for tensor in tree_leaves(result):
                self.on_gpu.place(tensor, True)
        return result

    def to(self, tensor: torch.Tensor, args: tuple, kwargs: dict[str, Any]) -> torch.Tensor:
        """`tensor.to(...)`: devices, dtypes and other tensors in any order; whether to wait is of no interest."""
        other = next((value for value in (*args, kwargs.get("other")) if isinstance(value, torch.Tensor)), None)
        device = next((value for value in args if isinstance(value, str | torch.device)), kwargs.get("device"))
        dtype = next((value for value in args if isinstance(value, torch.dtype)), kwargs.get("dtype"))
        layout = {key: kwargs[key] for key in ("copy", "memory_format") if kwargs.get(key) is not None}
        if other is not None:
            device, dtype = GPU if other in self.on_gpu else "cpu", other.dtype
        changed = tensor.to(dtype or tensor.dtype, **layout)
        return changed if device is None else self.moved(changed, is_gpu(device))

    def moved(self, tensor: torch.Tensor, to_gpu: bool) -> torch.Tensor:
        """The tensor itself if it is there already, else a copy of it."""
        if (tensor in self.on_gpu) == to_gpu:
            return tensor
        copy = tensor.clone()
        self.on_gpu.place(copy, to_gpu)
        return copy


def is_gpu(device: Any) -> bool:
    return device is not None and str(device).startswith("cuda")


class Stream:
    """A stream that has nothing to wait for."""

    def __init__(self, *_: Any) -> None: ...

    def record_event(self, *_: Any) -> None: ...


CUDA: dict[str, Any] = {
    "is_available": lambda: True,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "get_device_name": lambda *_: "a pretended GPU",
    "get_device_capability": lambda *_: (8, 0),
    "get_device_properties": lambda *_: SimpleNamespace(name="a pretended GPU", total_memory=16 * 2**30),
    "is_bf16_supported": lambda *_, **__: True,
    "mem_get_info": lambda *_: (10 * 2**30, 16 * 2**30),
    "get_rng_state": lambda *_: torch.get_rng_state(),
    "get_rng_state_all": list,
    "Stream": Stream,
    "stream": lambda _: nullcontext(),
} | {name: lambda *_, **__: 0 for name in ("max_memory_allocated", "memory_allocated")}
SILENT = (
    "synchronize", "empty_cache", "reset_peak_memory_stats", "manual_seed_all", "manual_seed", "set_rng_state",
    "_lazy_init",
)  # fmt: skip


def _in_turn(items: Any, prepare: Callable) -> Iterator:
    """`course.training.batches.prefetch` without its thread."""
    return map(prepare, items)


@contextmanager
def pretended_gpu() -> Iterator[None]:
    """In this block and thread there is a GPU, as far as torch and the course can tell."""
    on_gpu = Storages()
    load = torch.load

    def load_there(*args: Any, map_location: Any = None, **options: Any) -> Any:
        found = load(*args, map_location="cpu" if is_gpu(map_location) else map_location, **options)
        for tensor in tree_leaves(found) if is_gpu(map_location) else ():
            if isinstance(tensor, torch.Tensor):
                on_gpu.place(tensor, True)
        return found

    with ExitStack() as stack:
        stack.enter_context(patch.multiple(torch.cuda, **CUDA, **{name: lambda *_, **__: None for name in SILENT}))
        stack.enter_context(patch("torch.load", load_there))
        stack.enter_context(patch("torch.utils.data._utils.pin_memory.pin_memory", lambda data, *_: data))
        for name in ("_accelerator_graph_capture_health_check", "_cuda_graph_capture_health_check"):
            stack.enter_context(patch.object(torch.optim.Optimizer, name, lambda _: None, create=True))
        stack.enter_context(patch.object(torch.nn.RNNBase, "flatten_parameters", lambda _: None))  # cuDNN's layout
        stack.enter_context(patch.object(course.training.engine, "prefetch", _in_turn))
        stack.enter_context(patch.object(course.training.features, "prefetch", _in_turn))
        stack.enter_context(patch.object(course.training.engine.Engine, "_wait_for_copy", lambda _, batch: batch))
        stack.enter_context(Operations(on_gpu))
        stack.enter_context(Calls(on_gpu))
        yield


START = f"""
import sys

sys.path.insert(0, {str(ROOT)!r})

from tests.pretend_gpu import pretended_gpu

__pretending = pretended_gpu()
__pretending.__enter__()
"""


def run(path: Path, folder: Path, *, full: bool) -> list[str]:
    """What the notebook printed; raises AuthoringError if a cell fails. `folder` is filled."""
    if full:
        nb, variables = full_profile.prepared(path, folder)
    else:
        nb, variables = authoring.read(path), authoring.environment(folder, strict=False)
    for cell in nb.cells:
        if cell.id == "setup":
            cell.source = START + cell.source
    return full_profile.printed(authoring.run(nb, path.parent, label=str(path), variables=variables))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.pretend_gpu")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--full", action="store_true", help="the full profile, on stand-ins")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(run(options.notebook, Path(folder), full=options.full)))
