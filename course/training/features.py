"""The features of a frozen backbone: computed once, cached on disk, read back by the next run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn
from torch.utils.data import Subset, TensorDataset

from course.data.loaders import is_random, make_loader
from course.errors import CannotWrite, DataError, EmptyData, HeadNotFound, OutOfMemory
from course.files import replacing
from course.models.freezing import evaluating
from course.models.heads import Head, find_head
from course.notebook.progress_bars import progress_bar
from course.runtime import home
from course.training.batches import prefetch, to_device
from course.training.memory import empty_cache, is_out_of_memory
from course.training.stopping import stoppable


@dataclass(frozen=True, repr=False)
class Features:
    """The input of a model's head for each sample: `x` is (N, D) float32 and `y` is (N,), in the data set's order.

    `seconds` is the time it took to get them, and `from_cache` says whether they were read from disk.
    """

    x: torch.Tensor
    y: torch.Tensor
    seconds: float
    from_cache: bool

    def dataset(self) -> TensorDataset:
        """(features, label) pairs, to train a head on."""
        return TensorDataset(self.x, self.y)

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"Features({self.x.shape[0]} samples x {self.x.shape[1]} features)"


@stoppable("computing the features was stopped; nothing is kept: run the cell again to begin anew")
def extract_features(
    model: nn.Module, dataset: Any, *, batch_size: int = 64, cache: bool = True, head: str | None = None
) -> Features:
    """The input of the model's head for every sample of `dataset`, each computed once.

    `dataset` is map-style and returns (tensor, label). The model runs in eval mode without gradients on its device, and
    its mode is restored; for a head that is applied at every position (SqueezeNet), the mean over positions is taken.
    The features are cached under `home()/cache/features`, in a file named by a hash of the backbone's weights, the
    transform and the data, so if any of them changes, they are computed again. The first two samples are always
    computed, and compared with the cache.
    Raises EmptyData, DataError if the samples cannot be batched, HeadNotFound, and OutOfMemory.
    """
    start = time.perf_counter()
    found = find_head(model, head=head)
    if len(dataset) == 0:
        raise EmptyData("the data set is empty, so it has no features; check its folder or split")
    with evaluating(model):
        path = _cache_path(model, found, dataset) if cache else None
        cached = _read(path) if path else None
        if cached and len(cached[1]) == len(dataset) and _agree(cached, _first_two(model, found, dataset)):
            return Features(*cached, time.perf_counter() - start, from_cache=True)
        x, y = _compute(model, found, dataset, batch_size)
    if path:
        _write(path, x, y)
    return Features(x, y, time.perf_counter() - start, from_cache=False)


def _compute(model: nn.Module, head: Head, dataset: Any, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    device = next(model.parameters()).device
    features: list[torch.Tensor] = []
    labels: list[torch.Tensor] = []
    hook = head.module.register_forward_pre_hook(lambda _, inputs: features.append(_pooled(inputs[0], head)))
    try:
        with torch.inference_mode():
            for images, batch_labels in _batches(dataset, batch_size, device):
                model(images)
                labels.append(batch_labels)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        if batch_size == 1:
            raise OutOfMemory(f"not even one sample fits into the memory of {device}; use smaller pictures") from error
        print(f"out of memory with {batch_size} samples at once; continuing with {batch_size // 2}")
        features.clear()
        labels.clear()
    finally:
        hook.remove()
    if not features and labels:
        raise HeadNotFound(f"{head.name!r} was not called by the model; pass head= the layer that computes its output")
    if not features:
        empty_cache(device)
        return _compute(model, head, dataset, batch_size // 2)
    return torch.cat(features), torch.cat(labels)  # outside inference mode, so that autograd may use them


def _batches(dataset: Any, batch_size: int, device: torch.device) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
    """Batches, their pictures on the device; for a CUDA GPU, a thread reads the next one while the model runs."""
    # 2 to 4 times faster on a CPU; on Apple's GPUs that layout has given wrong results.
    channels_last = device.type != "mps"

    def send(batch: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        return to_device(batch[0], device, channels_last=channels_last), batch[1]

    loaded = make_loader(dataset, batch_size, collate_fn=_collate)
    sent = prefetch(loaded, send) if device.type == "cuda" else map(send, loaded)
    return progress_bar(sent, "features", total=len(loaded))


def _pooled(inputs: torch.Tensor, head: Head) -> torch.Tensor:
    if inputs.ndim == 4 and isinstance(head.module, nn.Conv2d):
        inputs = inputs.mean((2, 3))  # (B, C, H, W) -> (B, C)
    elif inputs.ndim > 2:
        inputs = inputs.flatten(1, -2).mean(1)  # (B, ..., D) -> (B, D)
    return inputs.float().cpu()


def _collate(samples: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    advice = "create the data set with transform=image_transform(model)"
    if not all(isinstance(sample, tuple | list) and len(sample) == 2 for sample in samples):
        raise DataError(f"a sample is a {type(samples[0]).__name__}, not a pair (tensor, label)")
    images = [image for image, _ in samples]
    if not all(isinstance(image, torch.Tensor) for image in images):
        raise DataError(f"a sample's picture is a {type(images[0]).__name__}, not a tensor; {advice}")
    shapes = {tuple(image.shape) for image in images}
    if len(shapes) > 1:
        raise DataError(f"pictures of different shapes cannot be batched: {sorted(shapes)[:3]}; {advice}")
    return torch.stack(images), torch.as_tensor([label for _, label in samples])


def _first_two(model: nn.Module, head: Head, dataset: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return _compute(model, head, Subset(dataset, range(min(2, len(dataset)))), 2)


def _agree(cached: tuple[torch.Tensor, torch.Tensor], computed: tuple[torch.Tensor, torch.Tensor]) -> bool:
    """Whether the cache agrees with freshly computed features, up to rounding (another device or batch size)."""
    x, y = (tensor[: len(computed[1])] for tensor in cached)
    if x.shape != computed[0].shape or not torch.equal(y, computed[1]):
        return False
    return bool((x - computed[0]).norm() <= 0.01 * computed[0].norm())


def _cache_path(model: nn.Module, head: Head, dataset: Any) -> Path:
    key = hashlib.sha256(_data_key(dataset).encode())
    inside = f"{head.name}."
    for name, module in model.named_modules():
        if name != head.name:
            key.update(f"\n{name} {type(module).__qualname__} {module.extra_repr()}".encode())
    for name, tensor in model.state_dict().items():
        if not name.startswith(inside):  # the features do not depend on the head
            _hash_tensor(key, tensor)
    return home() / "cache" / "features" / f"{key.hexdigest()}.safetensors"


def _data_key(dataset: Any) -> str:
    """What identifies the samples: fingerprint and transform if these are known, otherwise a hash of all samples."""
    if isinstance(dataset, Subset):
        return f"{_data_key(dataset.dataset)} {[int(index) for index in dataset.indices]}"
    transform = repr(getattr(dataset, "transform", None))
    if is_random(transform):
        print("the transform is random: the features are those of a single random version of each picture")
    fingerprint = getattr(dataset, "fingerprint", None)
    if fingerprint and " at 0x" not in transform:  # a memory address says nothing about what a function does
        return f"{fingerprint} {transform}"
    key = hashlib.sha256()
    for index in range(len(dataset)):
        for tensor in _collate([dataset[index]]):
            _hash_tensor(key, tensor)
    return key.hexdigest()


def _hash_tensor(key: Any, tensor: torch.Tensor) -> None:
    tensor = tensor.detach().cpu().contiguous()
    key.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    key.update(tensor.reshape(-1).view(torch.uint8).numpy())


def _read(path: Path) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The features cached in this file, or None if it does not exist or is damaged."""
    if not path.is_file():
        return None
    # a file that another process deletes meanwhile raises OSError here, or RuntimeError when torch maps it
    with suppress(OSError, RuntimeError, SafetensorError, KeyError, TypeError), safe_open(str(path), "pt") as file:
        x, y = file.get_tensor("x"), file.get_tensor("y")
        if file.metadata()["sha256"] == _checksum(x, y):
            return x, y
    return None


def _write(path: Path, x: torch.Tensor, y: torch.Tensor) -> None:
    """Cache the features for the next run; a full or read-only disk is reported in one printed line."""
    try:
        # In one step, so that another kernel sees the complete file or none; its checksum reveals a power cut.
        with replacing(path, parents=True, durable=False) as unfinished:
            unfinished.write_bytes(save({"x": x, "y": y}, {"sha256": _checksum(x, y)}))
    except CannotWrite as error:
        print(f"features not cached in {path.parent} ({error.strerror}); the next run computes them again")


def _checksum(x: torch.Tensor, y: torch.Tensor) -> str:
    key = hashlib.sha256()
    _hash_tensor(key, x)
    _hash_tensor(key, y)
    return key.hexdigest()
