"""Whether probabilities mean what they say: reliability by bins, the calibration error, temperature."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from course.errors import BadLabels, DataError, EmptyData


@dataclass(frozen=True, repr=False)
class Reliability:
    """Pictures grouped into bins by their confidence, which is the largest probability; an empty bin has 0 everywhere.

    For each bin `confidence` is the mean confidence and `accuracy` the fraction of correct predictions, both (bins,);
    `count` (bins,) is the number of pictures in it.
    """

    confidence: torch.Tensor
    accuracy: torch.Tensor
    count: torch.Tensor

    @property
    def calibration_error(self) -> float:
        """The expected calibration error (ECE): |accuracy - confidence| per bin, weighted by its number of pictures.

        Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning" (2015).
        """
        gaps = (self.accuracy - self.confidence).abs()
        return float((gaps * self.count).sum() / self.count.sum())

    def __repr__(self) -> str:
        return (
            f"Reliability({int(self.count.sum())} pictures in {len(self.count)} bins, ECE {self.calibration_error:.3f})"
        )


def reliability(probs: torch.Tensor, labels: torch.Tensor, *, bins: int = 10) -> Reliability:
    """The reliability of probabilities (N, C) for labels (N,), in bins of equal width, each without its lower end.

    Raises EmptyData, BadLabels, and DataError for shapes that don't fit, rows that are no probabilities, or bins < 1.
    """
    if probs.ndim != 2 or labels.shape != probs.shape[:1] or bins < 1:
        raise DataError(
            f"probs {tuple(probs.shape)}, labels {tuple(labels.shape)}, bins={bins}: give (N, C), (N,) and at least 1"
        )
    if not len(probs):
        raise EmptyData("there are no pictures to measure the calibration on")
    if not 0 <= int(labels.min()) <= int(labels.max()) < probs.shape[1]:
        raise BadLabels(
            f"labels from {int(labels.min())} to {int(labels.max())}, but there are {probs.shape[1]} classes"
        )
    if not torch.allclose(probs.sum(1), torch.ones_like(probs[:, 0]), atol=1e-3) or bool((probs < 0).any()):
        raise DataError("rows of probs are not probabilities; apply softmax(1) to logits first")
    probs = probs.double()
    confidence, predicted = probs.max(1)
    bin_index = (confidence * bins).ceil().long().clamp(1, bins) - 1  # (N,): (0, 1/bins] is bin 0
    count = torch.bincount(bin_index, minlength=bins)
    at_least_one = count.clamp_min(1)
    is_correct = (predicted == labels).double()
    return Reliability(
        torch.bincount(bin_index, confidence, bins) / at_least_one,
        torch.bincount(bin_index, is_correct, bins) / at_least_one,
        count,
    )


def fit_temperature(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """The T above 0 for which softmax(logits / T) fits the labels best, by cross-entropy.

    Use data that the model was not trained on. T above 1 makes probabilities less extreme; predictions don't change.
    Raises EmptyData. Guo et al., "On calibration of modern neural networks" (2017), section 4.2.
    """
    from scipy.optimize import minimize_scalar

    if not len(logits):
        raise EmptyData("there are no pictures to fit a temperature on")
    logits = logits.detach().double()

    def loss(log_temperature: float) -> float:
        return float(F.cross_entropy(logits / torch.tensor(log_temperature).exp(), labels))

    # The loss has one minimum in 1 / T, so in log T too; every sane temperature is between e**-3 and e**3.
    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded", options={"xatol": 1e-4})
    return float(torch.tensor(found.x).exp())
