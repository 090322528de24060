"""Keras models in PyTorch: layer by layer and whole, against Keras itself."""

import numpy as np
import pytest
import torch

from course.errors import ModelError
from course.zoo.from_keras import FromKeras, torch_weight
from tests.with_keras import keras_or_skip


@pytest.fixture(scope="module")
def keras():
    return keras_or_skip()


def differ(keras_model, size, channels=3, *, seed=0):
    """The largest difference of an output, as a share of the largest output."""
    x = np.random.default_rng(seed).normal(size=(2, *size, channels)).astype(np.float32)
    theirs = torch.from_numpy(np.array(keras_model(x, training=False)))
    with torch.inference_mode():
        ours = FromKeras(keras_model)(torch.from_numpy(x).permute(0, 3, 1, 2))
    if theirs.ndim == 4:
        theirs = theirs.permute(0, 3, 1, 2)
    assert ours.shape == theirs.shape
    assert theirs.abs().max() > 0.01
    return float((ours - theirs).abs().max() / theirs.abs().max())


def drawn(keras_model, seed=0):
    """The model with every weight drawn anew, BatchNorm's statistics too."""
    rng = np.random.default_rng(seed)
    for weight in keras_model.weights:
        value = rng.normal(size=tuple(weight.shape)) * 0.3
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.name else value)
    return keras_model


def layers(keras):
    made = keras.layers
    return {
        "convolution": [made.Conv2D(5, (3, 2), activation="relu")],
        "same, stride 2": [made.Conv2D(5, 3, strides=2, padding="same")],
        "same, even kernel": [made.Conv2D(5, (2, 4), padding="same")],
        "dilated": [made.Conv2D(5, 3, dilation_rate=2, padding="same", use_bias=False)],
        "grouped": [made.Conv2D(6, 3), made.Conv2D(4, 3, groups=2)],
        "depthwise": [made.DepthwiseConv2D(3, strides=2, padding="same", activation="relu6")],
        "depthwise, two maps": [made.DepthwiseConv2D(3, depth_multiplier=2)],
        "transposed": [made.Conv2DTranspose(5, 3, strides=2)],
        "transposed, same": [made.Conv2DTranspose(5, 4, strides=2, padding="same")],
        "transposed, same, odd": [made.Conv2DTranspose(5, 3, strides=2, padding="same")],
        "transposed, short kernel": [made.Conv2DTranspose(5, 2, strides=3, padding="same")],
        "batch norm": [made.BatchNormalization()],
        "batch norm, bare": [made.BatchNormalization(scale=False, center=False, epsilon=1e-2)],
        "max pooling, same": [made.MaxPooling2D(3, strides=2, padding="same")],
        "average pooling": [made.AveragePooling2D(2)],
        "zero padding": [made.ZeroPadding2D(((0, 1), (2, 3))), made.Conv2D(4, 3)],
        "flatten and dense": [made.Conv2D(4, 3), made.Flatten(), made.Dense(6, activation="softmax")],
        "global, dropout": [made.GlobalAveragePooling2D(), made.Dropout(0.5), made.Dense(3, activation="tanh")],
        "relu": [made.Conv2D(4, 3), made.ReLU(max_value=0.5), made.Activation("silu")],
    }


NAMES = [
    "convolution", "same, stride 2", "same, even kernel", "dilated", "grouped", "depthwise", "depthwise, two maps",
    "transposed", "transposed, same", "transposed, same, odd", "transposed, short kernel", "batch norm",
    "batch norm, bare", "max pooling, same", "average pooling", "zero padding", "flatten and dense", "global, dropout",
    "relu",
]  # fmt: skip


def test_every_kind_of_layer_is_tried(keras):
    assert list(layers(keras)) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(9, 12), (8, 8)])
def test_a_layer_computes_what_keras_computes(keras, name, size):
    model = drawn(keras.Sequential([keras.Input((*size, 3)), *layers(keras)[name]]))
    assert differ(model, size) < 1e-4


def test_branches_meet_again(keras):
    x = keras.Input((8, 8, 3))
    a, b = keras.layers.Conv2D(4, 3, padding="same")(x), keras.layers.Conv2D(4, 1)(x)
    added = keras.layers.Add()([a, b])
    joined = keras.layers.Concatenate()([added, x, a])
    assert differ(drawn(keras.Model(x, joined)), (8, 8)) < 1e-4


@pytest.mark.parametrize("name", ["VGG16", "ResNet50", "MobileNetV2"])
def test_whole_networks_of_keras_applications_compute_the_same(keras, name):
    keras.utils.set_random_seed(0)
    size = (32, 48)
    model = getattr(keras.applications, name)(weights=None, include_top=False, pooling="avg", input_shape=(*size, 3))
    for weight in model.weights:  # so that no output vanishes on its way through fifty random layers
        if "variance" in weight.name:
            weight.assign(np.full(tuple(weight.shape), 0.2))
        elif len(weight.shape) == 4:
            weight.assign(weight.numpy() * 1.4)
    assert differ(model, size) < 1e-4


def test_what_has_no_translation_is_an_error_that_names_it(keras):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.LayerNormalization(name="odd_one")])
    with pytest.raises(ModelError, match="odd_one"):
        FromKeras(model)
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3, activation="exponential")])
    with pytest.raises(ModelError, match="exponential"):
        FromKeras(model)


def test_a_kernel_of_an_unknown_kind_is_an_error():
    with pytest.raises(ModelError, match="LSTM"):
        torch_weight(np.zeros((2, 3)), "LSTM")


def test_axes_are_moved_and_not_counted_anew():
    kernel = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    moved = torch_weight(kernel, "Conv2D")
    assert moved.shape == (5, 4, 2, 3) and moved.is_contiguous()
    assert moved[4, 3, 1, 2] == kernel[1, 2, 3, 4]
