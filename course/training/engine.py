"""Where a model runs: its device, its precision, how much fits into memory and, if there are several, its processes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from course.errors import OutOfMemory, TrainingError, UnknownName
from course.notebook.progress_bars import bar
from course.runtime import choose_device, choose_precision
from course.training.batches import (
    Batch,
    Chunk,
    ahead,
    count_parts,
    count_samples,
    is_out_of_memory,
    length,
    part,
    tensors,
    to_device,
)

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_NOTHING = nullcontext()


class Engine:
    """The device and precision chosen once for a run, and what follows from them.

    With one process nothing is wrapped. Started by `torchrun` or `accelerate launch` (WORLD_SIZE above 1), the
    processes share each step through accelerate: every process takes its own batches, so N processes do what one would
    do with batches N times as large.
    """

    def __init__(self, device: str = "auto", precision: str = "auto", *, compiles: bool = False) -> None:
        self.accelerator = _start_accelerator(device) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else None
        self.device = self.accelerator.device if self.accelerator else torch.device(choose_device(device)[0])
        if precision == "auto":
            precision = choose_precision(str(self.device))[0]
        if precision not in PRECISIONS:
            raise UnknownName.of("precision", precision, PRECISIONS)
        self.precision, self.compiles = precision, compiles
        # float16 underflows below 6e-8, so its loss is scaled up; in other precisions the scaler hands all through.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self.channels_last = False
        self.chunk_size: int | None = None  # samples at once, once memory ran out
        self.reads_ahead = self.device.type != "cpu"  # on a CPU, reading would only slow down the model
        self._copies = torch.cuda.Stream(self.device) if self._is_cuda else None
        self._placed: tuple[nn.Module, list[int]] | None = None
        self._network: Any = None
        self._parallel: Any = None  # the wrapper that shares gradients between processes
        self._shared: list[tuple[Any, Any]] = []  # (loader, this process's share of it)

    @classmethod
    def on(cls, device: str | Engine, precision: str = "auto", *, compiles: bool = False) -> Engine:
        """The engine itself if it is one already, else a new one on this device."""
        return device if isinstance(device, Engine) else cls(device, precision, compiles=compiles)

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
        """What to call for outputs: the model, moved to the device in place; compiled or shared, its wrapper."""
        learns = [id(parameter) for parameter in model.parameters() if parameter.requires_grad]
        if (model, learns) != self._placed:  # processes share the gradients of what learned when it was wrapped
            self._placed, self._network = (model, learns), model.to(self.device)
            if self.device.type == "mps":
                # Gradients of channels-last BatchNorm are wrong there: github.com/pytorch/pytorch/issues/175189
                model.to(memory_format=torch.contiguous_format)
            # Batches take the layout of the model: load_backbone's are channels-last, a learner's own may rely on view.
            self.channels_last = any(map(_is_channels_last, model.parameters()))
            if self.compiles:
                self._network = torch.compile(model)
            if self.accelerator and learns:
                self._network = self._parallel = self.accelerator.prepare_model(self._network)
        return self._network

    def autocast(self) -> AbstractContextManager:
        """The context in which a forward pass runs in the chosen precision."""
        if self.precision == "float32":
            return _NOTHING
        return torch.autocast(self.device.type, dtype=PRECISIONS[self.precision])

    def exchange(self, network: Any, chunk: Chunk) -> AbstractContextManager:
        """The context of a chunk: gradients are exchanged between processes at the last one of a step only."""
        return _NOTHING if chunk.last or network is not self._parallel else network.no_sync()

    def share_buffers(self, model: nn.Module) -> None:
        """Give every process the main one's buffers: in train mode, BatchNorm's statistics are each process's own."""
        if self.accelerator is not None:
            for buffer in model.buffers():
                torch.distributed.broadcast(buffer, 0)

    def batches(self, loader: Any, description: str | None = None) -> Iterable[Batch]:
        """The batches of this process, with a progress bar if described and where a person watches the main one.

        With a GPU, a thread reads the next batch and copies it while the model works on this one.
        """
        batches = self._shared_batches(loader) if self.accelerator else _whole_batches(loader)
        if self.reads_ahead:
            batches = map(self._receive, ahead(batches, self._send))
        return bar(batches, description, total=self.steps(loader)) if description and self.is_main else batches

    def _send(self, batch: Batch) -> Batch:
        """Start copying a batch to a CUDA GPU beside what is computed there; in the reading thread."""
        if self._copies is None or self.chunk_size is not None:  # where memory is short, pieces are copied one by one
            return batch
        try:
            with torch.cuda.stream(self._copies):
                sent = batch._replace(inputs=self._move(batch.inputs), labels=self._move(batch.labels))
                return sent._replace(copied=self._copies.record_event())
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return batch

    def _receive(self, batch: Batch) -> Batch:
        """The same batch, which the GPU won't use before it is there."""
        if batch.copied is not None:
            stream = torch.cuda.current_stream(self.device)
            stream.wait_event(batch.copied)
            for tensor in tensors([batch.inputs, batch.labels]):
                if tensor.is_cuda:
                    tensor.record_stream(stream)  # so that its memory isn't used again while this stream reads it
        return batch

    def share(self, loader: Any) -> Any:
        """This process's part of a loader's batches; of a shuffled one the order is the main process's."""
        if self.accelerator is None or loader is None:
            return loader
        if not getattr(loader, "batch_size", None) or not hasattr(loader.sampler, "__len__"):
            raise TrainingError(
                "several processes need a DataLoader made with batch_size= over a data set that has a length, "
                "to share its batches"
            )
        shared = next((share for known, share in self._shared if known is loader), None)
        if shared is None:
            shared = self.accelerator.prepare_data_loader(loader, device_placement=False)
            self._shared.append((loader, shared))
        return shared

    def _shared_batches(self, loader: Any) -> Iterator[Batch]:
        """This process's batches; accelerate pads the end of the data so that every process has as many."""
        shared, size = self.share(loader), loader.batch_size
        step = size * self.processes
        left = len(loader.sampler) // step * step if loader.drop_last else len(loader.sampler)
        for inputs, labels in shared:
            everywhere = min(step, left)
            left -= everywhere
            own = min(max(everywhere - size * self.rank, 0), size)
            # A process that has only padding still takes part with it, whole, which counts for nothing.
            labels = part(labels, 0, own or size)
            yield Batch(part(inputs, 0, own or size), labels, own, everywhere, labels)

    def chunks(self, batches: list[Batch], ignored: int = -100) -> Iterator[Chunk]:
        """These batches on the device, in pieces that fit into memory; labels that are `ignored` weigh nothing."""
        is_whole = len(batches) == 1 and self.processes == 1 and not self.chunk_size
        total = 1.0 if is_whole else self._weigh(batches, ignored)
        for batch in batches:
            size = self.chunk_size or batch.samples or 1  # padding without samples still takes part
            for start in range(0, batch.samples or 1, size):
                samples, is_last_part = min(size, batch.samples - start), start + size >= batch.samples
                values = (batch.inputs, batch.labels, batch.given)
                if size < batch.samples:
                    values = tuple(part(value, start, start + samples) for value in values)
                inputs, labels, given = values
                parts = None if is_whole or not samples else count_parts(given, ignored)
                weight = 1.0 if is_whole else (samples if parts is None else parts) * self.processes / total
                last = is_last_part and batch is batches[-1]
                yield Chunk(self._move(inputs), self._move(labels), samples, weight, last, given)

    def _weigh(self, batches: list[Batch], ignored: int) -> float:
        """How many labels count in a step: one a sample, or as many as it has, over all processes; 1 if none does."""
        parts = [count_parts(batch.given, ignored) if batch.samples else 0 for batch in batches]
        if count_parts(batches[0].given, ignored) is None:
            return sum(batch.everywhere for batch in batches) or 1
        return self.total([float(sum(part or 0 for part in parts))])[0] or 1

    def _move(self, value: Any) -> Any:
        return to_device(value, self.device, channels_last=self.channels_last)

    def shrink(self, batches: list[Batch], error: RuntimeError) -> None:
        """Half as many samples at once from now on, said in one line.

        Raises `error` itself if memory is not the cause, OutOfMemory if there is nothing left to halve, and
        TrainingError if the model cannot be compiled.
        """
        if not is_out_of_memory(error):
            if self.compiles and isinstance(error, torch._dynamo.exc.TorchDynamoException):
                reason = " ".join(str(error).strip().split("\n\n")[0].split())
                raise TrainingError(
                    f"torch.compile cannot translate this model here ({reason}); install a C++ compiler (g++) if that "
                    "is what is missing, or train without compile=True"
                ) from error
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

    def free_memory(self) -> None:
        """Give back what a failed attempt left reserved on the GPU, in pieces too small for the next one."""
        if self._is_cuda:
            torch.cuda.empty_cache()

    def take_peak_memory(self) -> dict[str, float]:
        """`memory_mib`: the most GPU memory that tensors took since the last call; nothing where none is counted."""
        if not self._is_cuda:
            return {}
        peak = torch.cuda.max_memory_allocated(self.device) / 2**20
        torch.cuda.reset_peak_memory_stats(self.device)
        return {"memory_mib": peak}

    def steps(self, loader: Any, accumulate: int = 1) -> int | None:
        """How many optimizer steps one pass over the loader takes, or None if it does not know its length."""
        batches = length(loader)
        if batches is None:
            return None
        if getattr(loader, "drop_last", False):  # and where some processes would have no batch, none has one
            batches -= batches % self.processes
        return math.ceil(math.ceil(batches / self.processes) / accumulate)

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

    @property
    def _is_cuda(self) -> bool:
        return self.device.type == "cuda"


def _start_accelerator(device: str) -> Any:
    from accelerate import Accelerator, DistributedDataParallelKwargs

    # What takes no part in the loss, as the pooler of a text model, has no gradient to be waited for.
    partial = DistributedDataParallelKwargs(find_unused_parameters=True)
    # Precision and accumulation are the loop's own; accelerate contributes processes, sharing and sums.
    return Accelerator(cpu=device == "cpu", mixed_precision="no", kwargs_handlers=[partial])


def _whole_batches(loader: Any) -> Iterator[Batch]:
    for inputs, labels in loader:
        samples = count_samples(labels)
        yield Batch(inputs, labels, samples, samples, labels)


def _is_channels_last(parameter: torch.Tensor) -> bool:
    """True if stored channels-last for sure: a 1 x 1 kernel is in both layouts at once."""
    return (
        parameter.ndim == 4
        and parameter.is_contiguous(memory_format=torch.channels_last)
        and not parameter.is_contiguous()
    )
