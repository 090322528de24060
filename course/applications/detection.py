"""Things found in pictures: torchvision's Faster R-CNN on a pretrained trunk, for `fit` to train, and its AP.

scenes = Scenes("train", 200, transform=to_sample)
model = train_levels(load_detector(len(scenes.classes)), 0)             # a new detector on a frozen trunk
loader = DataLoader(scenes, batch_size=8, shuffle=True, collate_fn=collate)
fit(model, loader, epochs=10, loss_fn=detection_loss)
measure_ap(model, test_loader, scenes.classes).ap50
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import MultiScaleRoIAlign

from course.data.scenes import Scene
from course.errors import EmptyData, ModelError, TrainingError
from course.models.backbones import load_backbone
from course.models.freezing import evaluating, freeze, set_train, unfreeze
from course.models.weights import DEFAULT_MODEL
from course.notebook.progress_bars import bar
from course.training.batches import count_batches, count_samples
from course.training.engine import Engine

DEPTHS = (2, 4, 6)  # the blocks of the bundled backbone whose maps are used: an 8th, a 16th and a 32nd of the picture
ANCHORS = (3 / 16, 5 / 16, 1 / 2)  # sides of the anchors, of the picture's
NECK, HIDDEN, POOLED = 64, 256, 4  # channels of the merged map, width of the box head, cells a side of a proposal
Target = dict[str, torch.Tensor]  # "boxes" (N, 4) float32 x1, y1, x2, y2 in pixels and "labels" (N,) int64 from 1


class MergedMaps(nn.Module):
    """A trunk and its neck: pictures (B, 3, H, W) -> one map (B, 64, H / 8, W / 8) that knows detail and meaning.

    The maps of three depths, enlarged to the finest, are laid on each other by `maps`; the neck standardises them
    and mixes them down to few channels.
    """

    def __init__(self, trunk: Any, channels: int = NECK) -> None:
        super().__init__()
        self.trunk, self.out_channels = trunk, channels
        total = sum(trunk.blocks[depth][-1].bn3.num_features for depth in DEPTHS)
        self.neck = nn.Sequential(nn.BatchNorm2d(total), nn.Conv2d(total, channels, 1), nn.ReLU())

    def maps(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W), normalised -> (B, 472, H / 8, W / 8): what the neck sees."""
        x = self.trunk.bn1(self.trunk.conv_stem(pictures))
        found = []
        for depth, block in enumerate(self.trunk.blocks):
            x = block(x)
            if depth in DEPTHS:
                found.append(x)
        size = found[0].shape[-2:]
        larger = [F.interpolate(x, size=size, mode="bilinear") for x in found[1:]]
        return torch.cat([found[0], *larger], 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.neck(self.maps(pictures))


def load_detector(
    num_classes: int, name: str = DEFAULT_MODEL, *, weights: Any = "default", size: int = 128, seed: int = 0
) -> FasterRCNN:
    """A Faster R-CNN for `num_classes` kinds of things (background not counted), in eval mode.

    The bundled backbone's name gives a small detector for square pictures of `size` pixels: `MergedMaps` over the
    pretrained trunk, and the rest new. A detector's name of torchvision ("fasterrcnn_mobilenet_v3_large_320_fpn")
    gives that one as it was trained on COCO, but for its predictor, and scales pictures itself.
    `weights` is "default", the name of a set of weights, or None for random ones. All that is new is drawn from `seed`.
    Raises ModelError for a model without boxes, UnknownName, NoNetwork, WeightsMissing or WeightsCorrupt.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        loaded: Any = load_backbone(name, weights=weights)
        torch.manual_seed(seed)  # random weights were drawn, pretrained ones not: what is new shall be the same
        if isinstance(loaded, FasterRCNN):
            model = loaded
        elif name == DEFAULT_MODEL:
            model = _small_detector(MergedMaps(loaded), size, num_classes)
        else:
            raise ModelError(
                f"{name} gives no boxes; take the bundled {DEFAULT_MODEL} or a Faster R-CNN of torchvision, such as "
                "fasterrcnn_mobilenet_v3_large_320_fpn"
            )
    return swap_predictor(model, num_classes, seed=seed).eval()


def _small_detector(backbone: MergedMaps, size: int, num_classes: int) -> FasterRCNN:
    """Few anchors, few proposals, narrow layers: a tenth of the usual work, enough for small pictures."""
    anchors = AnchorGenerator((tuple(round(size * part) for part in ANCHORS),), ((1.0,),))
    return FasterRCNN(
        backbone,
        num_classes=None,
        min_size=size,
        max_size=size,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        rpn_anchor_generator=anchors,
        rpn_batch_size_per_image=64,
        rpn_pre_nms_top_n_train=200,
        rpn_pre_nms_top_n_test=200,
        rpn_post_nms_top_n_train=60,
        rpn_post_nms_top_n_test=50,
        box_roi_pool=MultiScaleRoIAlign(["0"], POOLED, sampling_ratio=1),
        box_head=TwoMLPHead(backbone.out_channels * POOLED**2, HIDDEN),
        box_predictor=FastRCNNPredictor(HIDDEN, num_classes + 1),
        box_batch_size_per_image=32,
        box_positive_fraction=0.5,
        box_detections_per_img=20,
    )


def swap_predictor(model: Any, num_classes: int, *, seed: int = 0) -> Any:
    """The same detector, changed in place: its last layers are new, for `num_classes` kinds of things and background.

    Each proposal gets num_classes + 1 scores and as many boxes. Drawn from `seed` alone. Raises ModelError if the
    model has no box predictor, or `num_classes` is no whole number from 1.
    """
    heads = getattr(model, "roi_heads", None)
    if heads is None or not hasattr(heads.box_predictor, "cls_score"):
        raise ModelError(f"{type(model).__name__} has no roi_heads.box_predictor; take a Faster R-CNN of torchvision")
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ModelError(f"a predictor for {num_classes!r} classes is impossible; give a whole number from 1")
    old = heads.box_predictor.cls_score
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        new = FastRCNNPredictor(old.in_features, num_classes + 1)  # 0 is background
    heads.box_predictor = new.to(old.weight.device, old.weight.dtype).train(heads.training)
    return model


def trunk_levels(model: Any) -> list[tuple[str, nn.Module]]:
    """(name, module) of the trunk of a detector, from the picture up."""
    if isinstance(model.backbone, MergedMaps):
        trunk = model.backbone.trunk
        stem = ("stem", nn.ModuleList([trunk.conv_stem, trunk.bn1]))
        return [stem, *((f"block {i}", block) for i, block in enumerate(trunk.blocks))]
    return [(name, level) for name, level in model.backbone.body.named_children() if list(level.parameters())]


def train_levels(model: Any, count: int) -> Any:
    """The same detector: the last `count` levels of its trunk train, those below are frozen, the rest trains.

    Changed in place, in train mode as `set_train` leaves it. Make the optimizer afterwards. Raises ModelError for more
    levels than there are.
    """
    levels = trunk_levels(model)
    if not 0 <= count <= len(levels):
        raise ModelError(
            f"the trunk has {len(levels)} levels, so {count} of them cannot train; give 0 to {len(levels)}"
        )
    unfreeze(model)
    freeze(model.backbone.trunk if isinstance(model.backbone, MergedMaps) else model.backbone.body)
    for _, level in levels[len(levels) - count :]:
        unfreeze(level)
    return set_train(model)


def to_sample(scene: Scene) -> tuple[torch.Tensor, Target]:
    """(picture, target) of a scene as torchvision wants them: (3, H, W) in [0, 1], and its boxes with their labels."""
    from torchvision.transforms.functional import to_tensor

    return to_tensor(scene.picture), {"boxes": scene.boxes, "labels": scene.labels}


def collate(samples: Sequence[tuple[torch.Tensor, Target]]) -> tuple[dict[str, list], list[Target]]:
    """({"images": [...], "targets": [...]}, targets): a batch that `fit` hands on as network(images=..., targets=...).

    Lists, because pictures differ in size and in the number of things on them.
    """
    images, targets = [image for image, _ in samples], [target for _, target in samples]
    return {"images": images, "targets": targets}, targets


def detection_loss(losses: Any, _: Any) -> torch.Tensor:
    """The sum of the losses that a detector gives in train mode: what to give `fit` as its loss_fn."""
    if not isinstance(losses, dict):
        raise TrainingError(
            "in eval mode a detector gives boxes, not losses, so there is no validation loss: call fit without a "
            "val_loader, and measure_ap afterwards"
        )
    return torch.stack(list(losses.values())).sum()


class OnMaps(nn.Module):
    """What stands above the frozen trunk of a small detector, its parts shared with it: maps in, boxes out.

    Training it on maps that were computed once trains the detector. Called as a detector is, with maps for pictures.
    """

    def __init__(self, model: FasterRCNN) -> None:
        super().__init__()
        self.neck, self.rpn, self.roi_heads = model.backbone.neck, model.rpn, model.roi_heads
        (self.size,) = model.transform.min_size

    def forward(self, images: Sequence[torch.Tensor], targets: list[Target] | None = None) -> Any:
        maps = torch.stack(list(images))  # (B, 472, h, w)
        shape = (self.size, self.size)
        pictures = ImageList(maps.new_empty(1).expand(len(maps), 3, *shape), [shape] * len(maps))  # sizes alone count
        merged = {"0": self.neck(maps)}
        proposals, losses = self.rpn(pictures, merged, targets)
        found, more = self.roi_heads(merged, proposals, pictures.image_sizes, targets)
        return {**losses, **more} if self.training else found


def with_maps(model: FasterRCNN, samples: Iterable[tuple[torch.Tensor, Target]]) -> list[tuple[torch.Tensor, Target]]:
    """Samples for `OnMaps`: each picture, `size` pixels square, exchanged for its maps, computed once.

    Half a megabyte each at 128 pixels. Raises EmptyData if there are none.
    """
    pairs = list(samples)
    if not pairs:
        raise EmptyData("there are no samples to compute maps of; look at the data set")
    device = next(model.parameters()).device
    found: list[torch.Tensor] = []
    with evaluating(model), torch.inference_mode():
        for start in bar(range(0, len(pairs), 16), "maps"):
            images, _ = model.transform([image.to(device) for image, _ in pairs[start : start + 16]])
            pictures = images.tensors.contiguous(memory_format=torch.channels_last)
            found += model.backbone.maps(pictures).cpu().contiguous().unbind()
    return [(maps.clone(), target) for maps, (_, target) in zip(found, pairs, strict=True)]


@dataclass(frozen=True)
class Precision:
    """Average precision: `ap50` at an overlap of 0.5, `ap` over overlaps from 0.5 to 0.95, `by_class` at 0.5."""

    ap50: float
    ap: float
    by_class: dict[str, float]

    def __str__(self) -> str:
        return f"AP50 {self.ap50:.2f}, AP {self.ap:.2f}"


def detect(model: nn.Module, loader: Iterable, *, device: str | Engine = "auto") -> tuple[list[Target], list[Target]]:
    """(found, targets) of every picture of a loader made with `collate`, on the CPU: eval mode, modes are restored.

    What is found has "boxes" (N, 4) in pixels, "labels" (N,) and "scores" (N,), by falling score.
    """
    engine = Engine.on(device, "float32")
    engine.prepare_model(model)
    found: list[Target] = []
    targets: list[Target] = []
    with evaluating(model), torch.inference_mode():
        for batch in bar(engine.batches(loader), "detecting", total=count_batches(loader)):
            for micro_batch in engine.micro_batches([batch]):
                outputs = model(micro_batch.inputs["images"])[: micro_batch.samples]
                found += [{key: value.cpu() for key, value in output.items()} for output in outputs]
                targets += micro_batch.loader_labels[: micro_batch.samples]
    return found, targets


def average_precision(found: list[Target], targets: list[Target], classes: Sequence[str]) -> Precision:
    """COCO's average precision of what was found, by torchmetrics and pycocotools (Lin and others, 2014).

    A class that no target has is left out. Raises EmptyData without targets.
    """
    from torchmetrics.detection import MeanAveragePrecision

    if not count_samples(targets) or not any(len(target["labels"]) for target in targets):
        raise EmptyData("there is not one thing to be found in these targets, so there is no precision to measure")
    metric = MeanAveragePrecision(class_metrics=True, extended_summary=True)
    metric.update(found, targets)
    measured = metric.compute()
    # (overlaps, recalls, classes, areas, most boxes a picture); all areas come first, -1 stands for no target at all
    by_class = measured["precision"][0, :, :, 0, -1].mean(0).tolist()
    numbers = measured["classes"].reshape(-1).tolist()
    named = {classes[number - 1]: value for number, value in zip(numbers, by_class, strict=True) if value >= 0}
    return Precision(float(measured["map_50"]), float(measured["map"]), named)


def measure_ap(
    model: nn.Module, loader: Iterable, classes: Sequence[str], *, device: str | Engine = "auto"
) -> Precision:
    """The average precision of a detector on a loader made with `collate`."""
    return average_precision(*detect(model, loader, device=device), classes)
