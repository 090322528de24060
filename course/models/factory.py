"""Models built by name, as their library makes them: bundled, torchvision's or timm's, with or without weights."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course.data import downloads, huggingface
from course.errors import DownloadFailed, NoNetwork, UnknownName, WeightsCorrupt, WeightsMissing
from course.models.weights import DEFAULT_MODEL, torchvision_weights, weights_path


@dataclass(frozen=True)
class Origin:
    """Where a model comes from: `model.origin`, set by `load_backbone`. `weights` is None for random weights."""

    name: str
    library: str  # "bundled", "torchvision" or "timm"
    weights: str | None


def build_model(name: str, weights: Any = "default") -> nn.Module:
    """The model with this name, as its library builds it, with its weights; `.origin` says where it comes from.

    See `course.models.load_backbone` for the names. Only random weights (None) draw from torch's global generator.
    """
    library, plain = _library_of(name)
    load = {"bundled": _load_bundled, "torchvision": _load_torchvision, "timm": _load_timm}[library]
    with nullcontext() if weights is None else torch.random.fork_rng(devices=[]):
        try:
            model: Any = load(plain, weights)
        except (NoNetwork, DownloadFailed) as error:
            bundled = f'load_backbone("{DEFAULT_MODEL}") is bundled'
            raise type(error)(f"the weights of {name!r} are not available: {error}, and {bundled}") from error
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
    """The names of torchvision's classifiers, and of its detectors and segmentation models."""
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
    # The file has other names for the tensors, but the same tensors in the same order.
    model.load_state_dict(dict(zip(model.state_dict(), tensors.values(), strict=True)))
    return model


def _load_torchvision(name: str, weights: Any) -> nn.Module:
    """A torchvision model of any kind with these weights; random ones if they are None."""
    from torchvision.models import get_model, get_model_weights

    # Otherwise a detector without weights would download those of its backbone.
    backbone = {} if name in _torchvision_names()[0] else {"weights_backbone": None}
    if weights is None:
        return get_model(name, weights=None, **backbone)
    choices = get_model_weights(name)
    if weights != "default" and str(weights).split(".")[-1] not in choices.__members__:
        raise UnknownName.of(f"set of weights for {name}", weights, ["default", *choices.__members__])
    chosen = choices["DEFAULT" if weights == "default" else str(weights).split(".")[-1]]
    path = torchvision_weights(chosen.url)
    try:
        with _torch_hub_at(path.parent.parent):
            return get_model(name, weights=chosen, **backbone)
    except Exception as error:
        raise WeightsCorrupt(
            f"{path} has the right hash, but torchvision could not load {name!r} from it "
            f"({huggingface.first_line(error)}); upgrade torchvision: python -m pip install --upgrade torchvision"
        ) from error


@contextmanager
def _torch_hub_at(folder: Path) -> Iterator[None]:
    """Makes torchvision look for weight files in the checkpoints/ of this folder."""
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
        found = huggingface.snapshot(huggingface.Repository(config.hf_hub_id, "model", ("model.safetensors",)))
        overlay = {"file": str(found / "model.safetensors")}
    try:
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    except Exception as error:
        if isinstance(error, OSError):  # the few models whose weights are not on the hub; timm downloads them itself
            raise NoNetwork(
                f"the weights of {name!r} could not be downloaded ({huggingface.first_line(error)}); "
                f"{downloads.OFFLINE_HINT}"
            ) from error
        raise WeightsCorrupt(
            f"the weights of {name!r} cannot be read ({huggingface.first_line(error)}); upgrade timm"
        ) from error
