"""A sound as a picture: pitch upwards, time to the right, decibels below the loudest of the same sound."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from course.judging import Exercise, Wrong, expect, expect_close, need

RANGE_DB = 60.0

exercise = Exercise(
    "11-draw-sound",
    answer="to_picture",
    call="to_picture(sounds, window, hop)",
    title="Draw a sound",
    withholds=("course.data.spectrogram.to_picture",),
    hints=(
        "torch.stft(sounds, window, hop, window=torch.hann_window(window), center=False, return_complex=True) gives "
        "complex numbers (B, pitches, frames), the lowest pitch in row 0. Their size is `.abs()`.",
        "Decibels are 20 * log10(size / loudest), with the loudest of each sound: `.amax((1, 2), keepdim=True)`.",
        "(1 + decibels / 60).clamp(0, 1), then flip(1), three equal channels, and for silence, 0 / 0, `nan_to_num(0)`.",
    ),
    idea="size = torch.stft(sounds, window, hop, window=torch.hann_window(window), center=False, return_complex=True)"
    ".abs(); decibels = 20 * torch.log10(size / size.amax((1, 2), keepdim=True)); picture = (1 + decibels / 60)"
    ".clamp(0, 1).nan_to_num(0).flip(1); return picture[:, None].repeat(1, 3, 1, 1).",
)


@exercise.case
def one_sound(rng: torch.Generator) -> dict[str, Any]:
    return sounds_case(rng, 1)


@exercise.case
def loud_and_quiet(rng: torch.Generator) -> dict[str, Any]:
    case = sounds_case(rng, 4)
    case["sounds"] *= torch.tensor([0.02, 1.0, 0.2, 3.0])[torch.randperm(4, generator=rng)][:, None]
    return case


@exercise.case
def with_silence(rng: torch.Generator) -> dict[str, Any]:
    case = sounds_case(rng, 3)
    case["sounds"][int(torch.randint(3, (), generator=rng))] = 0
    return case


def sounds_case(rng: torch.Generator, count: int, window: int = 64) -> dict[str, Any]:
    """Tones that glide, under faint noise; their length is not a multiple of the hop."""
    hop = window // 4 + int(torch.randint(4, (), generator=rng))
    time = torch.arange(window * 8 + int(torch.randint(3, 11, (), generator=rng)))
    start, end = (torch.rand(2, count, 1, generator=rng) * 0.3 + 0.06).sort(0).values  # cycles a sample
    pitch = start + (end - start) * time / len(time)
    sounds = torch.sin(2 * math.pi * pitch.cumsum(1)) + 0.03 * torch.randn(count, len(time), generator=rng)
    return {"sounds": sounds * (0.5 + torch.rand(count, 1, generator=rng)), "window": window, "hop": hop}


@exercise.probe
def probe_to_picture(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    returned = answer(case["sounds"].clone(), case["window"], case["hop"])
    picture = need(returned, (torch.Tensor, np.ndarray), "the pictures, a tensor (B, 3, pitches, frames)")
    return {"picture": torch.as_tensor(picture).detach()}


def drawn(
    case: dict[str, Any],
    *,
    hann: bool = True,
    times: float = 20.0,
    together: bool = False,
    upside_down: bool = False,
    log: bool = True,
    square: bool = False,
    natural: bool = False,
    stretched: bool = False,
    channels: int = 3,
) -> torch.Tensor:
    """The pictures of a case; every option is a mistake."""
    window = torch.hann_window(case["window"]) if hann else torch.ones(case["window"])
    waves = torch.stft(case["sounds"], case["window"], case["hop"], window=window, center=False, return_complex=True)
    size = waves.abs() ** (2 if square else 1)
    share = size / (size.max() if together else size.amax((1, 2), keepdim=True))
    decibels = times * (share.log() if natural else share.log10())
    picture = (1 + decibels / RANGE_DB).clamp(0, 1) if log else share
    if stretched:
        low, high = decibels.amin((1, 2), keepdim=True), decibels.amax((1, 2), keepdim=True)
        picture = (decibels - low) / (high - low)
    picture = picture.nan_to_num(0)
    return (picture if upside_down else picture.flip(1))[:, None].repeat(1, channels, 1, 1)


MISTAKES: dict[str, dict[str, Any]] = {
    "low pitches belong at the bottom: torch.stft gives the lowest pitch in row 0, so flip(1)": {"upside_down": True},
    "the loudest of the whole batch was taken: a quiet sound turns black beside a loud one": {"together": True},
    "without the logarithm all but the loudest pitch is black: ears and pictures want decibels": {"log": False},
    "10 log10 is for powers; for the size of a wave decibels are 20 log10": {"times": 10.0},
    "the size was squared and then taken times 20: that is twice the decibels": {"square": True},
    "log is the natural logarithm; decibels take log10": {"natural": True},
    "stretching from the faintest to the loudest lets one faint number decide; 60 decibels is a fixed scale": {
        "stretched": True
    },
    "without the Hann window every frame starts and ends with a click, which smears over all pitches": {"hann": False},
}


def compare_pictures(case: dict[str, Any], got: torch.Tensor, tried: str) -> None:
    """Raise Wrong unless the pictures are those of the sounds, number by number."""
    expected = drawn(case)
    check_shape(case, got)
    if got.isnan().any():
        raise Wrong(
            tried=tried,
            got=f"{int(got.isnan().sum())} values that are not numbers (NaN)",
            expected="0 for silence",
            because="NaN comes from 0 / 0, as in silence; one in a batch spoils every weight that learns from it",
        )
    mistakes = {because: drawn(case, **options) for because, options in MISTAKES.items()}
    mistakes["these are decibels; scale them: 0 decibels is 1, 60 below it and all fainter is 0"] = (
        expected * RANGE_DB - RANGE_DB
    )
    because = "count decibels from each sound's own loudest number: at 0 it is 1, 60 or more below it is 0"
    expect_close(got, expected, tried=tried, atol=2e-3, rtol=0.0, mistakes=mistakes, because=because)


def check_shape(case: dict[str, Any], got: torch.Tensor) -> None:
    """Raise Wrong unless there is a picture (3, pitches, frames) for every sound."""
    expected = drawn(case)
    pitches, frames = expected.shape[2:]
    because = "a picture a sound: three equal channels, a row for each pitch, a column for each frame"
    if got.ndim == 4 and got.shape[1:] == (3, frames, pitches):
        because = "pitch runs down the rows, time along the columns: transposed"
    elif got.ndim == 3 or (got.ndim == 4 and got.shape[1] == 1):
        because = "models of photographs take three channels, here all equal: (B, 3, pitches, frames)"
    elif got.ndim == 4 and got.shape[2] == pitches and got.shape[3] > frames:
        because = "there are more frames than fit into the sound: with center=False none reaches beyond its ends"
    elif got.is_complex() or got.shape[-1:] == (2,):
        because = "complex numbers have a size and a phase; the picture shows the size: `.abs()`"
    elif got.ndim == 4 and got.shape[3] == 3:
        because = "torch puts channels first"
    expect(
        got.shape == expected.shape and got.is_floating_point(),
        tried=f"the shape, for sounds {tuple(case['sounds'].shape)}, window {case['window']}, hop {case['hop']}",
        got=f"{tuple(got.shape)}, {str(got.dtype).removeprefix('torch.')}",
        expected=f"{tuple(expected.shape)}, float32",
        because=because,
    )


@exercise.judge(loud_and_quiet, points=1)
def pitch_upwards_time_to_the_right(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Each frame is a column, the loudest pitch in it stands as high as it is, in all three channels."""
    got, expected = result["picture"], drawn(case)
    check_shape(case, got)
    expect(
        bool((got == got[:, :1]).all()),
        tried="comparing the three channels",
        got="they differ",
        expected="three times the same",
        because="a sound has no colours: repeat the one channel",
    )
    rows, true = got[:, 0].nan_to_num(0).argmax(1), expected[:, 0].argmax(1)  # (B, frames)
    right = (rows - true).abs() <= 1
    because = "each column is one frame; its brightest row is the tone"
    if bool(((expected.shape[2] - 1 - rows - true).abs() <= 1).float().mean() > 0.9):
        because = "low pitches belong at the bottom: torch.stft gives the lowest pitch in row 0, so flip(1)"
    expect(
        bool(right.float().mean() > 0.95),
        tried="where the tone stands in each column",
        got=f"row {rows[0, 0]} in the first column, row {rows[0, -1]} in the last",
        expected=f"row {true[0, 0]} in the first column, row {true[0, -1]} in the last",
        because=because,
    )


@exercise.judge(one_sound, points=2)
def brightness_is_decibels(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loudest number is 1, one 60 decibels or more below it is 0, and between them decibels decide."""
    compare_pictures(case, result["picture"], "the picture of one sound")


@exercise.judge(loud_and_quiet, points=1)
def each_sound_by_itself(case: dict[str, Any], result: dict[str, Any]) -> None:
    """A quiet sound looks like a loud one: each is measured against its own loudest number."""
    compare_pictures(case, result["picture"], "four sounds, of which one is 150 times louder than another")


@exercise.judge(with_silence, points=1)
def silence_is_black(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Silence is a black picture, and spoils nothing beside it."""
    compare_pictures(case, result["picture"], "three sounds, of which one is silence")
