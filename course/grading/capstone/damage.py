"""Pictures as a bad camera or a bad line would give them: after ImageNet-C (Hendrycks and Dietterich 2019), for PIL."""

from __future__ import annotations

import io
import random

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter


def damaged(picture: Image.Image, rng: random.Random) -> Image.Image:
    """The RGB picture, damaged in one way and to a degree that `rng` draws."""
    return rng.choice((_noise, _blur, _fade, _coarse, _compress))(picture, rng)


def _noise(picture: Image.Image, rng: random.Random) -> Image.Image:
    values = np.asarray(picture, dtype=np.float64)
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, 255 * rng.uniform(0.08, 0.2), values.shape)
    return Image.fromarray((values + noise).clip(0, 255).round().astype(np.uint8))


def _blur(picture: Image.Image, rng: random.Random) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(min(picture.size) * rng.uniform(0.012, 0.03)))


def _fade(picture: Image.Image, rng: random.Random) -> Image.Image:
    faded = ImageEnhance.Contrast(picture).enhance(rng.uniform(0.25, 0.5))
    return ImageEnhance.Brightness(faded).enhance(rng.uniform(0.6, 1.2))


def _coarse(picture: Image.Image, rng: random.Random) -> Image.Image:
    width, height = (max(8, round(side / rng.uniform(2, 4))) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX).resize(picture.size, Image.Resampling.NEAREST)


def _compress(picture: Image.Image, rng: random.Random) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=rng.randint(4, 15))
    with Image.open(buffer) as compressed:
        return compressed.convert("RGB")
