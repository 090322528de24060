"""The catalogues of model zoos: every weight file that torchvision and timm publish, with its size and licence."""

from __future__ import annotations

import re
from dataclasses import dataclass

from course.errors import UnknownName

UNSTATED = "not stated"
SWAG_LICENCE = "CC-BY-NC-4.0"  # torchvision gives a URL as the licence of these weights
LIBRARIES = ("torchvision", "timm")


@dataclass(frozen=True)
class PublishedWeights:
    """One weight file in a zoo. Nothing here was measured by us: these are the zoo's own figures.

    `accuracy` is the published top-1 accuracy on ImageNet in [0, 1], or None; `mebibytes` the size of the file, or None
    (timm doesn't publish it); `sha256` the beginning of its hash if the file's name contains it.
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
    """What a project can use: a weight file of at most `mebibytes`, under one of these `licences`."""

    mebibytes: float
    licences: tuple[str, ...]


def catalogue(library: str = "torchvision") -> list[PublishedWeights]:
    """The weights that a library ("torchvision" or "timm") publishes, from its own metadata; nothing is downloaded.

    torchvision's weights have its own licence (BSD-3-Clause) unless their metadata names another. Raises
    UnknownName for another library.
    """
    if library not in LIBRARIES:
        raise UnknownName.of("library with a catalogue", library, LIBRARIES)
    return _torchvision() if library == "torchvision" else _timm()


def _torchvision() -> list[PublishedWeights]:
    from torchvision import models

    entries = []
    for task, module in (("classify", models), ("detect", models.detection), ("segment", models.segmentation)):
        for name in models.list_models(module=module):
            for weights in models.get_model_weights(name):
                meta = weights.meta
                published = meta["_metrics"].get("ImageNet-1K", {}).get("acc@1")
                entries.append(
                    PublishedWeights(
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
    return SWAG_LICENCE if "facebookresearch/SWAG" in stated else stated


def _timm() -> list[PublishedWeights]:
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
            PublishedWeights(
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
    """The beginning of the sha256 with which PyTorch's file names end, or an empty text."""
    found = re.search(r"-([0-9a-f]{8,64})\.(pth|pt|safetensors)$", address)
    return found[1] if found else ""
