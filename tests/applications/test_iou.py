"""IoU over a data set: against torchmetrics, void and absent classes left out, odd masks refused."""

import math

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassJaccardIndex

from course.applications.iou import VOID, SegmentationScores, check_mask_labels, confusion_matrix, measure_iou
from course.errors import BadLabels, DataError, EmptyData


def drawn(seed, classes=4, shape=(5, 12, 9)):
    rng = torch.Generator().manual_seed(seed)
    masks = torch.randint(classes, shape, generator=rng)
    preds = torch.where(torch.rand(shape, generator=rng) < 0.6, masks, torch.randint(classes, shape, generator=rng))
    masks[torch.rand(shape, generator=rng) < 0.2] = VOID
    return preds, masks


class Says(nn.Module):
    """Logits that say what the input holds; optionally in a dict, or on a grid of a quarter of the pixels."""

    def __init__(self, classes, *, in_a_dict=False, step=1):
        super().__init__()
        self.weight, self.classes = nn.Parameter(torch.ones(())), classes
        self.in_a_dict, self.step = in_a_dict, step

    def forward(self, x):
        logits = nn.functional.one_hot(x, self.classes).movedim(-1, 1)[:, :, :: self.step, :: self.step].float()
        return {"out": logits} if self.in_a_dict else logits


@pytest.mark.parametrize("seed", range(3))
def test_the_overlap_is_that_of_torchmetrics(seed):
    preds, masks = drawn(seed)
    found = SegmentationScores(confusion_matrix(preds, masks, 4))
    reference = MulticlassJaccardIndex(4, average="none", ignore_index=VOID)(preds, masks)
    assert torch.allclose(found.iou, reference.double(), atol=1e-6)
    assert found.miou == pytest.approx(float(reference.mean()), abs=1e-6)


def test_rows_are_true_classes_and_columns_predicted_ones():
    matrix = confusion_matrix(torch.tensor([0, 1, 1]), torch.tensor([0, 0, VOID]), 2)
    assert matrix.tolist() == [[1, 1], [0, 0]]


def test_an_absent_class_is_left_out_and_one_predicted_in_vain_counts_as_nothing():
    preds, masks = torch.tensor([0, 0, 2, 2]), torch.tensor([0, 0, 0, 2])
    found = SegmentationScores(confusion_matrix(preds, masks, 4))
    assert math.isnan(found.iou[1]) and math.isnan(found.iou[3])
    assert found.miou == pytest.approx((2 / 3 + 1 / 2) / 2)
    in_vain = SegmentationScores(confusion_matrix(torch.tensor([0, 1]), torch.tensor([0, 0]), 2))
    assert in_vain.iou.tolist() == [0.5, 0.0]


@pytest.mark.parametrize("options", [{}, {"in_a_dict": True}])
def test_batches_are_counted_together_void_left_out(options):
    preds, masks = drawn(0)
    loader = [(preds[:2], masks[:2]), (preds[2:], masks[2:])]
    model = Says(4, **options).train()
    found = measure_iou(model, loader, 4)
    assert torch.equal(found.confusion_matrix, confusion_matrix(preds, masks, 4))
    assert found.pixel_accuracy == pytest.approx(float((preds == masks)[masks != VOID].float().mean()))
    assert model.training


def test_logits_of_a_coarser_grid_are_brought_to_the_size_of_the_masks():
    masks = torch.zeros(1, 8, 8, dtype=torch.int64)
    masks[:, :, 4:] = 1
    found = measure_iou(Says(2, step=2), [(masks, masks)], 2)
    assert found.confusion_matrix.sum() == 64
    assert found.miou == 1.0


def test_nothing_but_void_is_an_error_that_says_so():
    preds = torch.zeros(1, 4, 4, dtype=torch.int64)
    with pytest.raises(EmptyData, match="all are void"):
        measure_iou(Says(2), [(preds, torch.full_like(preds, VOID))], 2)


def test_labels_that_are_no_class_are_named():
    with pytest.raises(BadLabels, match=r"7, 200, but the classes are 0 to 4"):
        check_mask_labels(torch.tensor([0, 7, 4, VOID, 200]), 5)
    with pytest.raises(BadLabels, match="-1"):
        check_mask_labels(torch.tensor([-1]), 5)
    check_mask_labels(torch.tensor([0, 4, VOID]), 5)


def test_masks_of_another_size_are_refused():
    with pytest.raises(DataError, match="do not fit"):
        confusion_matrix(torch.zeros(1, 4, 4, dtype=torch.int64), torch.zeros(1, 4, 5, dtype=torch.int64), 2)
