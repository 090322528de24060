"""Object detection: torchvision's Faster R-CNN on a pretrained backbone, trained by `fit`, and its average precision.

scenes = Scenes("train", 200, transform=to_sample)
model = train_last_stages(load_detector(len(scenes.classes)), 0)        # a new detector on a frozen backbone
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
from course.notebook.progress_bars import progress_bar
from course.training.batches import count_batches, count_samples
from course.training.engine import Engine

BLOCKS = (2, 4, 6)  # of the bundled backbone; their feature maps are 8, 16 and 32 times smaller than the picture
ANCHOR_SIDES = (3 / 16, 5 / 16, 1 / 2)  # of the picture's side
NECK_CHANNELS, BOX_HEAD_WIDTH, ROI_SIZE = 64, 256, 4  # ROI_SIZE: cells along a side of a proposal
Target = dict[str, torch.Tensor]  # "boxes" (N, 4) float32 x1, y1, x2, y2 in pixels and "labels" (N,) int64 from 1
Sample = tuple[torch.Tensor, Target]  # a picture (3, H, W) or its feature maps, and what is on it


class BackboneWithNeck(nn.Module):
    """A pretrained backbone and a neck: pictures (B, 3, H, W) -> one feature map (B, 64, H / 8, W / 8).

    `feature_maps` upsamples the maps of three depths to the finest one and concatenates them; the neck normalises them
    and reduces them to few channels. So the result has the detail of early layers and the meaning of late ones.
    """

    def __init__(self, body: Any, channels: int = NECK_CHANNELS) -> None:
        super().__init__()
        self.body, self.out_channels = body, channels
        total = sum(body.blocks[number][-1].bn3.num_features for number in BLOCKS)
        self.neck = nn.Sequential(nn.BatchNorm2d(total), nn.Conv2d(total, channels, 1), nn.ReLU())

    def feature_maps(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W), normalised -> (B, 472, H / 8, W / 8): the input of the neck."""
        x = self.body.bn1(self.body.conv_stem(pictures))
        maps = []
        for number, block in enumerate(self.body.blocks):
            x = block(x)
            if number in BLOCKS:
                maps.append(x)
        size = maps[0].shape[-2:]
        upsampled = [F.interpolate(x, size=size, mode="bilinear") for x in maps[1:]]
        return torch.cat([maps[0], *upsampled], 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.neck(self.feature_maps(pictures))


def load_detector(
    num_classes: int, name: str = DEFAULT_MODEL, *, weights: Any = "default", size: int = 128, seed: int = 0
) -> FasterRCNN:
    """A Faster R-CNN for `num_classes` classes of objects (background not counted), in eval mode.

    With the bundled backbone's name it is a small detector for square pictures of `size` pixels: `BackboneWithNeck`
    over the pretrained weights, and everything else new. With the name of one of torchvision's detectors
    ("fasterrcnn_mobilenet_v3_large_320_fpn") it has the weights trained on COCO and a new predictor, and resizes
    pictures itself. `weights` is "default", the name of a set of weights, or None for random ones. New layers are drawn
    from `seed`. Raises ModelError for a model without boxes, UnknownName, NoNetwork, WeightsMissing or WeightsCorrupt.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        loaded: Any = load_backbone(name, weights=weights)
        torch.manual_seed(seed)  # again: new layers must not depend on whether the weights were drawn or loaded
        if isinstance(loaded, FasterRCNN):
            model = loaded
        elif name == DEFAULT_MODEL:
            model = _small_detector(BackboneWithNeck(loaded), size, num_classes)
        else:
            raise ModelError(
                f"{name} is not a detector; use the bundled {DEFAULT_MODEL} or a Faster R-CNN of torchvision, such as "
                "fasterrcnn_mobilenet_v3_large_320_fpn"
            )
    return replace_predictor(model, num_classes, seed=seed).eval()


def _small_detector(backbone: BackboneWithNeck, size: int, num_classes: int) -> FasterRCNN:
    """Few anchors, few proposals, narrow layers: a tenth of the usual computation, enough for small pictures."""
    anchors = AnchorGenerator((tuple(round(size * side) for side in ANCHOR_SIDES),), ((1.0,),))
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
        box_roi_pool=MultiScaleRoIAlign(["0"], ROI_SIZE, sampling_ratio=1),
        box_head=TwoMLPHead(backbone.out_channels * ROI_SIZE**2, BOX_HEAD_WIDTH),
        box_predictor=FastRCNNPredictor(BOX_HEAD_WIDTH, num_classes + 1),
        box_batch_size_per_image=32,
        box_positive_fraction=0.5,
        box_detections_per_img=20,
    )


def replace_predictor(model: Any, num_classes: int, *, seed: int = 0) -> Any:
    """The same detector, changed in place: its last layers are new, for `num_classes` classes and background.

    Each proposal gets num_classes + 1 scores and as many boxes. Drawn from `seed` alone. Raises ModelError if the
    model has no box predictor, or `num_classes` is not a positive whole number.
    """
    heads = getattr(model, "roi_heads", None)
    if heads is None or not hasattr(heads.box_predictor, "cls_score"):
        raise ModelError(f"{type(model).__name__} has no roi_heads.box_predictor; use a Faster R-CNN of torchvision")
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ModelError(f"a predictor for {num_classes!r} classes is impossible; give a whole number from 1")
    old = heads.box_predictor.cls_score
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        new = FastRCNNPredictor(old.in_features, num_classes + 1)  # 0 is background
    heads.box_predictor = new.to(old.weight.device, old.weight.dtype).train(heads.training)
    return model


def backbone_stages(model: Any) -> list[tuple[str, nn.Module]]:
    """(name, module) of the stages of a detector's backbone, from the input on; its neck is not one of them."""
    body = model.backbone.body
    if isinstance(model.backbone, BackboneWithNeck):
        stem = ("stem", nn.ModuleList([body.conv_stem, body.bn1]))
        return [stem, *((f"block {i}", block) for i, block in enumerate(body.blocks))]
    return [(name, stage) for name, stage in body.named_children() if list(stage.parameters())]


def train_last_stages(model: Any, count: int) -> Any:
    """The same detector: of its backbone only the last `count` stages are trainable; neck and heads always are.

    Changed in place, in train mode as `set_train` leaves it. Create the optimizer afterwards. Raises ModelError for
    more stages than there are.
    """
    stages = backbone_stages(model)
    if not 0 <= count <= len(stages):
        raise ModelError(
            f"the backbone has {len(stages)} stages, so {count} of them cannot be trained; give 0 to {len(stages)}"
        )
    unfreeze(model)
    freeze(model.backbone.body)
    for _, stage in stages[len(stages) - count :]:
        unfreeze(stage)
    return set_train(model)


def to_sample(scene: Scene) -> Sample:
    """(picture, target) of a scene as torchvision wants them: (3, H, W) in [0, 1], and its boxes with their labels."""
    from torchvision.transforms.functional import to_tensor

    return to_tensor(scene.picture), {"boxes": scene.boxes, "labels": scene.labels}


def collate(samples: Sequence[Sample]) -> tuple[dict[str, list], list[Target]]:
    """({"images": [...], "targets": [...]}, targets): a batch that `fit` passes on as network(images=..., targets=...).

    Lists, because pictures differ in size and in the number of objects.
    """
    images, targets = [image for image, _ in samples], [target for _, target in samples]
    return {"images": images, "targets": targets}, targets


def detection_loss(losses: Any, _: Any) -> torch.Tensor:
    """The sum of the losses that a detector returns in train mode: the loss_fn to give to `fit`."""
    if not isinstance(losses, dict):
        raise TrainingError(
            "in eval mode a detector returns boxes, not losses, so there is no validation loss: call fit without a "
            "val_loader, and measure_ap afterwards"
        )
    return torch.stack(list(losses.values())).sum()


class DetectorOnFeatureMaps(nn.Module):
    """A small detector without its frozen backbone: feature maps in, boxes out. It shares its layers with the detector.

    So training it on feature maps that were computed once trains the detector. It is called like a detector, with
    feature maps in place of pictures.
    """

    def __init__(self, model: FasterRCNN) -> None:
        super().__init__()
        self.neck, self.rpn, self.roi_heads = model.backbone.neck, model.rpn, model.roi_heads
        (self.size,) = model.transform.min_size

    def forward(self, images: Sequence[torch.Tensor], targets: list[Target] | None = None) -> Any:
        maps = torch.stack(list(images))  # (B, 472, h, w)
        shape = (self.size, self.size)
        # Only the sizes of the pictures are used.
        pictures = ImageList(maps.new_empty(1).expand(len(maps), 3, *shape), [shape] * len(maps))
        features = {"0": self.neck(maps)}
        proposals, proposal_losses = self.rpn(pictures, features, targets)
        detections, head_losses = self.roi_heads(features, proposals, pictures.image_sizes, targets)
        return {**proposal_losses, **head_losses} if self.training else detections


def precompute_feature_maps(model: FasterRCNN, samples: Iterable[Sample]) -> list[Sample]:
    """Samples for `DetectorOnFeatureMaps`: each picture, `size` pixels square, is replaced by its feature maps.

    Half a megabyte each at 128 pixels. Raises EmptyData if there are no samples.
    """
    pairs = list(samples)
    if not pairs:
        raise EmptyData("there are no samples to compute feature maps of; check the data set")
    device = next(model.parameters()).device
    computed: list[torch.Tensor] = []
    with evaluating(model), torch.inference_mode():
        for start in progress_bar(range(0, len(pairs), 16), "feature maps"):
            images, _ = model.transform([image.to(device) for image, _ in pairs[start : start + 16]])
            pictures = images.tensors.contiguous(memory_format=torch.channels_last)
            computed += model.backbone.feature_maps(pictures).cpu().contiguous().unbind()
    return [(maps.clone(), target) for maps, (_, target) in zip(computed, pairs, strict=True)]


@dataclass(frozen=True)
class AveragePrecision:
    """Average precision: `ap50` at an IoU of 0.5, `ap` averaged over IoUs from 0.5 to 0.95, `by_class` at 0.5."""

    ap50: float
    ap: float
    by_class: dict[str, float]

    def __str__(self) -> str:
        return f"AP50 {self.ap50:.2f}, AP {self.ap:.2f}"


def detect(model: nn.Module, loader: Iterable, *, device: str | Engine = "auto") -> tuple[list[Target], list[Target]]:
    """(detections, targets) of every picture of a loader made with `collate`, on the CPU. The model's mode is restored.

    Detections have "boxes" (N, 4) in pixels, "labels" (N,) and "scores" (N,), by descending score.
    """
    engine = Engine.on(device, "float32")
    engine.prepare_model(model)
    detections: list[Target] = []
    targets: list[Target] = []
    with evaluating(model), torch.inference_mode():
        for batch in progress_bar(engine.batches(loader), "detecting", total=count_batches(loader)):
            for micro_batch in engine.micro_batches([batch]):
                outputs = model(micro_batch.inputs["images"])[: micro_batch.samples]
                detections += [{key: value.cpu() for key, value in output.items()} for output in outputs]
                targets += micro_batch.loader_labels[: micro_batch.samples]
    return detections, targets


def average_precision(detections: list[Target], targets: list[Target], classes: Sequence[str]) -> AveragePrecision:
    """COCO's average precision (Lin et al., 2014), computed by torchmetrics and pycocotools.

    A class that no target has is left out. Raises EmptyData without targets.
    """
    from torchmetrics.detection import MeanAveragePrecision

    if not count_samples(targets) or not any(len(target["labels"]) for target in targets):
        raise EmptyData("these targets hold no object, so there is no precision to measure")
    metric = MeanAveragePrecision(class_metrics=True, extended_summary=True)
    metric.update(detections, targets)
    measured = metric.compute()
    # (IoUs, recalls, classes, areas, boxes per picture); the first area is all areas, -1 stands for a missing class
    by_class = measured["precision"][0, :, :, 0, -1].mean(0).tolist()
    numbers = measured["classes"].reshape(-1).tolist()
    named = {classes[number - 1]: value for number, value in zip(numbers, by_class, strict=True) if value >= 0}
    return AveragePrecision(float(measured["map_50"]), float(measured["map"]), named)


def measure_ap(
    model: nn.Module, loader: Iterable, classes: Sequence[str], *, device: str | Engine = "auto"
) -> AveragePrecision:
    """The average precision of a detector on a loader made with `collate`."""
    return average_precision(*detect(model, loader, device=device), classes)
