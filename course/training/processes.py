"""The processes that train one model together, one per GPU, through accelerate; usually there is only one."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from course.errors import TrainingError
from course.training.batches import Batch, MicroBatch, count_batches, count_samples, slice_samples


class Processes:
    """How this process takes part in the training.

    Alone, it wraps nothing. Started by `torchrun` or `accelerate launch` (WORLD_SIZE above 1), the processes share each
    step: every process takes its own batches, so N processes do what one would do with batches N times as large.
    """

    def __init__(self, device: str = "auto") -> None:
        self.accelerator = _start_accelerator(device) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else None
        self._prepared_loaders: list[tuple[Any, Any]] = []  # (loader, this process's part of it)
        self._ddp_model: Any = None  # the wrapper that averages gradients over processes

    @property
    def is_main(self) -> bool:
        """True in the one process that prints and writes."""
        return self.accelerator is None or self.accelerator.is_main_process

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        return self.accelerator.process_index if self.accelerator else 0

    @property
    def count(self) -> int:
        """How many processes there are."""
        return self.accelerator.num_processes if self.accelerator else 1

    def wrap_model(self, model: Any) -> Any:
        """The model in DistributedDataParallel if there are several processes; otherwise the model itself."""
        if self.accelerator is None:
            return model
        self._ddp_model = self.accelerator.prepare_model(model)
        return self._ddp_model

    def gradient_sync(self, network: Any, micro_batch: MicroBatch) -> AbstractContextManager:
        """The context for forward and backward: gradients are synchronised at the last micro-batch of a step only."""
        if micro_batch.is_last or network is not self._ddp_model:
            return nullcontext()
        return network.no_sync()

    def broadcast_buffers(self, model: nn.Module) -> None:
        """Give every process the main one's buffers: in train mode each has its own BatchNorm statistics."""
        if self.accelerator is not None:
            for buffer in model.buffers():
                torch.distributed.broadcast(buffer, 0)

    def prepare_loader(self, loader: Any) -> Any:
        """This process's part of a loader's batches; a shuffled one follows the order of the main process."""
        if self.accelerator is None or loader is None:
            return loader
        if not getattr(loader, "batch_size", None) or not hasattr(loader.sampler, "__len__"):
            raise TrainingError(
                "several processes need a DataLoader made with batch_size= over a data set that has a length, "
                "to share its batches"
            )
        prepared = next((part for known, part in self._prepared_loaders if known is loader), None)
        if prepared is None:
            prepared = self.accelerator.prepare_data_loader(loader, device_placement=False)
            self._prepared_loaders.append((loader, prepared))
        return prepared

    def batches(self, loader: Any) -> Iterator[Batch]:
        """The batches of this process."""
        if self.accelerator is not None:
            yield from self._shared_batches(loader)
            return
        for inputs, labels in loader:
            samples = count_samples(labels)
            yield Batch(inputs, labels, samples, samples, labels)

    def _shared_batches(self, loader: Any) -> Iterator[Batch]:
        """This process's batches; accelerate pads the end of the data so that every process gets equally many."""
        prepared, size = self.prepare_loader(loader), loader.batch_size
        global_size = size * self.count
        samples_left = len(loader.sampler)
        if loader.drop_last:
            samples_left -= samples_left % global_size
        for inputs, labels in prepared:
            global_samples = min(global_size, samples_left)
            samples_left -= global_samples
            samples = min(max(global_samples - size * self.rank, 0), size)
            # A process that has only padding still takes part with all of it, and it counts for nothing.
            labels = slice_samples(labels, 0, samples or size)
            yield Batch(slice_samples(inputs, 0, samples or size), labels, samples, global_samples, labels)

    def steps_per_epoch(self, loader: Any, accumulate: int = 1) -> int | None:
        """How many optimizer steps one pass over the loader takes, or None if the loader does not know its length."""
        batches = count_batches(loader)
        if batches is None:
            return None
        if getattr(loader, "drop_last", False):  # a last round with too few batches for all processes is dropped too
            batches -= batches % self.count
        return math.ceil(math.ceil(batches / self.count) / accumulate)

    def sum(self, values: list[float], device: torch.device) -> list[float]:
        """The sums of these numbers over all processes."""
        if self.accelerator is None:
            return values
        dtype = torch.float32 if device.type == "mps" else torch.float64
        return self.accelerator.reduce(torch.tensor(values, dtype=dtype, device=device), "sum").tolist()

    def gather(self, value: Any) -> list[Any]:
        """This plain value of every process, in order."""
        if self.accelerator is None:
            return [value]
        from accelerate.utils import gather_object

        return gather_object([value])


def _start_accelerator(device: str) -> Any:
    from accelerate import Accelerator, DistributedDataParallelKwargs

    # A parameter that takes no part in the loss, such as the pooler of a text model, must not be waited for.
    find_unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    # Precision and accumulation are the loop's own; accelerate contributes processes, shared loaders and sums.
    return Accelerator(cpu=device == "cpu", mixed_precision="no", kwargs_handlers=[find_unused])
