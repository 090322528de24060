"""`hold_out`: part of a data set kept for validation, with the same share of every class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Subset

from course.errors import DataError


class LabelledSubset(Subset):
    """Some samples of a data set, with their `labels` (N,) and the `classes` of the whole."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        super().__init__(dataset, list(indices))
        self.labels: torch.Tensor = labels_of(dataset)[torch.tensor(self.indices, dtype=torch.long)]
        self.classes: Sequence[str] | None = getattr(dataset, "classes", None)

    def __repr__(self) -> str:
        return f"{len(self)} samples of {self.dataset!r}"


def hold_out(dataset: Any, share: float = 0.2, *, seed: int = 0) -> tuple[LabelledSubset, LabelledSubset]:
    """(training set, validation set): `share` of each class, rounded, is drawn by `seed` for the validation set.

    A class with two samples or more has at least one of them on either side; the order of the samples is kept. The
    labels are read from `dataset.labels` if it has them, otherwise from every sample. Settings such as the learning
    rate or the number of epochs are chosen on the validation set, so that the test set is left for a single use.
    Raises DataError if `share` is not between 0 and 1, or if a class has a single sample.
    """
    if not 0 < share < 1:
        raise DataError(f"share={share} is not a share to hold out; pass a number between 0 and 1, such as 0.2")
    labels = labels_of(dataset)
    generator = torch.Generator().manual_seed(seed)
    held: list[int] = []
    for label in labels.unique().tolist():
        members = (labels == label).nonzero()[:, 0]
        if len(members) < 2:
            raise DataError(
                f"class {_class_name(dataset, label)} has a single sample, which can't be in both the training and the "
                "validation set; add samples to it, or leave the class out"
            )
        count = min(max(1, round(share * len(members))), len(members) - 1)
        held += members[torch.randperm(len(members), generator=generator)[:count]].tolist()
    chosen = set(held)
    kept = [index for index in range(len(labels)) if index not in chosen]
    return LabelledSubset(dataset, kept), LabelledSubset(dataset, sorted(held))


def labels_of(dataset: Any) -> torch.Tensor:
    """The labels (N,) of a data set of classes, int64. Raises DataError if a label is not a whole number."""
    labels = getattr(dataset, "labels", None)
    if labels is None:
        labels = [label for _, label in (dataset[index] for index in range(len(dataset)))]
    values = torch.as_tensor(labels)
    if values.ndim != 1 or values.is_floating_point():
        raise DataError(
            f"the labels are not one class number per sample: shape {tuple(values.shape)}, {values.dtype}; "
            "to hold out part of another kind of data, pass its indices to torch.utils.data.Subset"
        )
    return values.to(torch.int64)


def _class_name(dataset: Any, label: int) -> str:
    classes = getattr(dataset, "classes", None)
    return repr(classes[label]) if classes and label < len(classes) else str(label)
