"""Backgrounds for scenes: gradients, clouds, stripes, checks and blotches in colours drawn at random."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

GRAIN = 0.25  # of the fields' range, at most
SATURATION = 0.7


def background(rng: np.random.Generator, size: int) -> np.ndarray:
    """A background (size, size, 3) of uint8, drawn by `rng`."""
    kind = KINDS[rng.integers(len(KINDS))]
    field = kind(rng, size) + uniform(rng, 0, GRAIN) * rng.random((size, size), np.float32)
    low, high = float(field.min()), float(field.max())
    levels = ((field - low) * (255.99 / max(high - low, 1e-6))).astype(np.uint8)
    return palette(rng).take(levels, axis=0)  # (size, size) -> (size, size, 3)


def palette(rng: np.random.Generator) -> np.ndarray:
    """256 colours (256, 3) of uint8 that blend from one random colour through a second into a third."""
    stops = rng.uniform(15, 240, (3, 3))
    greys = stops.mean(1, keepdims=True)
    stops = greys + SATURATION * (stops - greys)
    colours = [np.interp(np.arange(256), (0, 128, 255), channel) for channel in stops.T]
    return np.stack(colours, axis=1).astype(np.uint8)


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A plain float, so that float32 arrays multiplied by it remain float32."""
    return float(rng.uniform(low, high))


def ramp(rng: np.random.Generator, size: int) -> np.ndarray:
    """Values (size, size) that rise in a direction drawn at random, from about -1 to 1."""
    angle = uniform(rng, 0, 2 * math.pi)
    positions = np.linspace(-1, 1, size, dtype=np.float32)
    return math.cos(angle) * positions + math.sin(angle) * positions[:, None]


def noise(rng: np.random.Generator, size: int, cells: int, resample: Image.Resampling) -> np.ndarray:
    """Random values (size, size) around 0, about `cells` bumps across."""
    coarse = Image.fromarray(rng.random((cells, cells), np.float32) - np.float32(0.5))
    return np.asarray(coarse.resize((size, size), resample))


def gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    """One colour blending into another, along a straight or bent line."""
    return ramp(rng, size) + uniform(rng, 0, 1) * noise(rng, size, 3, Image.Resampling.BICUBIC)


def clouds(rng: np.random.Generator, size: int) -> np.ndarray:
    """Large bumps with smaller ones on them."""
    large, small = int(rng.integers(3, 7)), int(rng.integers(12, 32))
    smooth = Image.Resampling.BICUBIC
    return noise(rng, size, large, smooth) + uniform(rng, 0.2, 0.7) * noise(rng, size, small, smooth)


def stripes(rng: np.random.Generator, size: int) -> np.ndarray:
    """Waves in one direction, bent by large bumps."""
    bend = uniform(rng, 0, 4) * noise(rng, size, 4, Image.Resampling.BICUBIC)
    return np.sin(uniform(rng, 4, 30) * ramp(rng, size) + bend)


def checks(rng: np.random.Generator, size: int) -> np.ndarray:
    """Waves in two directions, like woven cloth."""
    return np.sin(uniform(rng, 4, 25) * ramp(rng, size)) * np.sin(uniform(rng, 4, 25) * ramp(rng, size))


def blotches(rng: np.random.Generator, size: int) -> np.ndarray:
    """Blocks of one colour each, like tiles or coarse gravel."""
    return noise(rng, size, int(rng.integers(8, 40)), Image.Resampling.NEAREST)


KINDS = (gradient, clouds, stripes, checks, blotches)
