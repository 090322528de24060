"""Scenes: pictures of several emoji on textured backgrounds, with the box and the mask of every visible object."""

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
from course.data.emoji import ASSET_SHA256, CLASSES, SPLITS, check_size, check_style, read_asset, render
from course.errors import DataError, UnknownName

VOID = 255  # the mask's value for pixels that count neither in training nor in measuring
RECIPE_VERSION = 1  # part of the fingerprint: raise it when the same (seed, index) gives another picture
OBJECTS_PER_SCENE = (2, 5)  # the fewest and the most that are tried
SIDES = (7, 9, 11, 13, 16)  # of an object, in 32nds of the scene's side
MIN_VISIBLE = 0.4  # of an object's own area; an object that would show less is left out
MAX_OVERHANG = 0.125  # how far an object may extend beyond the edge of the picture, relative to its side
MIN_ALPHA = 128  # a pixel belongs to an object if the object's alpha is at least this
ALL_OBJECTS = (0.0, 1.0)
CACHED_SIZE = 96  # pixels


class Scene(NamedTuple):
    """A picture and what is in it, numbered from 1 as in `classes`, whose entry for number k is classes[k - 1].

    `picture` is RGB. `mask` is (H, W) uint8: 0 where there is background, else the number of the class, 255 (VOID)
    where no class counts. `boxes` is (N, 4) float32: x1, y1, x2, y2 in pixels around the visible part of each object,
    x2 and y2 just past its last pixel. `labels` is (N,) int64, from 1.
    """

    picture: Image.Image
    mask: np.ndarray
    boxes: torch.Tensor
    labels: torch.Tensor


class Scenes(Dataset):
    """`count` scenes of one split: each a `Scene`, or `transform` of it.

    A scene depends on its index and on the arguments, `transform` excepted, and is composed again each time it is read.
    `sides` are the sides of objects in 32nds of the scene's side, `min_visible` is the share of its own area that an
    object must show, and `objects` is the part of each class's objects that is drawn, in an order that is fixed:
    (0, 0.8) and (0.8, 1) have none in common. Raises UnknownName for another split or style, DataError for an
    impossible size, count, seed, side or part.

    Dataset card
    ------------
    As drawn by default, two to five objects are tried per scene: a class with equal probability, an object of that
    class in that split, a style of `styles`, one of five sides from 7/32 to a half of the scene's, mirrored or not,
    anywhere, extending beyond the edge by up to an eighth of its side. Objects are placed from front to back, and one
    that would show less than two fifths of its own area is left out altogether, so that everything drawn is also
    labelled: on average about 3.3 objects per scene, at least one. The background is a gradient, clouds, stripes,
    checks or blotches in colours drawn at random, more or less grainy.

    Masks and boxes are exact by construction: a pixel belongs to the front-most object whose alpha is at least a
    half there, and the box surrounds an object's pixels. There are no void pixels. If an object is cut in two by
    another, one box holds both parts.

    Pictures and their split are Emoji's (see its card): no object of the test split is ever drawn in a scene of the
    training split, in any style. Backgrounds of the two splits come from the same recipe.

    Known oddities. Objects float: a whale may lie on a shoe, sizes mean nothing, there is no shadow and no
    perspective, so that context never helps, as it does in photographs. Colours of backgrounds can come close to those
    of an object. The smallest objects are 28 pixels wide in a scene of 128, and Unicode's classes are as they are
    (Emoji's card): food and tools are hard.
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
        sides: Sequence[int] = SIDES,
        min_visible: float = MIN_VISIBLE,
        objects: tuple[float, float] = ALL_OBJECTS,
        transform: Callable[[Scene], Any] | None = None,
    ) -> None:
        if split not in SPLITS:
            raise UnknownName.of("emoji split", split, SPLITS)
        if isinstance(styles, str) or not styles:
            raise DataError(f'styles={styles!r} is not a list of styles; give one or more, such as styles=("fluent",)')
        for style in styles:
            check_style(style)
        for name, value in (("count", count), ("seed", seed)):
            if not isinstance(value, int) or value < 0:
                raise DataError(f"{name}={value!r} is impossible; give a whole number from 0")
        if not sides or not all(1 <= side <= 32 for side in sides) or not 0 <= min_visible <= 1:
            raise DataError(f"sides={sides!r} must be 1 to 32, and min_visible={min_visible!r} 0 to 1")
        self.split, self.count, self.size, self.seed = split, count, check_size(size), seed
        self.styles, self.transform = tuple(styles), transform
        self.sides, self.min_visible, self.objects = tuple(sides), min_visible, objects
        self._codes = codes_by_class(split) if objects == ALL_OBJECTS else part_of(codes_by_class(split), *objects)

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
        parts = [
            ASSET_SHA256,
            RECIPE_VERSION,
            self.split,
            self.count,
            self.size,
            self.seed,
            self.styles,
            repr(self.transform),
        ]
        drawn = (self.sides, self.min_visible, self.objects)
        if drawn != (SIDES, MIN_VISIBLE, ALL_OBJECTS):
            parts.append(drawn)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _compose(self, rng: np.random.Generator) -> Scene:
        canvas = background(rng, self.size)
        mask = np.zeros((self.size, self.size), np.uint8)
        placed: list[PlacedSprite] = []  # front-most first
        boxes, labels = [], []
        for _ in range(rng.integers(OBJECTS_PER_SCENE[0], OBJECTS_PER_SCENE[1] + 1)):
            label = int(rng.integers(len(CLASSES))) + 1
            one = self._place_sprite(rng, self._codes[label - 1])
            visible = one.mask & (mask[one.rows, one.columns] == 0)
            if visible.sum() < self.min_visible * one.area:
                continue
            mask[one.rows, one.columns][visible] = label
            placed.append(one)
            boxes.append(box_around(visible, one.columns.start, one.rows.start))
            labels.append(label)
        for one in reversed(placed):
            one.paint(canvas)
        return Scene(Image.fromarray(canvas), mask, torch.tensor(boxes, dtype=torch.float32), torch.tensor(labels))

    def _place_sprite(self, rng: np.random.Generator, codes: Sequence[str]) -> PlacedSprite:
        """One of these objects, its position, style, side and direction drawn by `rng`."""
        code, style = pick(rng, codes), pick(rng, self.styles)
        side = max(2, self.size * pick(rng, self.sides) // 32)
        mirrored = bool(rng.integers(2))
        x, y = rng.uniform(-MAX_OVERHANG * side, self.size - (1 - MAX_OVERHANG) * side, 2).round().astype(int).tolist()
        return PlacedSprite.at(x, y, sprite(code, style, side, mirrored), self.size)


def pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    """One of the options, each with equal probability."""
    return options[int(rng.integers(len(options)))]


class Sprite(NamedTuple):
    """An object ready for alpha blending onto a canvas."""

    premultiplied: np.ndarray  # (side, side, 3) uint16: colour x alpha, and 127 to round
    transparency: np.ndarray  # (side, side, 1) uint16: 255 - alpha
    mask: np.ndarray  # (side, side) bool: the pixels that belong to the object
    area: int  # how many pixels these are


class PlacedSprite(NamedTuple):
    """The part of a sprite that is inside the picture, and its position."""

    rows: slice
    columns: slice
    premultiplied: np.ndarray
    transparency: np.ndarray
    mask: np.ndarray
    area: int  # of the whole sprite

    @classmethod
    def at(cls, x: int, y: int, sprite: Sprite, size: int) -> PlacedSprite:
        """The sprite with its upper left corner at (x, y) of a picture of `size` pixels, which it may exceed."""
        side = len(sprite.mask)
        left, right, top, bottom = max(x, 0), min(x + side, size), max(y, 0), min(y + side, size)
        part = (slice(top - y, bottom - y), slice(left - x, right - x))
        parts = (sprite.premultiplied[part], sprite.transparency[part], sprite.mask[part])
        return cls(slice(top, bottom), slice(left, right), *parts, sprite.area)

    def paint(self, canvas: np.ndarray) -> None:
        """Blend it onto the canvas (size, size, 3), in place."""
        under = canvas[self.rows, self.columns]
        under[:] = (under * self.transparency + self.premultiplied) // 255


@functools.lru_cache(maxsize=4096)  # one style at one size of scene, mirrored too: about 40 MB at 128 pixels
def sprite(code: str, style: str, side: int, mirrored: bool) -> Sprite:
    """The picture of a code point, `side` pixels wide. Cached: not to be changed."""
    picture = render_large(code, style) if side <= CACHED_SIZE else render(code, style, side)
    pixels = np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC), np.uint16)
    if mirrored:
        pixels = pixels[:, ::-1]
    alpha = pixels[..., 3:]  # (side, side, 1)
    mask = alpha[..., 0] >= MIN_ALPHA
    return Sprite(pixels[..., :3] * alpha + 127, 255 - alpha, mask, int(mask.sum()))


@functools.lru_cache(maxsize=1536)  # all three styles whole: 57 MB
def render_large(code: str, style: str) -> Image.Image:
    """The RGBA picture of a code point at CACHED_SIZE pixels, from which smaller ones are resized faster."""
    return render(code, style, CACHED_SIZE)


@functools.cache
def codes_by_class(split: str) -> list[list[str]]:
    """The code points of a split's objects, one list per class."""
    return [
        [row["code"] for row in read_asset()[0] if (row["class"], row["split"]) == (name, split)] for name in CLASSES
    ]


def part_of(codes: Sequence[Sequence[str]], begin: float, end: float) -> list[list[str]]:
    """From `begin` to `end`, fractions of their number, of each class's objects in an order drawn once and for all."""
    parts = []
    for of_class in codes:
        order = np.random.default_rng(len(of_class)).permutation(len(of_class))
        parts.append([of_class[i] for i in order[round(begin * len(order)) : round(end * len(order))]])
    if not 0 <= begin < end <= 1 or not all(parts):
        raise DataError(f"objects=({begin!r}, {end!r}) leaves a class without objects; give 0 <= begin < end <= 1")
    return parts


def box_around(visible: np.ndarray, x: int, y: int) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of the True pixels of a mask whose upper left corner is at (x, y)."""
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    return x + int(columns[0]), y + int(rows[0]), x + int(columns[-1]) + 1, y + int(rows[-1]) + 1
