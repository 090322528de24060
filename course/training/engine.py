"""Where a model runs: its device, its precision, its processes, and how many samples fit into memory at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from course.errors import TrainingError, UnknownName
from course.notebook.progress_bars import progress_bar
from course.runtime import choose_device, choose_precision
from course.training import memory
from course.training.batches import (
    Batch,
    MicroBatch,
    count_labels,
    iter_tensors,
    prefetch,
    slice_samples,
    to_device,
)
from course.training.processes import Processes

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Engine:
    """The device and precision chosen once for a run, and what follows from them."""

    def __init__(self, device: str = "auto", precision: str = "auto", *, compile: bool = False) -> None:
        self.processes = Processes(device)
        accelerator = self.processes.accelerator
        self.device = accelerator.device if accelerator else torch.device(choose_device(device)[0])
        if precision == "auto":
            precision = choose_precision(str(self.device))[0]
        if precision not in PRECISIONS:
            raise UnknownName.of("precision", precision, PRECISIONS)
        self.precision, self.compile = precision, compile
        # float16 underflows below 6e-8, so its loss is scaled up; in other precisions the scaler changes nothing.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self.channels_last = False
        self.micro_batch_size: int | None = None  # set once memory ran out
        self.prefetches = self.device.type != "cpu"  # on a CPU, reading would only slow down the model
        self._copy_stream = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
        self._prepared: tuple[nn.Module, list[int]] | None = None
        self._network: Any = None

    @classmethod
    def on(cls, device: str | Engine, precision: str = "auto", *, compile: bool = False) -> Engine:
        """The engine itself if it is one already, else a new one on this device."""
        return device if isinstance(device, Engine) else cls(device, precision, compile=compile)

    @property
    def is_main(self) -> bool:
        """True in the one process that prints and writes."""
        return self.processes.is_main

    def prepare_model(self, model: nn.Module) -> Any:
        """What to call for outputs: the model, moved to the device in place, or its wrapper (compiled, DDP)."""
        trainable = [id(parameter) for parameter in model.parameters() if parameter.requires_grad]
        if (model, trainable) == self._prepared:  # DDP averages the gradients of what was trainable when it was wrapped
            return self._network
        self._prepared, self._network = (model, trainable), model.to(self.device)
        if self.device.type == "mps":
            # Gradients of channels-last BatchNorm are wrong there: github.com/pytorch/pytorch/issues/175189
            model.to(memory_format=torch.contiguous_format)
        # Batches take the layout of the model: load_backbone's are channels-last, a learner's own may rely on view.
        self.channels_last = any(map(_is_channels_last, model.parameters()))
        if self.compile:
            self._network = torch.compile(model)
        if trainable:
            self._network = self.processes.wrap_model(self._network)
        return self._network

    def autocast(self) -> AbstractContextManager:
        """The context in which a forward pass runs in the chosen precision."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=PRECISIONS[self.precision])

    def batches(self, loader: Any, description: str | None = None) -> Iterable[Batch]:
        """The batches of this process; with a `description`, under a progress bar if somebody watches.

        With a GPU, a thread reads the next batch and copies it while the model works on the current one.
        """
        batches: Iterable[Batch] = self.processes.batches(loader)
        if self.prefetches:
            batches = map(self._wait_for_copy, prefetch(batches, self._start_copy))
        if description is None or not self.is_main:
            return batches
        return progress_bar(batches, description, total=self.processes.steps_per_epoch(loader))

    def _start_copy(self, batch: Batch) -> Batch:
        """Start copying a batch to a CUDA GPU while it computes; called in the reading thread."""
        if self._copy_stream is None or self.micro_batch_size is not None:  # micro-batches are copied one by one
            return batch
        try:
            with torch.cuda.stream(self._copy_stream):
                sent = batch._replace(inputs=self._to_device(batch.inputs), labels=self._to_device(batch.labels))
                return sent._replace(copied=self._copy_stream.record_event())
        except RuntimeError as error:
            if not memory.is_out_of_memory(error):
                raise
            return batch

    def _wait_for_copy(self, batch: Batch) -> Batch:
        """The same batch; the GPU won't use it before the copy is complete."""
        if batch.copied is not None:
            stream = torch.cuda.current_stream(self.device)
            stream.wait_event(batch.copied)
            for tensor in iter_tensors([batch.inputs, batch.labels]):
                if tensor.is_cuda:
                    tensor.record_stream(stream)  # so that its memory isn't reused while this stream reads it
        return batch

    def micro_batches(self, batches: list[Batch], ignore_index: int = -100) -> Iterator[MicroBatch]:
        """The batches of one step, on the device, in parts that fit into memory.

        Each weighs as much as it has labels that are not `ignore_index`.
        """
        is_whole = len(batches) == 1 and self.processes.count == 1 and not self.micro_batch_size
        total = 1.0 if is_whole else self._labels_in_step(batches, ignore_index)
        for batch in batches:
            size = self.micro_batch_size or batch.samples or 1  # padding without samples still takes part
            for start in range(0, batch.samples or 1, size):
                samples, ends_batch = min(size, batch.samples - start), start + size >= batch.samples
                values = (batch.inputs, batch.labels, batch.loader_labels)
                if size < batch.samples:
                    values = tuple(slice_samples(value, start, start + samples) for value in values)
                inputs, labels, loader_labels = values
                counted = None if is_whole or not samples else count_labels(loader_labels, ignore_index)
                weight = 1.0 if is_whole else (samples if counted is None else counted) * self.processes.count / total
                is_last = ends_batch and batch is batches[-1]
                inputs, labels = self._to_device(inputs), self._to_device(labels)
                yield MicroBatch(inputs, labels, samples, weight, is_last, loader_labels)

    def _labels_in_step(self, batches: list[Batch], ignore_index: int) -> float:
        """How many labels count in a step, one or several per sample, over all processes; 1 if none does."""
        if count_labels(batches[0].loader_labels, ignore_index) is None:
            return sum(batch.global_samples for batch in batches) or 1
        counted = [count_labels(batch.loader_labels, ignore_index) or 0 for batch in batches if batch.samples]
        return self.processes.sum([float(sum(counted))], self.device)[0] or 1

    def _to_device(self, value: Any) -> Any:
        return to_device(value, self.device, channels_last=self.channels_last)

    def halve_micro_batches(self, batches: list[Batch], error: RuntimeError) -> None:
        """From now on half as many samples at once, reported in one line.

        Raises `error` itself if memory is not the cause, OutOfMemory if there is nothing left to halve, and
        TrainingError if the model cannot be compiled.
        """
        if not memory.is_out_of_memory(error):
            if self.compile and isinstance(error, torch._dynamo.exc.TorchDynamoException):
                reason = " ".join(str(error).strip().split("\n\n")[0].split())
                raise TrainingError(
                    f"torch.compile cannot compile this model here ({reason}); install a C++ compiler (g++) if that "
                    "is what is missing, or train without compile=True"
                ) from error
            raise error
        largest = max(batch.samples for batch in batches)
        size = min(self.micro_batch_size or largest, largest)
        # With several processes, one that tries again would wait for the others forever.
        self.micro_batch_size = memory.halved(size, error, self.device, can_retry=self.processes.count == 1)
        if self.is_main:
            print(
                f"out of memory with {size} samples at once: continuing with {self.micro_batch_size} at a time; "
                "a step still uses the whole batch"
            )


def _is_channels_last(parameter: torch.Tensor) -> bool:
    """True if certainly stored channels-last: a 1 x 1 kernel is in both layouts at once."""
    return (
        parameter.ndim == 4
        and parameter.is_contiguous(memory_format=torch.channels_last)
        and not parameter.is_contiguous()
    )
