"""How far predicted masks overlap with the true ones: counted over a data set, class by class, void left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from course.errors import BadLabels, DataError, EmptyData
from course.models.freezing import evaluating
from course.notebook.progress_bars import bar

VOID = 255  # the label of pixels that nobody labelled: no loss, no gradient, no count


@dataclass(frozen=True)
class Overlap:
    """How predictions and masks overlap. `matrix` is (C, C): pixels by true class (row) and predicted class."""

    matrix: torch.Tensor

    @property
    def iou(self) -> torch.Tensor:
        """(C,) intersection over union; nan for a class that is neither true nor predicted anywhere."""
        both = self.matrix.diag().double()
        return both / (self.matrix.sum(0) + self.matrix.sum(1) - both)

    @property
    def miou(self) -> float:
        """The mean over the classes that occur."""
        return float(self.iou.nanmean())

    @property
    def pixel_accuracy(self) -> float:
        """The share of the labelled pixels that are right."""
        return float(self.matrix.diag().sum() / self.matrix.sum())


def count_pixels(preds: torch.Tensor, masks: torch.Tensor, classes: int, *, ignore: int = VOID) -> torch.Tensor:
    """(classes, classes) int64: labelled pixels by true class (row) and predicted class (column); any shape, alike."""
    if preds.shape != masks.shape:
        raise DataError(f"predictions of shape {tuple(preds.shape)} do not fit masks of shape {tuple(masks.shape)}")
    valid = masks != ignore
    check_labels(masks[valid], classes)
    return torch.bincount(masks[valid] * classes + preds[valid], minlength=classes**2).view(classes, classes)


def measure_overlap(model: nn.Module, loader: Iterable, classes: int) -> Overlap:
    """The overlap over all batches of a loader of (pictures or maps, masks), in eval mode; void is left out.

    Raises EmptyData if no pixel has a label.
    """
    device = next(model.parameters()).device
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    with evaluating(model), torch.inference_mode():
        for x, masks in bar(loader, "measuring overlap"):
            out = model(**{k: v.to(device) for k, v in x.items()}) if isinstance(x, dict) else model(x.to(device))
            logits = out["out"] if isinstance(out, dict) else out
            if logits.shape[-2:] != masks.shape[-2:]:  # those of a head alone, on the grid of its maps
                logits = F.interpolate(logits, size=tuple(masks.shape[-2:]), mode="bilinear")
            matrix += count_pixels(logits.argmax(1).cpu(), masks, classes)
    if not matrix.any():
        raise EmptyData(f"no pixel has a label: every one is void ({VOID}), so there is no overlap to measure")
    return Overlap(matrix)


def check_labels(mask: torch.Tensor, classes: int) -> None:
    """Raises BadLabels unless every value is a class or VOID."""
    unknown = mask[((mask < 0) | (mask >= classes)) & (mask != VOID)].unique().tolist()
    if unknown:
        raise BadLabels(
            f"the mask holds {', '.join(map(str, unknown[:8]))}, but the classes are 0 to {classes - 1}, and "
            f"{VOID} is void; number the classes from 0, or read a palette PNG without convert('RGB')"
        )
