"""A Keras model in PyTorch: weights with their axes permuted, layer by layer, and whole networks rebuilt.

Keras keeps pictures as (B, H, W, C) and a convolution's kernel as (height, width, in, out); PyTorch keeps (B, C, H, W)
and (out, in, height, width). Nothing here imports Keras.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from course.errors import ModelError

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
    "tanh": nn.Tanh,
    "softmax": lambda: nn.Softmax(1),
}


def torch_weight(weight: Any, kind: str) -> torch.Tensor:
    """A Keras kernel with PyTorch's order of axes; `kind` is the name of the Keras layer.

    "Conv2D" (h, w, in, out) -> (out, in, h, w); "Conv2DTranspose" (h, w, out, in) -> (in, out, h, w);
    "DepthwiseConv2D" (h, w, in, m) -> (in * m, 1, h, w); "Dense" (in, out) -> (out, in). Raises ModelError for another.
    """
    array = torch.from_numpy(np.array(weight))
    if kind in ("Conv2D", "Conv2DTranspose"):
        return array.permute(3, 2, 0, 1).contiguous()
    if kind == "DepthwiseConv2D":
        return array.permute(2, 3, 0, 1).flatten(0, 1)[:, None].contiguous()  # (in, m, h, w) -> (in * m, 1, h, w)
    if kind == "Dense":
        return array.T.contiguous()
    raise ModelError(
        f"the order of axes of a Keras layer {kind!r} is not known; choose Conv2D, Conv2DTranspose, DepthwiseConv2D or "
        "Dense"
    )


class FromKeras(nn.Module):
    """A Keras classifier or backbone rebuilt in PyTorch with the same weights: (B, 3, H, W) -> the output of Keras.

    The Keras model is a Sequential or functional one with one input and one output, made of the layers in `CONVERTERS`
    (VGG, ResNet and MobileNet of keras.applications are). It is in eval mode. Feature maps are (B, C, H, W); a Flatten
    permutes them to Keras's order, which the weights after it expect. Raises ModelError for any other layer.
    """

    def __init__(self, keras_model: Any) -> None:
        super().__init__()
        self.steps: list[tuple[str, list[str]]] = []  # (layer's name, the names of its input layers)
        self.layers = nn.ModuleDict()
        for layer, inputs in _topological_order(keras_model):
            name = _key(layer.name)
            self.layers[name] = convert(layer)
            self.steps.append((name, [_key(other) for other in inputs]))
        is_chain = not hasattr(keras_model, "operations")
        self.last = self.steps[-1][0] if is_chain else _key(keras_model.outputs[0]._keras_history.operation.name)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values: dict[str, torch.Tensor] = {}
        for name, inputs in self.steps:
            values[name] = self.layers[name](*([values[other] for other in inputs] or [x]))
        return values[self.last]


def _topological_order(keras_model: Any) -> list[tuple[Any, list[str]]]:
    """(layer, the names of its input layers), each after its inputs; the first one has none."""
    if not hasattr(keras_model, "operations"):  # a Sequential is a chain
        names = [layer.name for layer in keras_model.layers]
        return [(layer, names[max(index - 1, 0) : index]) for index, layer in enumerate(keras_model.layers)]
    return [
        (layer, [tensor._keras_history.operation.name for tensor in layer._inbound_nodes[0].input_tensors])
        for layer in keras_model.operations
    ]


def _key(name: str) -> str:
    return name.replace(".", "_").replace("/", "_") + "_"  # "type", say, is taken in a ModuleDict


def convert(layer: Any) -> nn.Module:
    """The PyTorch module equivalent to one Keras layer, with its weights. Raises ModelError."""
    kind = type(layer).__name__
    if kind not in CONVERTERS:
        raise ModelError(
            f"the layer {layer.name!r} is a {kind}, which cannot be converted; known: {', '.join(CONVERTERS)}"
        )
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise ModelError(f"the layer {layer.name!r} is channels-first; set Keras to channels_last")
    return CONVERTERS[kind](layer)


def _weights(layer: Any) -> list[np.ndarray]:
    return [np.asarray(weight) for weight in layer.get_weights()]


def _with_activation(layer: Any, *modules: nn.Module) -> nn.Module:
    name = getattr(layer.activation, "__name__", str(layer.activation))
    if name not in ACTIVATIONS:
        raise ModelError(f"the layer {layer.name!r} has the activation {name!r}; known: {', '.join(ACTIVATIONS)}")
    return nn.Sequential(*modules, ACTIVATIONS[name]())


class SamePadding(nn.Module):
    """Keras's padding="same": as many rows and columns as stride and input need, an odd one at the end."""

    def __init__(self, kernel: Any, stride: Any, dilation: Any = (1, 1), value: float = 0.0) -> None:
        super().__init__()
        self.kernel, self.stride, self.dilation, self.value = kernel, stride, dilation, value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pads: list[int] = []
        for size, kernel, stride, dilation in zip(x.shape[2:], self.kernel, self.stride, self.dilation, strict=True):
            total = max((math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
            pads = [total // 2, total - total // 2, *pads]  # F.pad begins with the last axis
        return F.pad(x, pads, value=self.value)


def _padded(layer: Any, module: nn.Module, kernel: Any, value: float = 0.0) -> list[nn.Module]:
    if layer.padding not in ("same", "valid"):
        raise ModelError(f"the layer {layer.name!r} pads {layer.padding!r}; known: same, valid")
    dilation = getattr(layer, "dilation_rate", (1, 1))
    pad = [SamePadding(kernel, layer.strides, dilation, value)] if layer.padding == "same" else []
    return [*pad, module]


def _copy_weights(module: Any, layer: Any, kind: str) -> Any:
    """The same module, with the layer's kernel and bias copied into it."""
    kernel, *bias = _weights(layer)
    with torch.no_grad():
        module.weight.copy_(torch_weight(kernel, kind))
        if bias:
            module.bias.copy_(torch.from_numpy(bias[0].copy()))
    return module


def _convolution(layer: Any) -> nn.Module:
    inputs = _weights(layer)[0].shape[2] * layer.groups
    module = nn.Conv2d(
        inputs, layer.filters, layer.kernel_size, layer.strides, 0, layer.dilation_rate, layer.groups, layer.use_bias
    )
    return _with_activation(layer, *_padded(layer, _copy_weights(module, layer, "Conv2D"), layer.kernel_size))


def _depthwise(layer: Any) -> nn.Module:
    _, _, inputs, multiplier = _weights(layer)[0].shape
    module = nn.Conv2d(
        inputs, inputs * multiplier, layer.kernel_size, layer.strides, 0, layer.dilation_rate, inputs, layer.use_bias
    )
    return _with_activation(layer, *_padded(layer, _copy_weights(module, layer, "DepthwiseConv2D"), layer.kernel_size))


class _Cropped(nn.Module):
    """A transposed convolution, cropped as with Keras's padding="same": to stride times the input's size."""

    def __init__(self, convolution: nn.ConvTranspose2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolution(x)
        for axis, stride in zip((2, 3), self.convolution.stride, strict=True):
            size = x.shape[axis] * stride
            y = y.narrow(axis, (y.shape[axis] - size) // 2, size)
        return y


def _transposed(layer: Any) -> nn.Module:
    _, _, outputs, inputs = _weights(layer)[0].shape
    extra = [max(stride - kernel, 0) for kernel, stride in zip(layer.kernel_size, layer.strides, strict=True)]
    module = nn.ConvTranspose2d(inputs, outputs, layer.kernel_size, layer.strides, 0, tuple(extra), bias=layer.use_bias)
    module = _copy_weights(module, layer, "Conv2DTranspose")
    return _with_activation(layer, _Cropped(module) if layer.padding == "same" else module)


def _dense(layer: Any) -> nn.Module:
    inputs, outputs = _weights(layer)[0].shape
    return _with_activation(layer, _copy_weights(nn.Linear(inputs, outputs, layer.use_bias), layer, "Dense"))


def _batch_norm(layer: Any) -> nn.Module:
    values = [torch.from_numpy(weight.copy()) for weight in _weights(layer)]
    module = nn.BatchNorm2d(len(values[-1]), layer.epsilon, 1 - layer.momentum)  # Keras's weighs the old value
    names = (["weight"] if layer.scale else []) + (["bias"] if layer.center else []) + ["running_mean", "running_var"]
    with torch.no_grad():
        for name, value in zip(names, values, strict=True):
            getattr(module, name).copy_(value)
    return module


def _max_pool(layer: Any) -> nn.Module:
    pool = nn.MaxPool2d(layer.pool_size, layer.strides)
    return nn.Sequential(*_padded(layer, pool, layer.pool_size, -math.inf))


def _average_pool(layer: Any) -> nn.Module:
    if layer.padding != "valid":
        raise ModelError(f"the layer {layer.name!r} averages with padding, which cannot be converted here")
    return nn.AvgPool2d(layer.pool_size, layer.strides)


class _Lambda(nn.Module):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


def _zero_padding(layer: Any) -> nn.Module:
    (top, bottom), (left, right) = layer.padding
    return nn.ZeroPad2d((left, right, top, bottom))


def _relu(layer: Any) -> nn.Module:
    if layer.negative_slope or layer.threshold:
        raise ModelError(
            f"the layer {layer.name!r} is a ReLU with a slope or threshold, which cannot be converted here"
        )
    return nn.ReLU() if layer.max_value is None else nn.Hardtanh(0.0, float(layer.max_value))


CONVERTERS: dict[str, Callable[[Any], nn.Module]] = {
    "InputLayer": lambda layer: nn.Identity(),
    "Conv2D": _convolution,
    "DepthwiseConv2D": _depthwise,
    "Conv2DTranspose": _transposed,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "MaxPooling2D": _max_pool,
    "AveragePooling2D": _average_pool,
    "GlobalAveragePooling2D": lambda layer: _Lambda(lambda x: x.mean((2, 3), keepdim=layer.keepdims)),
    "Flatten": lambda layer: _Lambda(lambda x: x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x),
    "ZeroPadding2D": _zero_padding,
    "Activation": _with_activation,
    "ReLU": _relu,
    "Dropout": lambda layer: nn.Dropout(layer.rate),
    "Add": lambda layer: _Lambda(
        lambda *inputs: torch.stack(inputs).sum(0) if len(inputs) > 2 else inputs[0] + inputs[1]
    ),
    "Concatenate": lambda layer: _Lambda(lambda *inputs: torch.cat(inputs, 1)),
}
