"""Narrow segmentation models with the modules of torchvision's, and what stands before their last layers."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torchvision.models.segmentation.deeplabv3 import ASPP, DeepLabV3
from torchvision.models.segmentation.fcn import FCN, FCNHead
from torchvision.models.segmentation.lraspp import LRASPP

from course.exercises import small_models

OLD_CLASSES = 9


def build(architecture: str, *, seed: int = 0, classes: int = OLD_CLASSES) -> nn.Module:
    """ "deeplab" (with an auxiliary head), "fcn" (without) or "lraspp", in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return {"deeplab": _deeplab, "fcn": _fcn, "lraspp": _lraspp}[architecture](classes).eval()


def restore(architecture: str, state: dict[str, torch.Tensor]) -> nn.Module:
    """The model with this state, in eval mode."""
    model = build(architecture)
    model.load_state_dict(state)
    return model


def drawn_state(architecture: str, rng: torch.Generator) -> dict[str, torch.Tensor]:
    """A state with weights and statistics drawn from `rng`."""
    return small_models.with_statistics(build(architecture, seed=int(torch.randint(2**31, (), generator=rng))), rng)


LAST_LAYERS = {
    "deeplab": {"out": ["classifier.4"], "aux": ["aux_classifier.4"]},
    "fcn": {"out": ["classifier.4"]},
    "lraspp": {"out": ["classifier.low_classifier", "classifier.high_classifier"]},
}


def inputs_of_last_layers(
    architecture: str, state: dict[str, torch.Tensor], x: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Output name -> (B, C, H, W): all that its last layers see, brought to the size of the picture.

    Resizing is linear, so a model whose last layers alone are new gives an affine function of this at every pixel.
    """
    model = restore(architecture, state)
    seen: dict[str, torch.Tensor] = {}
    names = [name for several in LAST_LAYERS[architecture].values() for name in several]
    for name in names:
        model.get_submodule(name).register_forward_pre_hook(
            lambda _, inputs, name=name: seen.__setitem__(name, inputs[0].detach())
        )
    with torch.no_grad():
        model(x)
    if architecture == "lraspp":  # the deep map is first brought to the size of the shallow one, and added
        low, high = names
        seen[high] = _resized(seen[high], seen[low].shape[-2:])
    return {
        output: torch.cat([_resized(seen[name], x.shape[-2:]) for name in several], 1)
        for output, several in LAST_LAYERS[architecture].items()
    }


def _resized(x: torch.Tensor, size: torch.Size) -> torch.Tensor:
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


class _Backbone(nn.Module):
    """Two layers; the maps of either under the names that are asked for."""

    def __init__(self, returned: dict[str, str]):
        super().__init__()
        self.shallow = nn.Sequential(nn.Conv2d(3, 6, 3, 4, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU())
        self.deep = nn.Sequential(nn.Conv2d(6, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU())
        self.returned = returned

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        shallow = self.shallow(x)  # (B, 6, 8, 8)
        maps = {"shallow": shallow, "deep": self.deep(shallow)}  # (B, 12, 4, 4)
        return {new: maps[name] for name, new in self.returned.items()}


def _deeplab(classes: int) -> nn.Module:
    head = nn.Sequential(
        ASPP(12, [1, 2, 3], 8), nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, classes, 1),
    )  # fmt: skip
    return DeepLabV3(_Backbone({"deep": "out", "shallow": "aux"}), head, FCNHead(6, classes))


def _fcn(classes: int) -> nn.Module:
    return FCN(_Backbone({"deep": "out"}), FCNHead(12, classes), None)


def _lraspp(classes: int) -> nn.Module:
    return LRASPP(_Backbone({"shallow": "low", "deep": "high"}), 6, 12, classes, inter_channels=8)
