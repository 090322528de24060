"""Corruptions: known degrees, nothing changed in place, the same for the same seed."""

import pytest
import torch

from course.data.emoji import Emoji
from course.errors import DataError, UnknownName
from course.inspection.corruptions import CORRUPTIONS, SEVERITIES, corrupt


@pytest.fixture(scope="module")
def pictures():
    data = Emoji("test", per_class=1, size=48)
    return torch.stack([x for x, _ in data])


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_each_severity_is_further_from_the_picture_and_stays_in_range(kind, pictures):
    before = pictures.clone()
    distances = []
    for severity in (0, *SEVERITIES):
        made = corrupt(pictures, kind, severity, seed=1)
        assert made.shape == pictures.shape and made.dtype == pictures.dtype
        assert made.min() >= 0 and made.max() <= 1
        distances.append(float((made - pictures).abs().mean()))
    assert distances[0] == 0 and distances == sorted(distances) and distances[1] > 0
    assert torch.equal(pictures, before)


def test_noise_follows_its_seed_and_the_global_generator_stays(pictures):
    state = torch.get_rng_state()
    one, same, other = (corrupt(pictures, "noise", 3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", ["blur", "fog", "contrast", "pixelate"])
def test_an_even_picture_stays_even(kind):
    made = corrupt(torch.full((1, 3, 32, 32), 0.9), kind, 5)
    assert torch.allclose(made, torch.full_like(made, 0.9), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("nois", 1), UnknownName, "noise"),
        (("noise", 6), DataError, "0 to 5"),
        (("noise", 1.5), DataError, "whole number"),
    ],
)
def test_what_is_unknown_is_refused(arguments, error, words, pictures):
    with pytest.raises(error) as told:
        corrupt(pictures, *arguments)
    assert words in str(told.value)
    with pytest.raises(DataError, match="before they are normalised"):
        corrupt(pictures * 2 - 1, "fog", 1)
