"""Sounds of eight kinds: the same for the same seed, other ones otherwise, and told apart by what they are."""

import pytest
import torch

from course.data.sounds import CLASSES, KINDS, RATE, Sounds, make_sound
from course.data.spectrogram import to_picture
from course.errors import DataError, UnknownName


def test_a_sound_is_one_second_of_plain_numbers_with_its_label():
    data = Sounds("train", per_class=2)
    assert len(data) == 2 * len(CLASSES) == len(data.labels)
    assert data.signals.shape == (16, RATE) and data.signals.dtype == torch.float32
    assert data.signals.isfinite().all()
    sound, label = data[5]
    assert torch.equal(sound, data.signals[5]) and data.classes[label] == "trill"
    assert torch.bincount(data.labels).tolist() == [2] * 8


def test_the_same_seed_gives_the_same_sounds_and_a_larger_draw_holds_a_smaller_one():
    once, more = Sounds("train", per_class=1, seed=3), Sounds("train", per_class=2, seed=3)
    assert torch.equal(once.signals, Sounds("train", per_class=1, seed=3).signals)
    assert torch.equal(once.signals, more.signals[::2])


def test_seeds_and_splits_share_no_sound():
    drawn = [Sounds(split, per_class=2, seed=seed).signals for split, seed in (("train", 0), ("train", 1), ("test", 0))]
    rows = torch.cat(drawn)
    assert len(torch.unique(rows, dim=0)) == len(rows)


def test_torchs_global_generator_is_left_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    Sounds("test", per_class=1)
    assert torch.equal(before, torch.get_rng_state())


def test_a_rising_tone_rises_and_a_falling_one_falls():
    def moved(kind):
        """How many rows up the loudest pitch is at the end, against when it begins."""
        rows = to_picture(torch.stack([make_sound(kind, f"any {i}") for i in range(6)]))[:, 0].argmax(1)
        return (rows[:, 60:75].float().median(1).values - rows[:, -10:].float().median(1).values).tolist()

    assert all(rows > 0 for rows in moved("rising"))
    assert all(rows < 0 for rows in moved("falling"))


def test_noise_lies_over_every_kind():
    for kind in KINDS:
        quietest = make_sound(kind, "a").unfold(0, 400, 400).std(1).min()
        assert quietest > 0.05


def test_what_there_is_not_is_refused():
    with pytest.raises(UnknownName, match="train"):
        Sounds("trian")
    with pytest.raises(DataError, match="per_class=0"):
        Sounds("train", per_class=0)
    with pytest.raises(UnknownName, match="siren"):
        make_sound("sirens", "a")
