"""Chapter 07's experiment: what pretraining, fine-tuning and skip connections add to a segmenter.

`python -m tests.benchmarks segmenting rates` trains every way at each of its learning rates with one seed, and stores
the mIoU on validation scenes, of training objects that were not drawn, in
`course/data/assets/tables/segmenting_rates.json`. `python -m tests.benchmarks segmenting` then trains each way at the
rate with the highest mIoU, with several seeds, on scenes of all training objects, measures it on the test scenes and
stores `segmenting.json`. Runs are kept under COURSE_HOME as soon as they are done, so an interrupted benchmark resumes;
with seeds as arguments only theirs are measured.

A seed draws the scenes, the new head and the order of the batches. The layers up to the map of stride 8 are frozen and
run once; "tuned" trains those from there to the map of stride 16 as well. BatchNorm is frozen. The forest is a random
forest that classifies single pixels by their colour, their position and simple filters.
"""

from __future__ import annotations

import copy
import functools
import statistics
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

from course.applications.iou import SegmentationScores, confusion_matrix
from course.applications.segmentation import SegmentationTransform, group_labels, seg_loss
from course.applications.segmenter import FeatureMaps, MultiScaleBackbone
from course.data.scenes import Scenes
from course.models.backbones import image_transform, load_backbone
from course.models.freezing import freeze, trainable_parameters, unfreeze
from course.runtime import seed_everything
from course.training.experiments import Comparison, stored_table
from course.training.loop import fit
from tests.benchmarks import Figure
from tests.benchmarks._rows import compare_kept

SIZE, TRAIN, VAL, TEST, BATCH_SIZE = 128, 150, 60, 80, 10
SIDES = (11, 13, 16, 19, 22)  # of the objects, in 32nds of the scene's side
HEAD_EPOCHS, TUNE_EPOCHS, HEAD_LR = 12, 4, 5e-3
STRIDES, TUNED_BLOCKS, BORDER = (4, 8, 16), ("blocks.3", "blocks.4"), 2
GROUPS = {
    "animal": ("mammal", "other animal"),
    "plant or food": ("plant", "food"),
    "face or hand": ("face", "hand"),
    "artefact": ("vehicle", "place", "clothing", "tool"),
}
CLASSES = ("background", *GROUPS)
SEEDS, RATE_SEEDS = (0, 2, 4, 5), (0,)
FOREST = "forest of pixels"
RATES: dict[str, tuple[float, ...]] = {
    "random, frozen": (2e-3, 5e-3),
    "random, tuned": (3e-4, 1e-3),
    "pretrained, frozen": (2e-3, 5e-3),
    "pretrained, tuned": (3e-4, 1e-3),
}
SKIP = "pretrained, frozen, skip"  # at the rate of the dense head
SETTINGS = (FOREST, *RATES, SKIP)
TREES, PIXELS_PER_SCENE, SCALES = 20, 150, (1, 3, 8)  # the scales of the forest's filters, in pixels
SPARSE = 2  # the forest predicts every second row and column


def scenes(split: str, count: int, seed: int, objects: tuple[float, float] = (0.0, 1.0)) -> Scenes:
    """Scenes as tensors (3, SIZE, SIZE) and masks of five classes."""
    lookup = group_labels(Scenes.classes, GROUPS)
    transform = SegmentationTransform(_image_transform(), len(CLASSES), lookup=lookup)
    return Scenes(split, count, size=SIZE, seed=seed, objects=objects, sides=SIDES, transform=transform)


@functools.cache
def _image_transform() -> Any:
    return image_transform(load_backbone(), size=SIZE)


def backbone(weights: str | None, seed: int) -> nn.Module:
    """The backbone; random weights are drawn from the seed."""
    seed_everything(seed)
    return load_backbone(weights=weights)


@functools.lru_cache(maxsize=4)
def maps(weights: str | None, split: str, count: int, seed: int, objects: tuple[float, float]) -> FeatureMaps:
    """The frozen maps of a split's scenes."""
    return FeatureMaps(MultiScaleBackbone(backbone(weights, seed), STRIDES), scenes(split, count, seed, objects))


def upsample(x: torch.Tensor, size: Any) -> torch.Tensor:
    return functional.interpolate(x, size=tuple(size), mode="bilinear")


class DenseHead(nn.Module):
    """The chapter's head: the maps of strides 8 and 16, standardised, on one grid, and three convolutions."""

    def __init__(self, channels: dict[str, int], classes: int, width: int = 64) -> None:
        super().__init__()
        self.names = ("stride8", "stride16")
        self.normalise = nn.ModuleDict({name: nn.BatchNorm2d(channels[name], affine=False) for name in self.names})
        self.layers = nn.Sequential(
            nn.Conv2d(sum(channels[name] for name in self.names), width, 1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.classify = nn.Conv2d(width, classes, 1)

    def features(self, maps: dict[str, torch.Tensor]) -> torch.Tensor:
        grid = maps["stride8"].shape[-2:]
        return self.layers(torch.cat([upsample(self.normalise[name](maps[name]), grid) for name in self.names], 1))

    def forward(self, **maps: torch.Tensor) -> torch.Tensor:
        return upsample(self.classify(self.features(maps)), (SIZE, SIZE))


class SkipDecoder(DenseHead):
    """The chapter's decoder: the logits of a dense head, corrected with the map of stride 4."""

    def __init__(self, channels: dict[str, int], classes: int, width: int = 64, skip: int = 32) -> None:
        super().__init__(channels, classes, width)
        normalise = nn.BatchNorm2d(channels["stride4"], affine=False)
        self.project = nn.Sequential(normalise, nn.Conv2d(channels["stride4"], skip, 1), nn.ReLU())
        self.correct = nn.Sequential(
            nn.Conv2d(classes + skip, skip, 3, padding=1), nn.ReLU(), nn.Conv2d(skip, classes, 1)
        )

    def forward(self, **maps: torch.Tensor) -> torch.Tensor:
        fine = self.project(maps["stride4"])
        coarse = upsample(self.classify(self.features(maps)), fine.shape[-2:])
        return upsample(coarse + self.correct(torch.cat([coarse, fine], 1)), (SIZE, SIZE))


class TunedTrunk(nn.Module):
    """The layers between the maps of stride 8 and 16, trained together with a head; called with all maps."""

    def __init__(self, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(copy.deepcopy(trunk.get_submodule(name)) for name in TUNED_BLOCKS))
        unfreeze(self.blocks)
        for module in self.blocks.modules():
            if isinstance(module, nn.BatchNorm2d):
                freeze(module)
        self.head = head

    def forward(self, **maps: torch.Tensor) -> torch.Tensor:
        return self.head(**{**maps, "stride16": self.blocks(maps["stride8"])})


def train(way: str, lr: float, seed: int, objects: tuple[float, float]) -> nn.Module:
    """The model after one way of training at one rate, on scenes of these training objects."""
    weights = _weights(way)
    data = maps(weights, "train", TRAIN, seed, objects)
    seed_everything(seed)
    channels = {name: x.shape[1] for name, x in data.maps.items()}
    model: nn.Module = (SkipDecoder if way.endswith("skip") else DenseHead)(channels, len(CLASSES))
    if "tuned" not in way:
        return _fit(model, data, seed, HEAD_EPOCHS + TUNE_EPOCHS, lr)
    head = copy.deepcopy(_trained_head(weights, seed, objects))
    return _fit(TunedTrunk(backbone(weights, seed), head), data, seed, TUNE_EPOCHS, lr)


@functools.lru_cache(maxsize=4)
def _trained_head(weights: str | None, seed: int, objects: tuple[float, float]) -> nn.Module:
    """The dense head that tuning starts from."""
    data = maps(weights, "train", TRAIN, seed, objects)
    seed_everything(seed)
    head = DenseHead({name: x.shape[1] for name, x in data.maps.items()}, len(CLASSES))
    return _fit(head, data, seed, HEAD_EPOCHS, HEAD_LR)


def _weights(way: str) -> str | None:
    return "default" if way.startswith("pretrained") else None


def _fit(model: nn.Module, data: FeatureMaps, seed: int, epochs: int, lr: float) -> nn.Module:
    loader = DataLoader(data, BATCH_SIZE, shuffle=True, generator=torch.Generator().manual_seed(seed))
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=lr)
    fit(model, loader, epochs=epochs, optimizer=optimizer, loss_fn=seg_loss, schedule="cosine", verbose=False)
    return model


def on_grid(masks: torch.Tensor, grid: int) -> torch.Tensor:
    """(N, grid, grid): the middle pixel of each cell."""
    stride = masks.shape[-1] // grid
    return masks[:, stride // 2 :: stride, stride // 2 :: stride]


@torch.inference_mode()
def predicted(model: nn.Module, data: FeatureMaps) -> torch.Tensor:
    """(scenes, SIZE, SIZE): the class of every pixel."""
    device = next(model.parameters()).device
    batches = [
        model.eval()(**{name: x.to(device) for name, x in part.items()}).argmax(1).cpu()
        for part, _ in DataLoader(data, 25)
    ]
    return torch.cat(batches)


def border(masks: torch.Tensor, width: int = BORDER) -> torch.Tensor:
    """(N, H, W) bool: pixels with another label at most `width` away."""
    x = masks[:, None].float()
    largest, smallest = (
        functional.max_pool2d(sign * x, 2 * width + 1, stride=1, padding=width) * sign for sign in (1, -1)
    )
    return (largest != smallest)[:, 0]


def scores(preds: torch.Tensor, masks: torch.Tensor) -> dict[str, float]:
    """mIoU, pixel accuracy, outline error, the IoU of objects against background, the least IoU and that of each class.

    The outline error says how often object and background are confused at most BORDER pixels away from an outline.
    """
    found = SegmentationScores(confusion_matrix(preds, masks, len(CLASSES)))
    is_object, predicted_object = masks > 0, preds > 0
    near = border(is_object)
    each = dict(zip(CLASSES, found.iou.tolist(), strict=True))
    return {
        "miou": found.miou,
        "pixel_accuracy": found.pixel_accuracy,
        "outline_error": float((is_object != predicted_object)[near].float().mean()),
        "objects": float((is_object & predicted_object).sum() / (is_object | predicted_object).sum()),
        "least": min(each.values()),
        **each,
    }


def run_rate(setting: str, seed: int) -> dict[str, Any]:
    """One row on validation scenes; `setting` is "way @ rate"."""
    way, _, rate = setting.partition(" @ ")
    model = train(way, float(rate), seed, (0.0, 0.8))
    data = maps(_weights(way), "train", VAL, seed, (0.8, 1.0))
    found = scores(predicted(model, data), data.masks)
    return {"setting": setting, "seed": seed, "miou": found["miou"], "outline_error": found["outline_error"]}


@functools.cache
def best_rate(way: str) -> float:
    """The rate with the highest mean mIoU on validation scenes, of the stored ones."""
    rows = stored_table("segmenting_rates").rows
    way = "pretrained, frozen" if way == SKIP else way
    means = {
        rate: statistics.fmean(row["miou"] for row in rows if row["setting"] == f"{way} @ {rate:g}")
        for rate in RATES[way]
    }
    return max(means, key=lambda rate: means[rate])


def run(setting: str, seed: int) -> dict[str, Any]:
    """One row: the scores on test scenes, whose objects are in no training scene."""
    if setting == FOREST:
        masks = torch.stack([mask for _, mask in scenes("test", TEST, seed)])
        return {"setting": setting, "seed": seed, **scores(by_forest(seed), masks)}
    model = train(setting, best_rate(setting), seed, (0.0, 1.0))
    data = maps(_weights(setting), "test", TEST, seed, (0.0, 1.0))
    return {"setting": setting, "seed": seed, **scores(predicted(model, data), data.masks)}


def by_forest(seed: int) -> torch.Tensor:
    """(TEST, SIZE, SIZE): what the forest predicts for the test scenes."""
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(seed)
    features, labels = [], []
    for x, mask in scenes("train", TRAIN, seed):
        chosen = rng.choice(SIZE * SIZE, PIXELS_PER_SCENE, replace=False)
        features.append(pixel_features(x)[chosen])
        labels.append(mask.numpy().ravel()[chosen])
    forest = RandomForestClassifier(TREES, min_samples_leaf=5, n_jobs=1, random_state=seed)
    forest.fit(np.concatenate(features), np.concatenate(labels))
    found = []
    for x, _ in scenes("test", TEST, seed):
        sparse = pixel_features(x).reshape(SIZE, SIZE, -1)[::SPARSE, ::SPARSE]
        classes = forest.predict(sparse.reshape(-1, sparse.shape[-1])).reshape(sparse.shape[:2])
        found.append(classes.repeat(SPARSE, 0).repeat(SPARSE, 1))
    return torch.from_numpy(np.stack(found)).long()


def pixel_features(x: torch.Tensor) -> np.ndarray:
    """(SIZE * SIZE, features): colour, position, and at three scales smoothed colour, gradient and local variation."""
    from scipy import ndimage

    colours = x.numpy()
    grey = colours.mean(0)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    planes = [*colours, rows, columns]
    for scale in SCALES:
        smooth = [ndimage.gaussian_filter(channel, scale) for channel in colours]
        spread = ndimage.gaussian_filter(grey**2, scale) - ndimage.gaussian_filter(grey, scale) ** 2
        edges = (ndimage.gaussian_gradient_magnitude(grey, scale), ndimage.gaussian_laplace(grey, scale))
        planes += [*smooth, *edges, spread]
    return np.stack(planes, -1).reshape(SIZE * SIZE, -1).astype(np.float32)


GAINS = {
    "pretraining, frozen": ("pretrained, frozen", "random, frozen", "miou"),
    "pretraining, tuned": ("pretrained, tuned", "random, tuned", "miou"),
    "tuning": ("pretrained, tuned", "pretrained, frozen", "miou"),
    "frozen over the forest": ("pretrained, frozen", FOREST, "miou"),
    "tuned over the forest": ("pretrained, tuned", FOREST, "miou"),
    "outline error without the skip": ("pretrained, frozen", "pretrained, frozen, skip", "outline_error"),
    "skip": ("pretrained, frozen, skip", "pretrained, frozen", "miou"),
}


def gains(comparison: Comparison) -> dict[str, Any]:
    """The paired differences that the chapter speaks of."""
    return {name: comparison.paired(*pair) for name, pair in GAINS.items()}


def measure(*arguments: str) -> Figure:
    if arguments[:1] == ("rates",):
        names = [f"{way} @ {rate:g}" for way, rates in RATES.items() for rate in rates]
        comparison, notes = compare_kept("segmenting_rates", run_rate, names, RATE_SEEDS, arguments[1:])
        return Figure(len(comparison.rows), "runs", "all", tuple(notes))
    comparison, notes = compare_kept("segmenting", run, SETTINGS, SEEDS, arguments)
    found = gains(comparison)
    notes += [f"{name}: {one.mean:+.3f}, {one.low:+.3f} to {one.high:+.3f}" for name, one in found.items()]
    notes.append("rates: " + ", ".join(f"{way} {best_rate(way):g}" for way in (*RATES, SKIP)))
    low = found["pretraining, frozen"].low
    return Figure(low, "mIoU, low end of pretrained above random, both frozen", "0", tuple(notes), missed=low <= 0)
