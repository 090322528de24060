"""What the model zoos offer: every weight file that torchvision and timm publish, with its size and its licence."""

from __future__ import annotations

import re
from dataclasses import dataclass

from course.errors import UnknownName

UNSTATED = "not stated"
SWAG = "CC-BY-NC-4.0"  # what the address stands for that torchvision gives as the licence of these weights
LIBRARIES = ("torchvision", "timm")


@dataclass(frozen=True)
class Entry:
    """One file of weights in a zoo. Nothing here was measured by us: it is what the zoo says.

    `accuracy` is the published top-1 on ImageNet in [0, 1], or None; `mebibytes` the size of the file (in timm, which
    does not say, of its parameters in float32), or None; `sha256` the beginning of its hash where the name has one.
    """

    name: str
    weights: str
    library: str
    task: str
    parameters: int | None
    mebibytes: float | None
    accuracy: float | None
    licence: str
    url: str
    sha256: str


@dataclass(frozen=True)
class Budget:
    """What can be afforded: a weight file of at most `mebibytes`, under one of these `licences`."""

    mebibytes: float
    licences: tuple[str, ...]


def catalogue(library: str = "torchvision") -> list[Entry]:
    """The entries of a library ("torchvision" or "timm"), read from its own metadata; nothing is downloaded.

    torchvision's weights are under its own licence (BSD-3-Clause) unless their metadata names another. Raises
    UnknownName for another library.
    """
    if library not in LIBRARIES:
        raise UnknownName.of("library with a catalogue", library, LIBRARIES)
    return _torchvision() if library == "torchvision" else _timm()


def _torchvision() -> list[Entry]:
    from torchvision import models

    entries = []
    for task, module in (("classify", models), ("detect", models.detection), ("segment", models.segmentation)):
        for name in models.list_models(module=module):
            for weights in models.get_model_weights(name):
                meta = weights.meta
                published = meta["_metrics"].get("ImageNet-1K", {}).get("acc@1")
                entries.append(
                    Entry(
                        name,
                        weights.name,
                        "torchvision",
                        task,
                        meta["num_params"],
                        meta["_file_size"],
                        None if published is None else published / 100,
                        _licence(meta.get("license")),
                        weights.url,
                        _hash_in(weights.url),
                    )
                )
    return entries


def _licence(stated: str | None) -> str:
    if stated is None:
        return "BSD-3-Clause"
    return SWAG if "facebookresearch/SWAG" in stated else stated


def _timm() -> list[Entry]:
    import timm

    entries = []
    for full_name in timm.list_pretrained():
        config = timm.get_pretrained_cfg(full_name)
        if config is None:
            continue
        name, _, tag = full_name.partition(".")
        licence = (config.license or "").lower()
        address = config.url if isinstance(config.url, str) else ""
        where = f"https://huggingface.co/{config.hf_hub_id}" if config.hf_hub_id else address
        entries.append(
            Entry(
                name,
                tag,
                "timm",
                "classify" if config.num_classes else "features",
                None,
                None,
                None,
                UNSTATED if licence in ("", "unknown") else licence,
                where,
                _hash_in(address),
            )
        )
    return entries


def _hash_in(address: str) -> str:
    """The beginning of a sha256, as PyTorch's own file names end in it."""
    found = re.search(r"-([0-9a-f]{8,64})\.(pth|pt|safetensors)$", address)
    return found[1] if found else ""
