"""Segmentation: trunk, head, maps, loss and swapped classifiers, on small models and drawn scenes."""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchvision.transforms.functional import to_tensor

from course.applications.iou import VOID, measure_overlap
from course.applications.segmentation import (
    DenseHead,
    Maps,
    SceneTensors,
    Segmenter,
    Trunk,
    Upper,
    group_labels,
    joint_transform,
    load_segmenter,
    seg_loss,
    swap_seg_head,
)
from course.errors import BadLabels, DataError, EmptyData, HeadNotFound, ModelError, NonFiniteLoss, UnknownName
from course.exercises import small_segmenters
from course.models.backbones import load_backbone
from course.training.loop import evaluate, fit

SIZE, CLASSES = 64, 3


class Scene(NamedTuple):
    picture: Image.Image
    mask: np.ndarray


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


def scene(mask):
    return Scene(Image.new("RGB", (8, 8)), np.asarray(mask, np.uint8))


# Scenes to tensors


def test_a_scene_becomes_a_picture_and_a_mask_of_int64():
    x, mask = SceneTensors(to_tensor, 3)(scene(np.eye(8) * 2))
    assert x.shape == (3, 8, 8)
    assert mask.dtype == torch.int64
    assert mask.unique().tolist() == [0, 2]


def test_a_mask_of_another_size_than_its_picture_is_refused_with_what_to_do():
    with pytest.raises(DataError, match=r"mask of \(6, 8\).*picture of \(8, 8\); cut and resize both together"):
        SceneTensors(to_tensor, 3)(scene(np.zeros((6, 8))))


def test_unknown_values_are_named_and_void_is_known():
    with pytest.raises(BadLabels, match="the mask holds 3, 9"):
        SceneTensors(to_tensor, 3)(scene(np.diag([0, 3, 9, 255, 1, 1, 1, 1])))


def test_groups_give_new_numbers_and_leave_void_and_background():
    lookup = group_labels(("cat", "dog", "car", "sky"), {"animal": ("cat", "dog"), "thing": ("car",)})
    assert lookup[[0, 1, 2, 3, 4, 255]].tolist() == [0, 1, 1, 2, VOID, VOID]
    _, mask = SceneTensors(to_tensor, 3, lookup=lookup)(scene(np.diag([0, 1, 2, 3, 4, 255, 0, 0])))
    assert mask.diag().tolist() == [0, 1, 1, 2, VOID, VOID, 0, 0]
    with pytest.raises(UnknownName, match="cow"):
        group_labels(("cat",), {"animal": ("cow",)})


# Moving both


@pytest.mark.parametrize("seed", range(20))
def test_picture_and_mask_move_together_and_the_mask_gets_no_new_label(seed):
    mask = torch.tensor([0, 9, 40, VOID])[torch.arange(4).repeat_interleave(5)].expand(12, 20).contiguous()
    image = mask.float().expand(3, 12, 20) / 255
    moved, moved_mask = joint_transform(image, mask, seed)
    assert moved.shape == image.shape and moved_mask.shape == mask.shape
    assert set(moved_mask.unique().tolist()) <= {0, 9, 40, VOID}
    near = (moved[0] * 255 - moved_mask).abs() < 1
    assert near.float().mean() > 0.7  # the rest are blended pixels at the borders
    again = joint_transform(image, mask, seed)
    assert torch.equal(moved, again[0]) and torch.equal(moved_mask, again[1])


def test_a_picture_and_a_mask_of_unlike_size_cannot_be_moved_together():
    with pytest.raises(DataError, match="do not fit"):
        joint_transform(torch.zeros(3, 8, 8), torch.zeros(8, 9), 0)


# The loss


def test_void_is_left_out_of_loss_and_gradient():
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    masks = torch.randint(3, (2, 4, 4), generator=torch.Generator().manual_seed(1))
    masks[0] = VOID
    loss = seg_loss(logits, masks)
    assert torch.allclose(loss, F.cross_entropy(logits[1:], masks[1:]))
    loss.backward()
    assert not logits.grad[0].any()
    both = seg_loss({"out": logits, "aux": logits}, masks)
    assert torch.allclose(both, 1.5 * loss)


def test_a_batch_of_nothing_but_void_costs_nothing_and_moves_nothing():
    model = nn.Conv2d(3, CLASSES, 1)
    before = [parameter.clone() for parameter in model.parameters()]
    void = TensorDataset(torch.randn(4, 3, 8, 8), torch.full((4, 8, 8), VOID))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    options = {"epochs": 1, "optimizer": optimizer, "verbose": False}
    history = fit(model, DataLoader(void, 2), loss_fn=seg_loss, **options)
    assert math.isnan(history["train_loss"][0]) and math.isnan(history["train_accuracy"][0])  # of no label at all
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))
    with pytest.raises(NonFiniteLoss):  # what the plain loss makes of it
        fit(model, DataLoader(void, 2), loss_fn=nn.CrossEntropyLoss(ignore_index=VOID), **options)


def test_the_accuracy_that_fit_reports_leaves_void_out():
    class Says(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return F.one_hot(x, CLASSES).movedim(-1, 1) * self.scale

    preds = torch.zeros(2, 4, 4, dtype=torch.int64)
    masks = torch.zeros(2, 4, 4, dtype=torch.int64)
    masks[:, 0], masks[:, 1] = VOID, 1
    means = evaluate(Says(), DataLoader(TensorDataset(preds, masks), 2), loss_fn=seg_loss)
    assert means["accuracy"] == pytest.approx(8 / 12)
    ignoring = nn.CrossEntropyLoss(ignore_index=0)  # a class to ignore that is also predicted
    means = evaluate(Says(), DataLoader(TensorDataset(preds, masks.clamp(max=1)), 2), loss_fn=ignoring)
    assert means["accuracy"] == 0.0


# Trunk, head, maps


def test_a_trunk_gives_the_maps_of_its_strides(backbone):
    trunk = Trunk(backbone)
    maps = trunk(torch.zeros(2, 3, SIZE, SIZE))
    assert {name: tuple(part.shape) for name, part in maps.items()} == {
        name: (2, count, SIZE // int(name[6:]), SIZE // int(name[6:])) for name, count in trunk.channels.items()
    }
    assert list(maps) == ["stride8", "stride16"]


def test_a_residual_network_has_them_too():
    trunk = Trunk(load_backbone("resnet18", weights=None), (4, 16))
    assert trunk.channels == {"stride4": 64, "stride16": 256}


def test_a_stride_that_there_is_not_is_an_error_with_those_that_there_are(backbone):
    with pytest.raises(ModelError, match=r"no map 64 times smaller.*8, 16, 32"):
        Trunk(backbone, (8, 64))


def test_maps_are_computed_once_and_equal_what_the_trunk_gives(backbone, data):
    trunk = Trunk(backbone).train()
    maps = Maps(trunk, data, batch_size=5)
    assert trunk.training
    with torch.no_grad():
        live = trunk.eval()(data.tensors[0])
    for name, part in live.items():
        assert torch.allclose(maps.maps[name], part, rtol=1e-3, atol=1e-5 * float(part.abs().max()))
    assert torch.equal(maps.masks, data.tensors[1])


def test_no_scene_no_maps(backbone):
    with pytest.raises(EmptyData, match="check its split and count"):
        Maps(Trunk(backbone), [])


def test_on_the_grid_a_mask_has_the_middle_pixel_of_each_place(backbone, data):
    maps = Maps(Trunk(backbone), data)
    small = maps.on_grid()
    assert small.masks.shape == (12, SIZE // 8, SIZE // 8)
    assert torch.equal(small.masks[:, 2, 3], data.tensors[1][:, 20, 28])
    assert maps.masks.shape == (12, SIZE, SIZE)


def test_the_head_standardises_each_channel(backbone, data):
    maps = Maps(Trunk(backbone), data)
    head = maps.new_head(CLASSES)
    for name, part in maps.maps.items():
        plain = head.standardise[name](part)
        alive = part.std((0, 2, 3)) > 1e-9
        assert torch.allclose(plain.mean((0, 2, 3))[alive], torch.zeros(()), atol=1e-3)
        assert torch.allclose(plain.std((0, 2, 3))[alive], torch.ones(()), atol=1e-3)


def test_a_head_is_drawn_from_its_seed_alone(backbone, data):
    maps = Maps(Trunk(backbone), data)
    torch.manual_seed(5)
    first = maps.new_head(CLASSES, seed=1)
    torch.manual_seed(6)
    state = torch.get_rng_state()
    second = maps.new_head(CLASSES, seed=1)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(first.layers[0].weight, second.layers[0].weight)
    assert not torch.equal(first.layers[0].weight, maps.new_head(CLASSES, seed=2).layers[0].weight)


def test_a_head_learns_simple_scenes_and_the_whole_model_says_the_same(backbone, data):
    trunk = Trunk(backbone)
    maps = Maps(trunk, data)
    head = maps.new_head(CLASSES)
    fit(head, DataLoader(maps.on_grid(), 4), epochs=15, lr=1e-2, loss_fn=seg_loss, verbose=False)
    from_maps = measure_overlap(head, DataLoader(maps, 4), CLASSES)
    whole = measure_overlap(Segmenter(trunk, head), DataLoader(data, 4), CLASSES)
    assert from_maps.miou > 0.5
    assert whole.miou == pytest.approx(from_maps.miou, abs=0.01)


def test_the_upper_part_computes_what_the_frozen_maps_give_and_learns_without_its_batchnorm(data):
    torch.manual_seed(1)
    backbone = load_backbone("efficientnet_lite0", weights=None)
    maps = Maps(Trunk(backbone), data)
    head = maps.new_head(CLASSES)
    upper = Upper(backbone, head).eval()
    inputs = {name: part[:4] for name, part in maps.maps.items()}
    with torch.no_grad():
        assert torch.allclose(upper(**inputs), head(**inputs), rtol=1e-3, atol=1e-3)
    before = {name: value.clone() for name, value in upper.state_dict().items()}
    fit(upper, DataLoader(maps.on_grid(), 4), epochs=1, lr=1e-3, loss_fn=seg_loss, verbose=False)
    moved = {name for name, value in upper.state_dict().items() if not torch.equal(value, before[name])}
    norms = {f"layers.{name}." for name, part in upper.layers.named_modules() if isinstance(part, nn.BatchNorm2d)}
    assert any(name.startswith("layers.") for name in moved) and any(name.startswith("head.") for name in moved)
    assert not [name for name in moved if name.startswith(tuple(norms))]


def test_the_upper_part_of_a_residual_network_computes_what_its_trunk_gives():
    backbone = load_backbone("resnet18", weights=None)
    trunk = Trunk(backbone)
    maps, head = trunk.eval()(torch.zeros(2, 3, SIZE, SIZE)), DenseHead(trunk.channels, CLASSES)
    with torch.no_grad():
        assert torch.allclose(Upper(backbone, head).eval()(**maps), head(**maps), atol=1e-5)


def test_a_dense_head_alone_can_be_made_by_hand():
    head = DenseHead({"stride8": 4, "stride16": 6}, 5, width=8)
    assert head(stride8=torch.zeros(1, 4, 8, 8), stride16=torch.zeros(1, 6, 4, 4)).shape == (1, 5, 8, 8)


# The zoo


@pytest.mark.parametrize("architecture", ["deeplab", "fcn", "lraspp"])
def test_every_classifier_gives_the_new_number_of_classes(architecture):
    model = small_segmenters.build(architecture)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert swap_seg_head(model, 4) is model
    out = model(torch.zeros(2, 3, 32, 32))
    assert {value.shape[1] for value in out.values()} == {4}
    names = {f"{name}.{part}" for several in small_segmenters.LAST_LAYERS[architecture].values() for name in several
             for part in ("weight", "bias")}  # fmt: skip
    after = model.state_dict()
    assert {name for name in after if not torch.equal(after[name], before[name])} == names


def test_a_model_without_a_classifier_is_refused():
    with pytest.raises(HeadNotFound, match="no `classifier`"):
        swap_seg_head(nn.Sequential(nn.Conv2d(3, 4, 1)), 2)


def test_a_model_of_the_zoo_trains_through_fit_on_its_dict_of_outputs():
    model = load_segmenter("lraspp_mobilenet_v3_large", CLASSES, weights=None)
    data = TensorDataset(torch.randn(4, 3, 64, 64), torch.randint(CLASSES, (4, 64, 64)))
    history = fit(model, DataLoader(data, 2), epochs=1, lr=1e-4, loss_fn=seg_loss, verbose=False)
    assert np.isfinite(history["train_loss"][0])
    assert model(data.tensors[0])["out"].shape == (4, CLASSES, 64, 64)


def test_an_unknown_segmentation_model_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="lraspp_mobilenet_v3_large"):
        load_segmenter("lraspp_mobilenet", CLASSES)
