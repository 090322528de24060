"""Models for semantic segmentation: a segmentation head on a pretrained backbone, and torchvision's own models."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from course.errors import EmptyData, HeadNotFound, ModelError, UnknownName
from course.models.factory import build_model
from course.models.freezing import evaluating, freeze, unfreeze
from course.models.heads import replace_head
from course.models.parameter_groups import stages
from course.notebook.progress_bars import progress_bar

STRIDES = (8, 16)


class MultiScaleBackbone(nn.Module):
    """A backbone's feature maps at several depths: pictures (B, 3, H, W) -> {"stride8": (B, C, H/8, W/8), ...}.

    It shares the backbone's layers and drops those after the last map. `channels` holds the channels of each map.
    Raises ModelError if the backbone has no feature map of one of the strides.
    """

    def __init__(self, backbone: nn.Module, strides: Sequence[int] = STRIDES) -> None:
        super().__init__()
        from torchvision.models.feature_extraction import create_feature_extractor

        found = _stages_by_stride(backbone)
        missing = [stride for stride in strides if stride not in found]
        if missing:
            raise ModelError(
                f"{type(backbone).__name__} has no feature map {missing[0]} times smaller than the picture; "
                f"pass strides= some of {sorted(found)}, or use a convolutional backbone"
            )
        self.channels = {f"stride{stride}": found[stride][1] for stride in strides}
        self.layers = create_feature_extractor(backbone, {found[stride][0]: f"stride{stride}" for stride in strides})

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.layers(x)


def _stages_by_stride(backbone: nn.Module) -> dict[int, tuple[str, int]]:
    """Stride -> (name, channels) of the last stage whose feature map has this stride."""
    found: dict[int, tuple[str, int]] = {}
    names = {module: name for name, module in backbone.named_modules()}

    def note(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[-1] > 1:
            found[128 // output.shape[-1]] = (names[module], output.shape[1])

    hooks = [stage.register_forward_hook(note) for _, stage in stages(backbone) if stage in names]
    device = next(backbone.parameters()).device
    with evaluating(backbone), torch.no_grad():
        backbone(torch.zeros(1, 3, 128, 128, device=device))
    for hook in hooks:
        hook.remove()
    return found


class SegmentationHead(nn.Module):
    """Three convolutions on feature maps that are standardised, resized to the finest grid and concatenated.

    Called as head(**maps); the logits are (B, classes, h, w), on the finest grid.
    """

    def __init__(self, channels: dict[str, int], classes: int, *, width: int = 64) -> None:
        super().__init__()
        self.standardise = nn.ModuleDict({name: Standardise(count) for name, count in channels.items()})
        self.layers = nn.Sequential(
            nn.Conv2d(sum(channels.values()), width, 1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, classes, 1),
        )  # fmt: skip

    def forward(self, **maps: torch.Tensor) -> torch.Tensor:
        size = max(x.shape[-2:] for x in maps.values())
        resized = [resize(self.standardise[name](x), size) for name, x in maps.items()]
        return self.layers(torch.cat(resized, 1))  # (B, sum of channels, h, w) -> (B, classes, h, w)


class Standardise(nn.Module):
    """Each channel minus its mean, divided by its standard deviation; both are fixed, measured once by `measure`."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("std", torch.ones(channels, 1, 1))

    def measure(self, x: torch.Tensor) -> None:
        """Take mean and standard deviation from these feature maps (N, C, h, w)."""
        std, mean = torch.std_mean(x, (0, 2, 3))
        self.mean.copy_(mean.view(-1, 1, 1))
        self.std.copy_(std.view(-1, 1, 1).clamp_min(1e-12))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) / self.std


class Segmenter(nn.Module):
    """A backbone and a head: pictures (B, 3, H, W) -> logits (B, classes, H, W)."""

    def __init__(self, backbone: MultiScaleBackbone, head: SegmentationHead) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return resize(self.head(**self.backbone(x)), x.shape[-2:])


class UpperStages(nn.Module):
    """A backbone's stages after its finest feature map, and a head; called as model(**maps), it reads that map alone.

    So the upper stages can be fine-tuned on feature maps that the frozen lower stages computed once. The stages are the
    backbone's own: afterwards Segmenter(MultiScaleBackbone(backbone), head) is the whole model. BatchNorm is frozen.
    Raises ModelError if the backbone is not a chain of stages.
    """

    def __init__(self, backbone: nn.Module, head: SegmentationHead, strides: Sequence[int] = STRIDES) -> None:
        super().__init__()
        found = _stages_by_stride(backbone)
        ends = {found[stride][0]: f"stride{stride}" for stride in strides}
        chain = [name for name, _ in stages(backbone)]
        first, last = (chain.index(list(ends)[position]) for position in (0, -1))
        self.stages = nn.ModuleList(backbone.get_submodule(name) for name in chain[first + 1 : last + 1])
        self.outputs = [ends.get(name, "") for name in chain[first + 1 : last + 1]]  # "" if the head doesn't use it
        self.finest, self.head = f"stride{strides[0]}", head
        unfreeze(self.stages)
        for module in self.stages.modules():
            if isinstance(module, nn.BatchNorm2d):
                freeze(module)

    def forward(self, **maps: torch.Tensor) -> torch.Tensor:
        x = maps[self.finest]
        outputs = {self.finest: x}
        for stage, name in zip(self.stages, self.outputs, strict=True):
            x = stage(x)
            if name:
                outputs[name] = x
        return self.head(**outputs)


def resize(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """(B, C, H, W) resized bilinearly to another height and width."""
    return x if x.shape[-2:] == torch.Size(size) else F.interpolate(x, size=tuple(size), mode="bilinear")


class FeatureMaps(Dataset):
    """(maps, mask) pairs: the feature maps of a frozen backbone for (picture, mask) pairs, each computed once."""

    def __init__(self, backbone: MultiScaleBackbone, dataset: Any, *, batch_size: int = 32) -> None:
        if not len(dataset):
            raise EmptyData("the data set is empty, so it has no feature maps; check its split and count")
        device = next(backbone.parameters()).device
        batches: list[dict[str, torch.Tensor]] = []
        masks: list[torch.Tensor] = []
        with evaluating(backbone), torch.inference_mode():
            for x, y in progress_bar(DataLoader(dataset, batch_size), "feature maps"):
                x = x.to(device, memory_format=torch.channels_last)
                batches.append({name: maps.float().cpu() for name, maps in backbone(x).items()})
                masks.append(y)
        self.maps = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
        self.masks = torch.cat(masks)

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        return {name: maps[index] for name, maps in self.maps.items()}, self.masks[index]

    def downsample_masks(self) -> FeatureMaps:
        """The same feature maps with masks on their finest grid, to train a head on.

        A mask keeps the middle pixel of each cell. A sixty-fourth of the pixels says nearly as much, and the loss costs
        a sixty-fourth.
        """
        (height, width), (h, w) = self.masks.shape[-2:], max(maps.shape[-2:] for maps in self.maps.values())
        small = copy.copy(self)
        small.masks = self.masks[:, height // h // 2 :: height // h, width // w // 2 :: width // w][:, :h, :w]
        return small

    def new_head(self, classes: int, *, seed: int = 0, width: int = 64) -> SegmentationHead:
        """A head for these feature maps, its weights drawn from `seed`, its standardisation measured on them."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = SegmentationHead({name: maps.shape[1] for name, maps in self.maps.items()}, classes, width=width)
        for name, maps in self.maps.items():
            head.standardise[name].measure(maps)  # type: ignore[operator]
        return head


def replace_classifiers(model: nn.Module, num_classes: int, *, seed: int = 0) -> nn.Module:
    """The same torchvision segmentation model, changed in place: every classifier has `num_classes` outputs.

    DeepLab and FCN have one classifier, and an auxiliary one for training; LR-ASPP adds the outputs of two. Only their
    last layers are new. Raises HeadNotFound if the model has another structure.
    """
    heads = [
        head for name in ("classifier", "aux_classifier") if isinstance(head := getattr(model, name, None), nn.Module)
    ]
    if not heads:
        raise HeadNotFound(
            f"{type(model).__name__} has no `classifier`; replace_classifiers is for torchvision's models"
        )
    for head in heads:
        pair: list[str | None] = [name for name in ("low_classifier", "high_classifier") if hasattr(head, name)]
        for last in pair or [None]:
            replace_head(head, num_classes, head=last, seed=seed)
    return model


def load_segmenter(name: str, classes: int, *, weights: Any = "default", seed: int = 0) -> nn.Module:
    """torchvision's segmentation model of this name with its pretrained weights and new classifiers, in eval mode.

    For example "lraspp_mobilenet_v3_large" or "deeplabv3_resnet50". `weights` as for load_backbone; None draws random
    ones from torch's global generator. Raises UnknownName, NoNetwork or WeightsCorrupt.
    """
    import torchvision

    known = torchvision.models.list_models(module=torchvision.models.segmentation)
    if name not in known:
        raise UnknownName.of("segmentation model", name, known)
    return replace_classifiers(build_model(name, weights), classes, seed=seed).eval()
