"""Segmentation: scenes as tensors, joint transforms and the loss, on small drawn scenes."""

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

from course.applications.iou import VOID
from course.applications.segmentation import SegmentationTransform, group_labels, joint_transform, seg_loss
from course.errors import BadLabels, DataError, NonFiniteLoss, UnknownName
from course.training.loop import evaluate, fit

SIZE, CLASSES = 64, 3


class Scene(NamedTuple):
    picture: Image.Image
    mask: np.ndarray


def scene(mask):
    return Scene(Image.new("RGB", (8, 8)), np.asarray(mask, np.uint8))


# Scenes to tensors


def test_a_scene_becomes_a_picture_and_a_mask_of_int64():
    x, mask = SegmentationTransform(to_tensor, 3)(scene(np.eye(8) * 2))
    assert x.shape == (3, 8, 8)
    assert mask.dtype == torch.int64
    assert mask.unique().tolist() == [0, 2]


def test_a_mask_of_another_size_than_its_picture_is_refused_with_what_to_do():
    with pytest.raises(DataError, match=r"mask of \(6, 8\).*picture of \(8, 8\); crop and resize both together"):
        SegmentationTransform(to_tensor, 3)(scene(np.zeros((6, 8))))


def test_unknown_values_are_named_and_void_is_known():
    with pytest.raises(BadLabels, match="the mask holds 3, 9"):
        SegmentationTransform(to_tensor, 3)(scene(np.diag([0, 3, 9, 255, 1, 1, 1, 1])))


def test_groups_give_new_numbers_and_leave_void_and_background():
    lookup = group_labels(("cat", "dog", "car", "sky"), {"animal": ("cat", "dog"), "thing": ("car",)})
    assert lookup[[0, 1, 2, 3, 4, 255]].tolist() == [0, 1, 1, 2, VOID, VOID]
    _, mask = SegmentationTransform(to_tensor, 3, lookup=lookup)(scene(np.diag([0, 1, 2, 3, 4, 255, 0, 0])))
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
