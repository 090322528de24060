"""Running out of memory: recognised, answered with smaller micro-batches; and how much of a GPU's memory was used."""

from __future__ import annotations

import torch

from course.errors import OutOfMemory


def is_out_of_memory(error: BaseException) -> bool:
    """True if this is what torch raises when a device's memory, or the computer's own, runs out."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in text for words in ("can't allocate memory", "out of memory", "status_alloc_failed")
    )


def halved(micro_batch_size: int, error: RuntimeError, device: torch.device, *, can_retry: bool = True) -> int:
    """The micro-batch size to try next, after one that did not fit.

    Raises OutOfMemory if the size is 1 or the step must not be repeated.
    """
    if micro_batch_size > 1 and can_retry:
        return micro_batch_size // 2
    is_one = micro_batch_size <= 1
    advice = "restart the kernel to free what other cells hold" if is_one else "use a smaller batch_size"
    raise OutOfMemory(
        f"{micro_batch_size} sample{' does' if is_one else 's do'} not fit into the memory of {device} at once; "
        f"use smaller pictures or a smaller model, freeze more of it, or {advice}"
    ) from error


def empty_cache(device: torch.device) -> None:
    """Release what a failed attempt left reserved on a GPU, in blocks too small for the next attempt."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def take_peak_memory(device: torch.device) -> dict[str, float]:
    """{"memory_mib": the most GPU memory that tensors took since the last call}, or {} if the device isn't CUDA."""
    if device.type != "cuda":
        return {}
    peak_mib = torch.cuda.max_memory_allocated(device) / 2**20
    torch.cuda.reset_peak_memory_stats(device)
    return {"memory_mib": peak_mib}
