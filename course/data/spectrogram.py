"""A sound as a picture: time to the right, pitch upwards, loudness as brightness."""

from __future__ import annotations

import torch

from course.errors import DataError

RANGE_DB = 60.0  # decibels from white down to black


def to_picture(sounds: torch.Tensor, window: int = 256, hop: int = 64) -> torch.Tensor:
    """The spectrograms of `sounds` (B, samples) as pictures (B, 3, window // 2 + 1, frames) of float32 in [0, 1].

    Row 0 is the highest pitch. A pixel is the loudness of one pitch in one Hann window of `window` samples, in
    decibels; a new window begins every `hop` samples. 1 is the loudest value of *this* sound, 0 is 60 decibels below it
    and anything fainter. Silence is black. The three channels are equal, because models of photographs expect three.
    Raises DataError unless each sound has at least one window of samples.
    """
    if sounds.ndim != 2 or sounds.shape[1] < window:
        raise DataError(
            f"sounds of shape {tuple(sounds.shape)} can't be drawn; give (sounds, samples), each at least {window} long"
        )
    hann = torch.hann_window(window, device=sounds.device)
    waves = torch.stft(sounds.float(), window, hop, window=hann, center=False, return_complex=True)
    loudness = waves.abs().flip(1)  # (B, pitches, frames), the highest first
    loudest = loudness.amax((1, 2), keepdim=True)
    decibels = 20 * torch.log10(loudness / loudest)  # of silence: 0 / 0, not a number
    pictures = (1 + decibels / RANGE_DB).clamp(0, 1).nan_to_num(0)
    return pictures[:, None].repeat(1, 3, 1, 1)
