"""A spectrogram shows pitch upwards and loudness in decibels of the same sound."""

import math

import pytest
import torch

from course.data.spectrogram import RANGE_DB, to_picture
from course.errors import DataError


def tone(cycles, samples=2000, loudness=1.0):
    """A sine of so many cycles in each 256 samples."""
    return loudness * torch.sin(2 * math.pi * cycles / 256 * torch.arange(samples))


def test_a_pure_tone_is_one_bright_row_as_high_as_its_pitch():
    picture = to_picture(torch.stack([tone(10), tone(100)]))
    assert picture.shape == (2, 3, 129, 28)
    assert picture.dtype == torch.float32
    assert (picture[:, 0].argmax(1) == torch.tensor([[128 - 10], [128 - 100]])).all()
    assert torch.equal(picture[:, 0], picture[:, 1]) and torch.equal(picture[:, 0], picture[:, 2])


def test_a_fainter_tone_is_darker_by_its_decibels():
    both = tone(10) + tone(100, loudness=0.1)  # 20 decibels below
    rows = to_picture(both[None])[0, 0, :, 10]
    assert rows[128 - 10] == pytest.approx(1, abs=0.01)
    assert rows[128 - 100] == pytest.approx(1 - 20 / RANGE_DB, abs=0.01)


def test_loudness_of_the_whole_sound_and_its_neighbours_change_nothing():
    sounds = torch.stack([tone(10), tone(40, loudness=1000.0), torch.zeros(2000)])
    alone = torch.cat([to_picture(sound[None]) for sound in (sounds[0] * 0.001, sounds[1], sounds[2])])
    torch.testing.assert_close(to_picture(sounds), alone, atol=1e-3, rtol=0)


def test_silence_is_black():
    assert not to_picture(torch.zeros(1, 512)).any()


def test_window_and_hop_decide_the_size():
    assert to_picture(torch.randn(1, 1000), window=100, hop=50).shape == (1, 3, 51, 19)


@pytest.mark.parametrize("shape", [(1000,), (2, 100), (1, 2, 1000)])
def test_what_is_no_batch_of_sounds_is_refused(shape):
    with pytest.raises(DataError, match=r"give \(sounds, samples\)"):
        to_picture(torch.zeros(shape))
