"""Segmenters: feature maps, the head on them, upper stages, replaced classifiers; on small models and scenes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course.applications.iou import measure_iou
from course.applications.segmentation import seg_loss
from course.applications.segmenter import (
    FeatureMaps,
    MultiScaleBackbone,
    SegmentationHead,
    Segmenter,
    UpperStages,
    load_segmenter,
    replace_classifiers,
)
from course.errors import EmptyData, HeadNotFound, ModelError, UnknownName
from course.exercises import small_segmenters
from course.models.backbones import load_backbone
from course.training.loop import fit

SIZE, CLASSES = 64, 3


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    return load_backbone("efficientnet_lite0", weights=None)


@pytest.fixture(scope="module")
def data():
    """Squares of colour k in class k, on grey."""
    rng = torch.Generator().manual_seed(0)
    x, y = torch.full((12, 3, SIZE, SIZE), 0.2), torch.zeros(12, SIZE, SIZE, dtype=torch.int64)
    for i in range(12):
        top, left = torch.randint(0, SIZE - 32, (2,), generator=rng).tolist()
        k = 1 + i % 2
        y[i, top : top + 32, left : left + 32] = k
        x[i, k, top : top + 32, left : left + 32] = 1.0
    return TensorDataset(x, y)


def test_a_backbone_gives_the_feature_maps_of_its_strides(backbone):
    multi_scale = MultiScaleBackbone(backbone)
    maps = multi_scale(torch.zeros(2, 3, SIZE, SIZE))
    assert {name: tuple(part.shape) for name, part in maps.items()} == {
        name: (2, count, SIZE // int(name[6:]), SIZE // int(name[6:])) for name, count in multi_scale.channels.items()
    }
    assert list(maps) == ["stride8", "stride16"]


def test_a_residual_network_has_them_too():
    multi_scale = MultiScaleBackbone(load_backbone("resnet18", weights=None), (4, 16))
    assert multi_scale.channels == {"stride4": 64, "stride16": 256}


def test_a_stride_that_there_is_not_is_an_error_with_those_that_there_are(backbone):
    with pytest.raises(ModelError, match=r"no feature map 64 times smaller.*8, 16, 32"):
        MultiScaleBackbone(backbone, (8, 64))


def test_maps_are_computed_once_and_equal_those_of_the_backbone(backbone, data):
    multi_scale = MultiScaleBackbone(backbone).train()
    maps = FeatureMaps(multi_scale, data, batch_size=5)
    assert multi_scale.training
    with torch.no_grad():
        live = multi_scale.eval()(data.tensors[0])
    for name, part in live.items():
        assert torch.allclose(maps.maps[name], part, rtol=1e-3, atol=1e-5 * float(part.abs().max()))
    assert torch.equal(maps.masks, data.tensors[1])


def test_no_scene_no_maps(backbone):
    with pytest.raises(EmptyData, match="check its split and count"):
        FeatureMaps(MultiScaleBackbone(backbone), [])


def test_a_downsampled_mask_has_the_middle_pixel_of_each_cell(backbone, data):
    maps = FeatureMaps(MultiScaleBackbone(backbone), data)
    small = maps.downsample_masks()
    assert small.masks.shape == (12, SIZE // 8, SIZE // 8)
    assert torch.equal(small.masks[:, 2, 3], data.tensors[1][:, 20, 28])
    assert maps.masks.shape == (12, SIZE, SIZE)


def test_the_head_standardises_each_channel(backbone, data):
    maps = FeatureMaps(MultiScaleBackbone(backbone), data)
    head = maps.new_head(CLASSES)
    for name, part in maps.maps.items():
        plain = head.standardise[name](part)
        alive = part.std((0, 2, 3)) > 1e-9
        assert torch.allclose(plain.mean((0, 2, 3))[alive], torch.zeros(()), atol=1e-3)
        assert torch.allclose(plain.std((0, 2, 3))[alive], torch.ones(()), atol=1e-3)


def test_a_head_is_drawn_from_its_seed_alone(backbone, data):
    maps = FeatureMaps(MultiScaleBackbone(backbone), data)
    torch.manual_seed(5)
    first = maps.new_head(CLASSES, seed=1)
    torch.manual_seed(6)
    state = torch.get_rng_state()
    second = maps.new_head(CLASSES, seed=1)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(first.layers[0].weight, second.layers[0].weight)
    assert not torch.equal(first.layers[0].weight, maps.new_head(CLASSES, seed=2).layers[0].weight)


def test_a_head_learns_simple_scenes_and_the_whole_model_says_the_same(backbone, data):
    multi_scale = MultiScaleBackbone(backbone)
    maps = FeatureMaps(multi_scale, data)
    head = maps.new_head(CLASSES)
    fit(head, DataLoader(maps.downsample_masks(), 4), epochs=15, lr=1e-2, loss_fn=seg_loss, verbose=False)
    from_maps = measure_iou(head, DataLoader(maps, 4), CLASSES)
    whole = measure_iou(Segmenter(multi_scale, head), DataLoader(data, 4), CLASSES)
    assert from_maps.miou > 0.5
    assert whole.miou == pytest.approx(from_maps.miou, abs=0.01)


def test_the_upper_stages_compute_the_frozen_feature_maps_and_learn_without_their_batchnorm(data):
    torch.manual_seed(1)
    backbone = load_backbone("efficientnet_lite0", weights=None)
    maps = FeatureMaps(MultiScaleBackbone(backbone), data)
    head = maps.new_head(CLASSES)
    upper = UpperStages(backbone, head).eval()
    inputs = {name: part[:4] for name, part in maps.maps.items()}
    with torch.no_grad():
        assert torch.allclose(upper(**inputs), head(**inputs), rtol=1e-3, atol=1e-3)
    before = {name: value.clone() for name, value in upper.state_dict().items()}
    fit(upper, DataLoader(maps.downsample_masks(), 4), epochs=1, lr=1e-3, loss_fn=seg_loss, verbose=False)
    moved = {name for name, value in upper.state_dict().items() if not torch.equal(value, before[name])}
    norms = {f"stages.{name}." for name, part in upper.stages.named_modules() if isinstance(part, nn.BatchNorm2d)}
    assert any(name.startswith("stages.") for name in moved) and any(name.startswith("head.") for name in moved)
    assert not [name for name in moved if name.startswith(tuple(norms))]


def test_the_upper_stages_of_a_residual_network_compute_its_feature_maps():
    backbone = load_backbone("resnet18", weights=None)
    multi_scale = MultiScaleBackbone(backbone)
    maps, head = multi_scale.eval()(torch.zeros(2, 3, SIZE, SIZE)), SegmentationHead(multi_scale.channels, CLASSES)
    with torch.no_grad():
        assert torch.allclose(UpperStages(backbone, head).eval()(**maps), head(**maps), atol=1e-5)


def test_a_head_alone_can_be_made_by_hand():
    head = SegmentationHead({"stride8": 4, "stride16": 6}, 5, width=8)
    assert head(stride8=torch.zeros(1, 4, 8, 8), stride16=torch.zeros(1, 6, 4, 4)).shape == (1, 5, 8, 8)


# The zoo


@pytest.mark.parametrize("architecture", ["deeplab", "fcn", "lraspp"])
def test_every_classifier_gives_the_new_number_of_classes(architecture):
    model = small_segmenters.build(architecture)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert replace_classifiers(model, 4) is model
    out = model(torch.zeros(2, 3, 32, 32))
    assert {value.shape[1] for value in out.values()} == {4}
    names = {f"{name}.{part}" for several in small_segmenters.LAST_LAYERS[architecture].values() for name in several
             for part in ("weight", "bias")}  # fmt: skip
    after = model.state_dict()
    assert {name for name in after if not torch.equal(after[name], before[name])} == names


def test_a_model_without_a_classifier_is_refused():
    with pytest.raises(HeadNotFound, match="no `classifier`"):
        replace_classifiers(nn.Sequential(nn.Conv2d(3, 4, 1)), 2)


def test_a_model_of_the_zoo_trains_through_fit_on_its_dict_of_outputs():
    model = load_segmenter("lraspp_mobilenet_v3_large", CLASSES, weights=None)
    data = TensorDataset(torch.randn(4, 3, 64, 64), torch.randint(CLASSES, (4, 64, 64)))
    history = fit(model, DataLoader(data, 2), epochs=1, lr=1e-4, loss_fn=seg_loss, verbose=False)
    assert np.isfinite(history["train_loss"][0])
    assert model(data.tensors[0])["out"].shape == (4, CLASSES, 64, 64)


def test_an_unknown_segmentation_model_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="lraspp_mobilenet_v3_large"):
        load_segmenter("lraspp_mobilenet", CLASSES)
