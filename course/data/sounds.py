"""Sounds of eight kinds, synthesised from formulas: one second each, with noise, at a different pitch every time."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import torch
from torch.utils.data import Dataset

from course.errors import DataError, UnknownName

RATE = 8000  # samples per second, and the length of every sound
SPLITS = ("train", "test")

Draw = Callable[[float, float], float]  # a number drawn uniformly between the two


class Sounds(Dataset):
    """`(sound, label)` pairs: a sound is (8000,) of float32, one second at 8 kHz; a label is an index into `classes`.

    `per_class` sounds of each of eight kinds, drawn from `seed`; the two splits share no sound. A kind is a formula
    whose pitch, tempo, start and loudness are drawn, so no two sounds are equal sample by sample. White noise is added,
    of a third of the sound's strength up to the same strength. `signals` is (N, 8000), `labels` (N,).
    Raises UnknownName for another split, DataError if `per_class` is below 1.
    """

    def __init__(self, split: str, *, per_class: int = 5, seed: int = 0) -> None:
        if split not in SPLITS:
            raise UnknownName.of("split of the sounds", split, SPLITS)
        if per_class < 1:
            raise DataError(f"per_class={per_class} is impossible; ask for 1 sound of each kind or more")
        self.classes = CLASSES
        self.signals = torch.stack(
            [make_sound(kind, f"{split} {seed} {i}") for kind in KINDS for i in range(per_class)]
        )
        self.labels = torch.arange(len(CLASSES)).repeat_interleave(per_class)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.signals[index], int(self.labels[index])


def make_sound(kind: str, key: str) -> torch.Tensor:
    """One sound of a kind, (8000,): the same for the same `key`. Raises UnknownName for another kind."""
    if kind not in KINDS:
        raise UnknownName.of("kind of sound", kind, KINDS)
    digest = hashlib.sha256(f"{kind} {key}".encode()).digest()
    rng = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    def draw(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=rng).item()

    wave = KINDS[kind](torch.arange(RATE) / RATE, draw)
    silence = int(draw(0, 0.4) * RATE)  # before it starts
    wave = torch.cat([torch.zeros(silence), wave[: RATE - silence]])
    wave = wave / wave.std() * draw(0.3, 1)
    return wave + wave.std() * draw(0.3, 1) * torch.randn(RATE, generator=rng)


def _tone(pitch: torch.Tensor, start: float = 0.0) -> torch.Tensor:
    """A sine whose pitch, in hertz, is given for every sample; `start` is its phase in radians."""
    return torch.sin(2 * math.pi * pitch.double().cumsum(0) / RATE + start).float()


def _rising(time: torch.Tensor, draw: Draw) -> torch.Tensor:
    return _tone(draw(200, 700) * 2 ** (draw(0.7, 2) * time))


def _falling(time: torch.Tensor, draw: Draw) -> torch.Tensor:
    return _tone(draw(200, 700) * 2 ** (draw(0.7, 2) * (1 - time)))


def _trill(time: torch.Tensor, draw: Draw) -> torch.Tensor:
    pitch, step, rate = draw(300, 1800), draw(1.12, 1.35), draw(5, 11)
    return _tone(torch.where((time * rate) % 1 < 0.5, pitch, pitch * step))


def _siren(time: torch.Tensor, draw: Draw) -> torch.Tensor:
    pitch, octaves, rate, start = draw(400, 1600), draw(0.2, 0.5), draw(1.5, 4), draw(0, 2 * math.pi)
    return _tone(pitch * 2 ** (octaves * torch.sin(2 * math.pi * rate * time + start)))


def _tremolo(time: torch.Tensor, draw: Draw) -> torch.Tensor:
    pitch, rate = draw(300, 2200), draw(4, 10)
    return _tone(torch.full_like(time, pitch)) * (0.5 + 0.5 * torch.sin(2 * math.pi * rate * time))


def _organ(time: torch.Tensor, draw: Draw) -> torch.Tensor:
    pitch = draw(150, 450)
    pipes = [_tone(torch.full_like(time, pitch * k), draw(0, 2 * math.pi)) / k for k in range(1, 7)]
    return torch.stack(pipes).sum(0)


def _bell(time: torch.Tensor, draw: Draw) -> torch.Tensor:
    pitch, decay = draw(300, 700), draw(4, 9)
    partials = {1.0: 1.0, 2.76: 0.6, 5.4: 0.3}  # those of a struck bar, not multiples of the lowest
    tones = [strength * _tone(torch.full_like(time, pitch * ratio)) for ratio, strength in partials.items()]
    return torch.stack(tones).sum(0) * torch.exp(-decay * time)


def _knocks(time: torch.Tensor, draw: Draw) -> torch.Tensor:
    pitch, rate, decay = draw(200, 1500), draw(3, 8), draw(30, 80)
    since = (time * rate + draw(0, 1)) % 1 / rate  # seconds since the last knock
    return torch.sin(2 * math.pi * pitch * since) * torch.exp(-decay * since)


KINDS: dict[str, Callable[[torch.Tensor, Draw], torch.Tensor]] = {
    "rising": _rising,
    "falling": _falling,
    "trill": _trill,
    "siren": _siren,
    "tremolo": _tremolo,
    "organ": _organ,
    "bell": _bell,
    "knocks": _knocks,
}
CLASSES = tuple(KINDS)
