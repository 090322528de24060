"""Scenes cut into classes: picture and mask moved together, a head over a pretrained trunk, a loss without void."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from course.applications.iou import VOID, check_labels
from course.errors import DataError, EmptyData, HeadNotFound, ModelError, UnknownName
from course.models.factory import build_model
from course.models.freezing import evaluating, freeze, unfreeze
from course.models.heads import replace_head
from course.models.parameter_groups import stages
from course.notebook.progress_bars import bar

AUXILIARY_WEIGHT = 0.5  # as torchvision trains its own models
STRIDES = (8, 16)


class SceneTensors:
    """A transform for scenes: scene -> (picture (3, H, W), mask (H, W) of int64), ready to be batched.

    `transform` is what the model wants of a picture (`course.models.image_transform`), `classes` how many there are,
    background included; `lookup` (see `group_labels`) gives the labels of the mask new numbers first. Raises DataError
    for a mask of another size than its picture, BadLabels for a label that is neither a class nor VOID.
    """

    def __init__(self, transform: Any, classes: int, *, lookup: torch.Tensor | None = None) -> None:
        self.transform, self.classes, self.lookup = transform, classes, lookup

    def __call__(self, scene: Any) -> tuple[torch.Tensor, torch.Tensor]:
        picture, mask = self.transform(scene.picture), torch.as_tensor(scene.mask).long()
        if picture.shape[-2:] != mask.shape:
            raise DataError(
                f"a mask of {tuple(mask.shape)} pixels (height, width) belongs to a picture of "
                f"{tuple(picture.shape[-2:])}; cut and resize both together (joint_transform), the mask with the "
                "nearest pixel"
            )
        if self.lookup is not None:
            mask = self.lookup[mask]
        check_labels(mask, self.classes)
        return picture, mask

    def __repr__(self) -> str:
        lookup = None if self.lookup is None else self.lookup.tolist()
        return f"SceneTensors({self.transform!r}, classes={self.classes}, lookup={lookup})"


def group_labels(classes: Sequence[str], groups: Mapping[str, Sequence[str]]) -> torch.Tensor:
    """(256,) int64: old label -> new label, where several classes become one; background stays 0, void stays void.

    `classes` are the old ones from label 1, `groups` maps a new class to the old ones in it; classes in no group
    become void. Raises UnknownName for a class that there is not.
    """
    lookup = torch.full((256,), VOID)
    lookup[0] = 0
    for new, members in enumerate(groups.values(), 1):
        for name in members:
            if name not in classes:
                raise UnknownName.of("class", name, classes)
            lookup[list(classes).index(name) + 1] = new
    return lookup


def joint_transform(
    image: torch.Tensor, mask: torch.Tensor, seed: int, *, smallest: float = 0.5
) -> tuple[torch.Tensor, torch.Tensor]:
    """A window of both, brought to their full size, and in half of all cases flipped left to right.

    `image` is (C, H, W), `mask` (H, W). The window's sides are at least `smallest` of the picture's; all is drawn from
    `seed` alone. The picture is resized bilinearly, the mask by its nearest pixel, so it gets no new label.
    """
    if image.shape[-2:] != mask.shape:
        raise DataError(f"a picture of {tuple(image.shape[-2:])} pixels and a mask of {tuple(mask.shape)} do not fit")
    from torchvision.transforms.functional import InterpolationMode, hflip, resized_crop

    draw = torch.rand(5, generator=torch.Generator().manual_seed(seed)).tolist()
    size = list(mask.shape)
    sides = [max(1, round(side * (smallest + (1 - smallest) * part))) for side, part in zip(size, draw, strict=False)]
    places = [int(part * (side - window + 1)) for side, window, part in zip(size, sides, draw[2:], strict=False)]
    image = resized_crop(image, *places, *sides, size, InterpolationMode.BILINEAR)
    mask = resized_crop(mask[None], *places, *sides, size, InterpolationMode.NEAREST)[0]
    return (hflip(image), hflip(mask)) if draw[4] < 0.5 else (image, mask)


class Trunk(nn.Module):
    """The maps of a backbone at several depths: pictures (B, 3, H, W) -> {"stride8": (B, C, H/8, W/8), ...}.

    It shares the backbone's layers and drops those behind the last map. `channels` says how many each map has.
    Raises ModelError if the backbone has no map of one of the strides.
    """

    def __init__(self, backbone: nn.Module, strides: Sequence[int] = STRIDES) -> None:
        super().__init__()
        from torchvision.models.feature_extraction import create_feature_extractor

        found = _maps(backbone)
        missing = [stride for stride in strides if stride not in found]
        if missing:
            raise ModelError(
                f"{type(backbone).__name__} has no map {missing[0]} times smaller than the picture; "
                f"pass strides= some of {sorted(found)}, or take a convolutional backbone"
            )
        self.channels = {f"stride{stride}": found[stride][1] for stride in strides}
        self.layers = create_feature_extractor(backbone, {found[stride][0]: f"stride{stride}" for stride in strides})

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.layers(x)


def _maps(backbone: nn.Module) -> dict[int, tuple[str, int]]:
    """Stride -> (name, channels) of the last stage that gives a map of this stride."""
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


class DenseHead(nn.Module):
    """Three layers over a trunk's maps: standardised, brought to the finest grid, concatenated -> logits on that grid.

    Called as head(**maps); the logits are (B, classes, h, w).
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
        plain = [resized(self.standardise[name](x), size) for name, x in maps.items()]
        return self.layers(torch.cat(plain, 1))  # (B, sum of channels, h, w) -> (B, classes, h, w)


class Standardise(nn.Module):
    """Each channel minus its mean, over its standard deviation; both are measured once, by `measure`."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("std", torch.ones(channels, 1, 1))

    def measure(self, x: torch.Tensor) -> None:
        """Take mean and deviation from these maps (N, C, h, w)."""
        std, mean = torch.std_mean(x, (0, 2, 3))
        self.mean.copy_(mean.view(-1, 1, 1))
        self.std.copy_(std.view(-1, 1, 1).clamp_min(1e-12))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) / self.std


class Segmenter(nn.Module):
    """A trunk and a head: pictures (B, 3, H, W) -> logits (B, classes, H, W)."""

    def __init__(self, trunk: Trunk, head: DenseHead) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return resized(self.head(**self.trunk(x)), x.shape[-2:])


class Upper(nn.Module):
    """The layers of a backbone above its finest map, and a head; called as model(**maps), it reads that map alone.

    So the upper layers can be tuned, while the lower ones are frozen and have run once. The layers are the
    backbone's own: afterwards Segmenter(Trunk(backbone), head) is the whole model. BatchNorm stays as it was.
    Raises ModelError if the backbone is no chain of stages.
    """

    def __init__(self, backbone: nn.Module, head: DenseHead, strides: Sequence[int] = STRIDES) -> None:
        super().__init__()
        ends = {_maps(backbone)[stride][0]: f"stride{stride}" for stride in strides}
        chain = [name for name, _ in stages(backbone)]
        first, last = (chain.index(list(ends)[place]) for place in (0, -1))
        self.layers = nn.ModuleList(backbone.get_submodule(name) for name in chain[first + 1 : last + 1])
        self.ends = [ends.get(name, "") for name in chain[first + 1 : last + 1]]  # "" where no map is taken
        self.finest, self.head = f"stride{strides[0]}", head
        unfreeze(self.layers)
        for module in self.layers.modules():
            if isinstance(module, nn.BatchNorm2d):
                freeze(module)

    def forward(self, **maps: torch.Tensor) -> torch.Tensor:
        x = maps[self.finest]
        found = {self.finest: x}
        for layer, end in zip(self.layers, self.ends, strict=True):
            x = layer(x)
            if end:
                found[end] = x
        return self.head(**found)


def resized(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """(B, C, H, W) brought to another height and width, bilinearly."""
    return x if x.shape[-2:] == torch.Size(size) else F.interpolate(x, size=tuple(size), mode="bilinear")


class Maps(Dataset):
    """What a frozen trunk makes of a data set of (picture, mask) pairs, computed once: (maps, mask) pairs."""

    def __init__(self, trunk: Trunk, dataset: Any, *, batch_size: int = 32) -> None:
        if not len(dataset):
            raise EmptyData("the data set is empty, so there is nothing to compute maps of; check its split and count")
        device = next(trunk.parameters()).device
        seen: list[dict[str, torch.Tensor]] = []
        masks: list[torch.Tensor] = []
        with evaluating(trunk), torch.inference_mode():
            for x, y in bar(DataLoader(dataset, batch_size), "maps"):
                x = x.to(device, memory_format=torch.channels_last)
                seen.append({name: part.float().cpu() for name, part in trunk(x).items()})
                masks.append(y)
        self.maps = {name: torch.cat([part[name] for part in seen]) for name in seen[0]}
        self.masks = torch.cat(masks)

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        return {name: part[index] for name, part in self.maps.items()}, self.masks[index]

    def on_grid(self) -> Maps:
        """The same with masks of one pixel a place of the finest map, the middle one: what a head is trained on.

        A sixty-fourth of the pixels says nearly as much, and the loss costs a sixty-fourth.
        """
        (high, wide), (h, w) = self.masks.shape[-2:], max(part.shape[-2:] for part in self.maps.values())
        small = copy.copy(self)
        small.masks = self.masks[:, high // h // 2 :: high // h, wide // w // 2 :: wide // w][:, :h, :w]
        return small

    def new_head(self, classes: int, *, seed: int = 0, width: int = 64) -> DenseHead:
        """A head for these maps, its weights drawn from `seed`, its standardisation measured on them."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = DenseHead({name: part.shape[1] for name, part in self.maps.items()}, classes, width=width)
        for name, part in self.maps.items():
            head.standardise[name].measure(part)  # type: ignore[operator]
        return head


def seg_loss(out: Any, masks: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy over the pixels that have a label; 0 if there are none.

    `out` is logits (B, C, H, W), or the dict of a torchvision model, whose "aux" counts half. `masks` is (B, H, W).
    """
    if isinstance(out, torch.Tensor):
        labelled = torch.count_nonzero(masks != VOID).clamp_min(1)
        return F.cross_entropy(out, masks, ignore_index=VOID, reduction="sum") / labelled
    loss = seg_loss(out["out"], masks)
    return loss + AUXILIARY_WEIGHT * seg_loss(out["aux"], masks) if "aux" in out else loss


seg_loss.ignore_index = VOID  # type: ignore[attr-defined]  # so that fit leaves void out of the accuracy


def swap_seg_head(model: nn.Module, n: int, *, seed: int = 0) -> nn.Module:
    """The same torchvision segmentation model, changed in place: every classifier gives `n` classes.

    DeepLab and FCN have one, and an auxiliary one in training; LR-ASPP adds up two. Only last layers are new.
    Raises HeadNotFound if the model is built in another way.
    """
    heads = [
        head for name in ("classifier", "aux_classifier") if isinstance(head := getattr(model, name, None), nn.Module)
    ]
    if not heads:
        raise HeadNotFound(f"{type(model).__name__} has no `classifier`; swap_seg_head is for torchvision's models")
    for head in heads:
        pair: list[str | None] = [name for name in ("low_classifier", "high_classifier") if hasattr(head, name)]
        for last in pair or [None]:
            replace_head(head, n, head=last, seed=seed)
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
    return swap_seg_head(build_model(name, weights), classes, seed=seed).eval()
