"""Every exported or converted model against its source, on 100 pictures: the largest difference of a logit.

PyTorch to ONNX: the bundled backbone with a new head (real weights), and architectures of torchvision and timm with
random weights whose BatchNorm statistics fit them. Keras to PyTorch: VGG16, ResNet50 and MobileNetV2 of
keras.applications, with random weights. A random network's outputs can be of any size, so each is scaled to a largest
logit of 10: what is compared is then a difference of logits of the size that trained classifiers have.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from course.applications.onnx_export import export_onnx, largest_difference
from course.data.emoji import Emoji
from course.errors import SetupError
from course.models.backbones import image_transform, load_backbone
from course.models.heads import find_head, replace_head
from course.zoo.from_keras import FromKeras
from course.zoo.keras_models import import_keras
from course.zoo.untrusted_onnx import read_onnx
from tests.benchmarks import Figure

PICTURES, BATCH, BAR, SIZE, LARGEST = 100, 20, 1e-4, 64, 10.0
TORCH_MODELS = ("efficientnet_lite0", "resnet18", "resnet50", "vgg11_bn", "mobilenet_v3_small", "timm/convnext_atto")
KERAS_MODELS = ("VGG16", "ResNet50", "MobileNetV2")


def pictures() -> torch.Tensor:
    """(100, 3, 64, 64): test emoji, prepared for the bundled backbone."""
    data = Emoji("test", transform=image_transform(load_backbone(), size=SIZE))
    return torch.stack([data[i][0] for i in range(0, 2 * PICTURES, 2)])


def torch_model(name: str, x: torch.Tensor) -> nn.Module:
    """The model with a head of ten classes and logits of the usual size: real weights if bundled, else random ones."""
    torch.manual_seed(0)
    model = load_backbone(name, weights="default" if name == "efficientnet_lite0" else None)
    replace_head(model, 10, seed=0)
    if name != "efficientnet_lite0":
        fit_statistics(model, x[:BATCH])
    head: Any = find_head(model).module
    with torch.no_grad():
        # on noise too, with which the export tries its file out, and which can give far larger logits than pictures
        noise = torch.randn(BATCH, *x.shape[1:], generator=torch.Generator().manual_seed(0))
        factor = LARGEST / torch.maximum(model(x[:BATCH]).abs().max(), model(noise).abs().max())
        head.weight.mul_(factor)
        head.bias.mul_(factor)
    return model


def fit_statistics(model: nn.Module, x: torch.Tensor) -> None:
    """Gives every BatchNorm the statistics of these pictures, so that no output vanishes or explodes."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over what it sees
    with torch.no_grad():
        model.train()(x)
    model.eval()


def onnx_rows(x: torch.Tensor, names: tuple[str, ...] = TORCH_MODELS) -> Iterator[tuple[str, float, bool]]:
    """(what, largest difference, whether all labels are the same) of each model exported to ONNX."""
    for name in names:
        model = torch_model(name, x)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export_onnx(model, path, x.shape[2:], {})
            read_onnx(path)
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            found = [largest_difference(model, session, batch) for batch in x.split(BATCH)]
        yield f"{name} in ONNX Runtime", max(d for d, _ in found), all(same for _, same in found)


def keras_rows(x: torch.Tensor, names: tuple[str, ...] = KERAS_MODELS) -> Iterator[tuple[str, float, bool]]:
    """The same of each Keras model rebuilt in PyTorch."""
    keras = import_keras()
    for name in names:
        keras.utils.set_random_seed(0)
        shape = (*x.shape[2:], 3)
        model = getattr(keras.applications, name)(
            weights=None, input_shape=shape, classes=10, classifier_activation=None
        )
        feed = x.permute(0, 2, 3, 1).contiguous().numpy()
        scale(keras, model, feed[:BATCH])
        copy, difference, same = FromKeras(model), 0.0, True
        for start in range(0, len(x), BATCH):
            theirs = torch.from_numpy(np.array(model(feed[start : start + BATCH], training=False)))
            with torch.inference_mode():
                ours = copy(x[start : start + BATCH])
            difference = max(difference, float((ours - theirs).abs().max()))
            same = same and bool((ours.argmax(1) == theirs.argmax(1)).all())
        yield f"Keras {name} in PyTorch", difference, same


def scale(keras: Any, model: Any, feed: np.ndarray) -> None:
    """Weights with which nothing vanishes on its way through fifty layers, and logits of the usual size; in place.

    Statistics fitted to the pictures, as in `fit_statistics`, would make a random network chaotic: rounding alone then
    moves ResNet50's logits by 4e-4, in PyTorch against its own double precision as much as against Keras.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(np.full(tuple(layer.moving_variance.shape), 0.2))
        elif isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            kernel, *bias = layer.get_weights()
            layer.set_weights([1.4 * kernel, *bias])
    kernel, bias = model.layers[-1].get_weights()
    factor = LARGEST / np.abs(np.array(model(feed, training=False))).max()
    model.layers[-1].set_weights([kernel * factor, bias * factor])


def measure() -> Figure:
    torch.set_num_threads(1)
    x = pictures()
    rows = list(onnx_rows(x))
    notes = []
    try:
        rows += keras_rows(x)
    except SetupError as error:
        notes.append(f"not all measured: {error}")
    for what, difference, same in rows:
        notes.append(f"{what}: {difference:.2g}, labels {'the same' if same else 'DIFFERENT'}")
    worst = max(difference for _, difference, _ in rows)
    missed = not (worst <= BAR and all(same for *_, same in rows)) or len(rows) < len(TORCH_MODELS) + len(KERAS_MODELS)
    unit = f"largest difference of a logit, {len(rows)} models, {PICTURES} pictures, all labels the same"
    return Figure(worst, unit, f"{BAR:g}", tuple(notes), missed)
