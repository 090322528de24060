"""Where a model runs: its device, its precision, how much fits into memory and, if there are several, its processes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import nn

from course.errors import OutOfMemory, TrainingError, UnknownName
from course.runtime import choose_device, choose_precision

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_NOTHING = nullcontext()


class Batch(NamedTuple):
    """One batch of this process. `samples` of it count, the rest is padding; `everywhere` counts in all processes."""

    inputs: Any
    labels: Any
    samples: int
    everywhere: int


class Chunk(NamedTuple):
    """What goes through the model at once, on the device. The weights of the chunks of one step sum to 1."""

    inputs: Any
    labels: Any
    samples: int
    weight: float
    last: bool
    given: Any  # the labels as the loader gave them


class Engine:
    """The device and precision chosen once for a run, and what follows from them.

    With one process nothing is wrapped. Started by `torchrun` or `accelerate launch` (WORLD_SIZE above 1), the
    processes share each step through accelerate: every process takes its own batches, so N processes do what one would
    do with batches N times as large.
    """

    def __init__(self, device: str = "auto", precision: str = "auto") -> None:
        self.accelerator = _start_accelerator(device) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else None
        self.device = self.accelerator.device if self.accelerator else torch.device(choose_device(device)[0])
        if precision == "auto":
            precision = choose_precision(str(self.device))[0]
        if precision not in PRECISIONS:
            raise UnknownName.of("precision", precision, PRECISIONS)
        self.precision = precision
        # float16 underflows below 6e-8, so its loss is scaled up; in other precisions the scaler hands all through.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self.channels_last = False
        self.chunk_size: int | None = None  # samples at once, once memory ran out
        self._model: nn.Module | None = None
        self._network: nn.Module | None = None
        self._shared: list[tuple[Any, Any]] = []  # (loader, this process's share of it)

    @classmethod
    def on(cls, device: str | Engine, precision: str = "auto") -> Engine:
        """The engine itself if it is one already, else a new one on this device."""
        return device if isinstance(device, Engine) else cls(device, precision)

    @property
    def is_main(self) -> bool:
        """True in the one process that prints and writes."""
        return self.accelerator is None or self.accelerator.is_main_process

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        return self.accelerator.process_index if self.accelerator else 0

    @property
    def processes(self) -> int:
        """How many processes share the work."""
        return self.accelerator.num_processes if self.accelerator else 1

    def place(self, model: nn.Module) -> nn.Module:
        """What to call for outputs: the model, moved to the device in place; with several processes, its wrapper."""
        if model is not self._model:
            self._model = self._network = model.to(self.device)
            # Batches take the layout of the model: load_backbone's are channels-last, a learner's own may rely on view.
            self.channels_last = any(map(_is_channels_last, model.parameters()))
            if self.accelerator and any(parameter.requires_grad for parameter in model.parameters()):
                self._network = self.accelerator.prepare_model(model)
        assert self._network is not None
        return self._network

    def autocast(self) -> AbstractContextManager:
        """The context in which a forward pass runs in the chosen precision."""
        if self.precision == "float32":
            return _NOTHING
        return torch.autocast(self.device.type, dtype=PRECISIONS[self.precision])

    def exchange(self, network: nn.Module, chunk: Chunk) -> AbstractContextManager:
        """The context of a chunk: gradients are exchanged between processes at the last one of a step only."""
        if chunk.last or not isinstance(network, nn.parallel.DistributedDataParallel):
            return _NOTHING
        return network.no_sync()

    def batches(self, loader: Any) -> Iterator[Batch]:
        """The batches of this process, still where the loader put them."""
        if self.accelerator is None:
            for inputs, labels in loader:
                samples = count_samples(labels)
                yield Batch(inputs, labels, samples, samples)
        else:
            yield from self._shared_batches(loader)

    def _shared_batches(self, loader: Any) -> Iterator[Batch]:
        """As `batches`, where accelerate pads the end of the data so that every process has as many batches."""
        assert self.accelerator is not None
        size = getattr(loader, "batch_size", None)
        if not size:
            raise TrainingError("several processes need a DataLoader made with batch_size=, to share its batches")
        step = size * self.processes
        left = len(loader.sampler) // step * step if loader.drop_last else len(loader.sampler)
        shared = next((share for known, share in self._shared if known is loader), None)
        if shared is None:
            shared = self.accelerator.prepare_data_loader(loader, device_placement=False)
            self._shared.append((loader, shared))
        for inputs, labels in shared:
            everywhere = min(step, left)
            left -= everywhere
            own = min(max(everywhere - size * self.rank, 0), size)
            # A process that has only padding still takes part with one sample, which counts for nothing.
            yield Batch(_part(inputs, 0, own or 1), _part(labels, 0, own or 1), own, everywhere)

    def chunks(self, batches: list[Batch]) -> Iterator[Chunk]:
        """These batches on the device, in pieces that fit into memory."""
        total = sum(batch.everywhere for batch in batches) or 1
        for batch in batches:
            size = self.chunk_size or batch.samples or 1  # padding without samples still takes part
            for start in range(0, batch.samples or 1, size):
                samples, is_last_part = min(size, batch.samples - start), start + size >= batch.samples
                inputs, labels = batch.inputs, batch.labels
                if size < batch.samples:
                    inputs, labels = _part(inputs, start, start + samples), _part(labels, start, start + samples)
                yield Chunk(
                    self._move(inputs),
                    self._move(labels),
                    samples,
                    weight=samples * self.processes / total,
                    last=is_last_part and batch is batches[-1],
                    given=batch.labels,
                )

    def shrink(self, batches: list[Batch], error: RuntimeError) -> None:
        """Half as many samples at once from now on, said in one line.

        Raises `error` itself if memory is not the cause, and OutOfMemory if there is nothing left to halve.
        """
        if not is_out_of_memory(error):
            raise error
        largest = max(batch.samples for batch in batches)
        size = min(self.chunk_size or largest, largest)
        if size <= 1 or self.processes > 1:
            # A process that tries again alone would wait for the others forever.
            advice = "use a smaller batch_size" if size > 1 else "restart the kernel to free what other cells hold"
            raise OutOfMemory(
                f"{size} sample{'s do' if size > 1 else ' does'} not fit into the memory of {self.device} at once; "
                f"take smaller pictures or a smaller model, freeze more of it, or {advice}"
            ) from error
        self.chunk_size = size // 2
        if self.is_main:
            print(
                f"out of memory with {size} samples at once: going on with {self.chunk_size} at a time; "
                "a step still uses the whole batch"
            )

    def steps(self, loader: Any, accumulate: int = 1) -> int | None:
        """How many optimizer steps one pass over the loader takes, or None if it does not know its length."""
        batches = length(loader)
        return None if batches is None else math.ceil(math.ceil(batches / self.processes) / accumulate)

    def total(self, values: list[float]) -> list[float]:
        """The sums of these numbers over all processes."""
        if self.accelerator is None:
            return values
        kind = torch.float32 if self.device.type == "mps" else torch.float64
        return self.accelerator.reduce(torch.tensor(values, dtype=kind, device=self.device), "sum").tolist()

    def gather(self, value: Any) -> list[Any]:
        """This plain value of every process, in order."""
        if self.accelerator is None:
            return [value]
        from accelerate.utils import gather_object

        return gather_object([value])

    def _move(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            if value.device == self.device and not self.channels_last:
                return value
            if self.channels_last and value.ndim == 4:
                return value.to(self.device, non_blocking=self._is_cuda, memory_format=torch.channels_last)
            return value.to(self.device, non_blocking=self._is_cuda)
        if isinstance(value, dict):
            return {key: self._move(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._move(item) for item in value]
        return value

    @property
    def _is_cuda(self) -> bool:
        return self.device.type == "cuda"


def _start_accelerator(device: str) -> Any:
    from accelerate import Accelerator

    # Precision and accumulation are the loop's own; accelerate contributes processes, sharing and sums.
    return Accelerator(cpu=device == "cpu", mixed_precision="no")


def is_out_of_memory(error: BaseException) -> bool:
    """True if this is what torch raises when a device's memory, or the computer's own, runs out."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text or "out of memory" in text


def count_samples(value: Any) -> int:
    """The length of a batch: of a tensor's first axis, of a dict's columns, of a list of samples."""
    return len(next(iter(value.values()))) if isinstance(value, dict) else len(value)


def length(loader: Any) -> int | None:
    """How many batches a loader gives, or None if it does not know."""
    try:
        return len(loader)
    except TypeError:  # a DataLoader over an IterableDataset has the method, and raises
        return None


def _part(value: Any, start: int, stop: int) -> Any:
    if isinstance(value, dict):
        return {key: item[start:stop] for key, item in value.items()}
    return value[start:stop]


def _is_channels_last(parameter: torch.Tensor) -> bool:
    """True if stored channels-last for sure: a 1 x 1 kernel is in both layouts at once."""
    return (
        parameter.ndim == 4
        and parameter.is_contiguous(memory_format=torch.channels_last)
        and not parameter.is_contiguous()
    )
