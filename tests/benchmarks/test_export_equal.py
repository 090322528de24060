"""The benchmark of exports and conversions, on one model of each kind."""

import torch

from tests.benchmarks import export_equal
from tests.with_keras import keras_or_skip


def test_the_bundled_model_with_a_new_head_is_the_same_in_onnx_runtime():
    x = export_equal.pictures()
    assert x.shape == (100, 3, 64, 64)
    ((what, difference, same),) = export_equal.onnx_rows(x[:20], ("efficientnet_lite0",))
    assert "efficientnet_lite0" in what
    assert 0 < difference <= export_equal.BAR and same


def test_logits_have_the_size_of_a_trained_classifiers():
    x = export_equal.pictures()[:20]
    with torch.inference_mode():
        largest = export_equal.torch_model("resnet18", x)(x).abs().max()
    assert 0.5 < largest <= 10.01


def test_a_keras_network_is_the_same_in_pytorch():
    keras_or_skip()
    ((_, difference, same),) = export_equal.keras_rows(export_equal.pictures()[:20], ("MobileNetV2",))
    assert 0 < difference <= export_equal.BAR and same
