"""Reliability, the calibration error and temperature."""

import pytest
import torch
from torch.nn.functional import cross_entropy
from torchmetrics.functional.classification import multiclass_calibration_error

from course.errors import BadLabels, DataError, EmptyData
from course.inspection.calibration import fit_temperature, reliability


def drawn(seed=0, count=400, classes=5, scale=2.0):
    rng = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(count, classes, generator=rng)
    return logits, torch.randint(classes, (count,), generator=rng)


def test_a_case_by_hand():
    probs = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.0, 1.0]])
    found = reliability(probs, torch.tensor([0, 1, 1, 0]), bins=2)
    assert found.count.tolist() == [0, 4]
    assert found.accuracy[1] == 0.5
    assert found.confidence[1] == pytest.approx(0.825)
    assert found.calibration_error == pytest.approx(0.325)


@pytest.mark.parametrize("bins", [1, 7, 10, 15])
def test_the_error_is_that_of_torchmetrics(bins):
    logits, labels = drawn(bins)
    probs = logits.softmax(1)
    theirs = float(multiclass_calibration_error(probs, labels, 5, n_bins=bins))
    assert reliability(probs, labels, bins=bins).calibration_error == pytest.approx(theirs, abs=1e-5)


def test_certainty_is_in_the_last_bin():
    found = reliability(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]), bins=10)
    assert found.count[-1] == 2 and found.calibration_error == 0.5


@pytest.mark.parametrize(
    ("probs", "labels", "error", "words"),
    [
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), EmptyData, "no pictures"),
        (torch.full((2, 2), 0.5), torch.tensor([0, 2]), BadLabels, "2 classes"),
        (torch.full((2, 2), 0.5), torch.tensor([0]), DataError, "(N, C)"),
        (torch.tensor([[3.0, -1.0]]), torch.tensor([0]), DataError, "softmax"),
        (torch.tensor([[2.0, -1.0]]), torch.tensor([0]), DataError, "softmax"),
    ],
)
def test_what_is_no_probability_is_refused(probs, labels, error, words):
    with pytest.raises(error) as told:
        reliability(probs, labels)
    assert words in str(told.value)


@pytest.mark.parametrize("true", [0.4, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(true):
    logits, _ = drawn(3, count=20_000)
    labels = torch.multinomial((logits / true).softmax(1), 1, generator=torch.Generator().manual_seed(1))[:, 0]
    assert fit_temperature(logits, labels) == pytest.approx(true, rel=0.05)


def test_no_other_temperature_fits_better():
    logits, _ = drawn(4)
    labels = torch.multinomial((logits / 1.7).softmax(1), 1, generator=torch.Generator().manual_seed(5))[:, 0]
    best = fit_temperature(logits, labels)
    loss = {t: float(cross_entropy(logits / t, labels)) for t in (best, best * 1.05, best / 1.05)}
    assert min(loss, key=loss.__getitem__) == best
    with pytest.raises(EmptyData):
        fit_temperature(logits[:0], labels[:0])
