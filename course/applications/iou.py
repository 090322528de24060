"""Intersection over union of predicted and true masks, counted over a data set, per class; void is left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from course.errors import BadLabels, DataError, EmptyData
from course.models.freezing import evaluating
from course.notebook.progress_bars import progress_bar

VOID = 255  # the label of pixels without a class: no loss, no gradient, not counted


@dataclass(frozen=True)
class SegmentationScores:
    """How well predicted masks match the true ones.

    `confusion_matrix` is (C, C): numbers of pixels by true class (row) and predicted class (column).
    """

    confusion_matrix: torch.Tensor

    @property
    def iou(self) -> torch.Tensor:
        """(C,) intersection over union; nan for a class that is neither true nor predicted anywhere."""
        intersection = self.confusion_matrix.diag().double()
        return intersection / (self.confusion_matrix.sum(0) + self.confusion_matrix.sum(1) - intersection)

    @property
    def miou(self) -> float:
        """The mean over the classes that occur."""
        return float(self.iou.nanmean())

    @property
    def pixel_accuracy(self) -> float:
        """The fraction of labelled pixels that are right."""
        return float(self.confusion_matrix.diag().sum() / self.confusion_matrix.sum())


def confusion_matrix(preds: torch.Tensor, masks: torch.Tensor, classes: int, *, ignore: int = VOID) -> torch.Tensor:
    """(classes, classes) int64: numbers of labelled pixels by true class (row) and predicted class (column).

    `preds` and `masks` have the same shape, whatever it is.
    """
    if preds.shape != masks.shape:
        raise DataError(f"predictions of shape {tuple(preds.shape)} do not fit masks of shape {tuple(masks.shape)}")
    valid = masks != ignore
    check_mask_labels(masks[valid], classes)
    return torch.bincount(masks[valid] * classes + preds[valid], minlength=classes**2).view(classes, classes)


def measure_iou(model: nn.Module, loader: Iterable, classes: int) -> SegmentationScores:
    """The scores over all batches of a loader of (pictures or feature maps, masks), in eval mode; void is left out.

    Raises EmptyData if no pixel has a label.
    """
    device = next(model.parameters()).device
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    with evaluating(model), torch.inference_mode():
        for x, masks in progress_bar(loader, "measuring IoU"):
            out = model(**{k: v.to(device) for k, v in x.items()}) if isinstance(x, dict) else model(x.to(device))
            logits = out["out"] if isinstance(out, dict) else out
            if logits.shape[-2:] != masks.shape[-2:]:  # a head alone gives them on the grid of its feature maps
                logits = F.interpolate(logits, size=tuple(masks.shape[-2:]), mode="bilinear")
            matrix += confusion_matrix(logits.argmax(1).cpu(), masks, classes)
    if not matrix.any():
        raise EmptyData(f"no pixel has a label: all are void ({VOID}), so there is no IoU to measure")
    return SegmentationScores(matrix)


def check_mask_labels(mask: torch.Tensor, classes: int) -> None:
    """Raises BadLabels unless every value is a class or VOID."""
    unknown = mask[((mask < 0) | (mask >= classes)) & (mask != VOID)].unique().tolist()
    if unknown:
        raise BadLabels(
            f"the mask holds {', '.join(map(str, unknown[:8]))}, but the classes are 0 to {classes - 1}, and "
            f"{VOID} is void; number the classes from 0, or read a palette PNG without convert('RGB')"
        )
