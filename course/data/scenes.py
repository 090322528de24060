"""Scenes: pictures of several emoji on textured backgrounds, with the box and the mask of everything visible."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from course.data.backgrounds import background
from course.data.emoji import ASSET_SHA256, CLASSES, SPLITS, check_size, check_style, draw, read_asset
from course.errors import DataError, UnknownName

VOID = 255  # the mask's value for pixels that count neither in training nor in measuring
RECIPE = 1  # part of the fingerprint: raise it when the same (seed, index) gives another picture
THINGS = (2, 5)  # fewest and most things tried in a scene
SIDES = (7, 9, 11, 13, 16)  # a thing's side, in 32nds of the scene's
LEAST_VISIBLE = 0.4  # of a thing's own area; what would show less is left out
OVERHANG = 0.125  # how much of its side a thing may reach over the edge of the picture
OPAQUE = 128  # a pixel belongs to a thing if the thing's alpha is at least this
LARGE = 96  # pixels


class Scene(NamedTuple):
    """A picture and what is in it, numbered from 1 as in `classes`, whose entry for number k is classes[k - 1].

    `picture` is RGB. `mask` is (H, W) uint8: 0 where there is background, else the number of the class, 255 (VOID)
    where no class counts. `boxes` is (N, 4) float32: x1, y1, x2, y2 in pixels of what is visible of each thing, x2
    and y2 just past its last pixel. `labels` is (N,) int64, from 1.
    """

    picture: Image.Image
    mask: np.ndarray
    boxes: torch.Tensor
    labels: torch.Tensor


class Scenes(Dataset):
    """`count` scenes of one split: each a `Scene`, or what `transform` makes of it.

    A scene depends on `split`, `size`, `seed`, `styles` and its index alone, and is made anew each time it is asked
    for. Raises UnknownName for another split or style, DataError for an impossible size, count or seed.

    Dataset card
    ------------
    Two to five things are tried a scene: a class by equal chance, a thing of that class in that split, a style
    of `styles`, one of five sides from 7/32 to a half of the scene's, mirrored or not, anywhere, reaching over the
    edge by up to an eighth of its side. Things are laid from front to back, and one that would show less than two
    fifths of its own area is left out altogether, so that whatever is drawn is also labelled: on average about 3.3
    things a scene, at least one. The background is a gradient, clouds, stripes, checks or blotches in colours drawn
    at random, more or less grainy.

    Masks and boxes are exact by construction: a pixel belongs to the front-most thing whose alpha is at least a
    half there, and the box is that of a thing's pixels. There are no void pixels. Where a thing is cut in two by
    another, one box holds both parts.

    Pictures and their split are Emoji's (see its card): no thing of the test split is ever drawn in a scene of the
    training split, in any style. Backgrounds of the two splits come from the same recipe.

    Known oddities. Things float: a whale may lie on a shoe, sizes say nothing, there is no shadow and no
    perspective, so that context never helps, as it does in photographs. Colours of backgrounds can come close to those
    of a thing. The smallest things are 28 pixels wide in a scene of 128, and Unicode's classes are as they are (Emoji's
    card): food and tools are hard.
    """

    classes = CLASSES

    def __init__(
        self,
        split: str,
        count: int,
        *,
        size: int = 128,
        seed: int = 0,
        styles: Sequence[str] = ("fluent",),
        transform: Callable[[Scene], Any] | None = None,
    ) -> None:
        if split not in SPLITS:
            raise UnknownName.of("emoji split", split, SPLITS)
        if isinstance(styles, str) or not styles:
            raise DataError(f'styles={styles!r} is no list of styles; give one or several, such as styles=("fluent",)')
        for style in styles:
            check_style(style)
        for name, value in (("count", count), ("seed", seed)):
            if not isinstance(value, int) or value < 0:
                raise DataError(f"{name}={value!r} is impossible; give a whole number from 0")
        self.split, self.count, self.size, self.seed = split, count, check_size(size), seed
        self.styles, self.transform = tuple(styles), transform
        self._codes = codes_by_class(split)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        if not -self.count <= index < self.count:
            raise IndexError(f"there is no scene {index}; there are {self.count}")
        scene = self._compose(np.random.default_rng((self.seed, SPLITS.index(self.split), index % self.count)))
        return scene if self.transform is None else self.transform(scene)

    def __repr__(self) -> str:
        return f"Scenes({self.split!r}, {self.count}, size={self.size}, seed={self.seed}, styles={self.styles})"

    @property
    def fingerprint(self) -> str:
        """A hash that changes with the scenes and the transform."""
        parts = [ASSET_SHA256, RECIPE, self.split, self.count, self.size, self.seed, self.styles, repr(self.transform)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _compose(self, rng: np.random.Generator) -> Scene:
        canvas = background(rng, self.size)
        mask = np.zeros((self.size, self.size), np.uint8)
        laid: list[Laid] = []  # front-most first
        boxes, labels = [], []
        for _ in range(rng.integers(THINGS[0], THINGS[1] + 1)):
            label = int(rng.integers(len(CLASSES))) + 1
            thing = self._lay(rng, self._codes[label - 1])
            visible = thing.covers & (mask[thing.rows, thing.columns] == 0)
            if visible.sum() < LEAST_VISIBLE * thing.area:
                continue
            mask[thing.rows, thing.columns][visible] = label
            laid.append(thing)
            boxes.append(box_around(visible, thing.columns.start, thing.rows.start))
            labels.append(label)
        for thing in reversed(laid):
            thing.paint(canvas)
        return Scene(Image.fromarray(canvas), mask, torch.tensor(boxes, dtype=torch.float32), torch.tensor(labels))

    def _lay(self, rng: np.random.Generator, codes: Sequence[str]) -> Laid:
        """One of these things at a place in the picture, in a style, a side and a direction drawn by `rng`."""
        code, style = pick(rng, codes), pick(rng, self.styles)
        side = max(2, self.size * pick(rng, SIDES) // 32)
        mirrored = bool(rng.integers(2))
        x, y = rng.uniform(-OVERHANG * side, self.size - (1 - OVERHANG) * side, 2).round().astype(int).tolist()
        return Laid.at(x, y, sprite(code, style, side, mirrored), self.size)


def pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    """One of them, each by equal chance."""
    return options[int(rng.integers(len(options)))]


class Sprite(NamedTuple):
    """A thing ready to be laid on a canvas, (side, side): what it adds, what it lets through, what it covers."""

    adds: np.ndarray  # (side, side, 3) uint16: colour x alpha, and 127 to round
    lets_through: np.ndarray  # (side, side, 1) uint16: 255 - alpha
    covers: np.ndarray  # (side, side) bool
    area: int  # how many pixels it covers


class Laid(NamedTuple):
    """The part of a sprite that lies in the picture, and where."""

    rows: slice
    columns: slice
    adds: np.ndarray
    lets_through: np.ndarray
    covers: np.ndarray
    area: int  # of the whole thing

    @classmethod
    def at(cls, x: int, y: int, sprite: Sprite, size: int) -> Laid:
        """The sprite with its upper left corner at (x, y) of a picture of `size` pixels, which it may overhang."""
        side = len(sprite.covers)
        left, right, top, bottom = max(x, 0), min(x + side, size), max(y, 0), min(y + side, size)
        part = (slice(top - y, bottom - y), slice(left - x, right - x))
        parts = (sprite.adds[part], sprite.lets_through[part], sprite.covers[part])
        return cls(slice(top, bottom), slice(left, right), *parts, sprite.area)

    def paint(self, canvas: np.ndarray) -> None:
        """Blend it over what is on the canvas (size, size, 3), in place."""
        under = canvas[self.rows, self.columns]
        under[:] = (under * self.lets_through + self.adds) // 255


@functools.lru_cache(maxsize=4096)  # one style at one size of scene, mirrored too: about 40 MB at 128 pixels
def sprite(code: str, style: str, side: int, mirrored: bool) -> Sprite:
    """The picture of a code point, `side` pixels wide. Shared: not to be changed."""
    picture = drawn_large(code, style) if side <= LARGE else draw(code, style, side)
    pixels = np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC), np.uint16)
    if mirrored:
        pixels = pixels[:, ::-1]
    alpha = pixels[..., 3:]  # (side, side, 1)
    covers = alpha[..., 0] >= OPAQUE
    return Sprite(pixels[..., :3] * alpha + 127, 255 - alpha, covers, int(covers.sum()))


@functools.lru_cache(maxsize=1536)  # all three styles whole: 57 MB
def drawn_large(code: str, style: str) -> Image.Image:
    """The RGBA picture of a code point at `LARGE` pixels, from which the smaller ones are made faster."""
    return draw(code, style, LARGE)


@functools.cache
def codes_by_class(split: str) -> list[list[str]]:
    """Class by class, the code points of a split's things."""
    return [
        [row["code"] for row in read_asset()[0] if (row["class"], row["split"]) == (name, split)] for name in CLASSES
    ]


def box_around(visible: np.ndarray, x: int, y: int) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of the True pixels of a mask whose upper left corner is at (x, y)."""
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    return x + int(columns[0]), y + int(rows[0]), x + int(columns[-1]) + 1, y + int(rows[-1]) + 1
