"""Oxford-IIIT Pet: photographs of cats and dogs of 37 breeds, with trimaps that mark the pet's pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import Dataset

from course.data.annotations import check_mask
from course.data.emoji import check_size
from course.data.pet_files import AGAIN, read_listing
from course.data.picture_files import open_picture
from course.data.pictures import check_labels
from course.data.scenes import VOID, Scene, box_around
from course.errors import BadPicture, DataError

PET, BACKGROUND, BORDER = 1, 2, 3  # what a trimap's pixels mean


class Pets(Dataset):
    """Photographs of pets: `(picture, label)` pairs of one split, downloaded on first use (0.8 GB).

    A picture is the largest square from the middle of the photograph at `size` x `size` pixels, RGB: `transform` of
    that PIL picture, or without a transform a float tensor (3, size, size) in [0, 1]. A label is an index into
    `classes`. `per_class` draws that many photographs of each breed by `seed`; a smaller draw is part of a larger one
    with the same seed. Without it you get the whole split. Pictures are read when they are indexed.
    Raises UnknownName for another split, DataError if a breed has fewer pictures than asked for, NoNetwork,
    DownloadFailed, and BadPicture when a damaged picture is indexed.

    Dataset card
    ------------
    37 breeds, 12 of cats and 25 of dogs, about 100 photographs each in either split: 3,680 for training (the authors'
    trainval list), 3,669 for testing. Parkhi, Vedaldi, Zisserman and Jawahar, Cats and Dogs, CVPR 2012;
    https://www.robots.ox.ac.uk/~vgg/data/pets, CC BY-SA 4.0, photographs from Flickr and other sites.
    Most of these breeds are classes of ImageNet, on which the full profile's backbones were pretrained: a probe does
    well here, and the classes are not unseen. A pet that is not in the middle may be cut by the square.
    """

    def __init__(
        self,
        split: str,
        *,
        size: int = 224,
        per_class: int | None = None,
        seed: int = 0,
        transform: Callable[[Image.Image], Any] | None = None,
    ) -> None:
        listing = read_listing(split)
        self.split, self.size, self.transform = split, check_size(size), transform
        self.classes = tuple(listing.classes)
        labels = check_labels(listing.labels, len(self.classes))
        chosen = choose(listing.pictures, labels, self.classes, per_class, seed)
        self.paths = [listing.pictures[index] for index in chosen]
        self.labels = labels[chosen]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        picture = ImageOps.fit(open_picture(self.paths[index]), (self.size, self.size), Image.Resampling.BICUBIC)
        label = int(self.labels[index])
        if self.transform is not None:
            return self.transform(picture), label
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float() / 255, label  # -> (3, H, W)

    def __repr__(self) -> str:
        return f"Pets({self.split!r}, size={self.size}): {len(self)} pictures of {len(self.classes)} breeds"

    def counts(self) -> dict[str, int]:
        """Breed -> how many pictures of it there are."""
        return dict(zip(self.classes, torch.bincount(self.labels, minlength=len(self.classes)).tolist(), strict=True))

    @property
    def fingerprint(self) -> str:
        """A hash that changes with the pictures (by name and number of bytes), their size and the transform."""
        return fingerprint(self.paths, self.size, self.transform)


class PetScenes(Dataset):
    """Photographs of pets as scenes with one pet each: a `Scene`, or `transform` of it.

    The photograph fills a square of `size` pixels without being cut or distorted; the bars beside it are black. The
    mask comes from the trimap: 1 for a cat, 2 for a dog, 0 for the background, and VOID for the border
    between them, about ten pixels wide, and for the bars. The box is the smallest one around the pet's pixels.
    `count` scenes are drawn from the split by `seed`; without it you get all of them.
    Raises like `Pets`, and BadMask (a DataError) when a scene is indexed whose trimap does not fit its picture.
    """

    classes = ("cat", "dog")

    def __init__(
        self,
        split: str,
        *,
        count: int | None = None,
        size: int = 224,
        seed: int = 0,
        transform: Callable[[Scene], Any] | None = None,
    ) -> None:
        listing = read_listing(split)
        self.split, self.size, self.transform = split, check_size(size), transform
        total = len(listing.pictures)
        if count is not None and not 1 <= count <= total:
            raise DataError(
                f"count={count} is impossible: the {split} split has {total} pictures; ask for 1 to {total}"
            )
        chosen = in_seeded_order(range(total), listing.pictures, seed)[:count] if count else range(total)
        self._rows = [(listing.pictures[i], listing.trimaps[i], listing.species[i] + 1) for i in chosen]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Any:
        scene = read_scene(*self._rows[index], self.size)
        return scene if self.transform is None else self.transform(scene)

    def __repr__(self) -> str:
        return f"PetScenes({self.split!r}, size={self.size}): {len(self)} scenes"

    @property
    def fingerprint(self) -> str:
        """A hash that changes with the pictures (by name and number of bytes), their size and the transform."""
        return fingerprint([path for row in self._rows for path in row[:2]], self.size, self.transform)


def choose(
    pictures: list[Path], labels: torch.Tensor, classes: tuple[str, ...], per_class: int | None, seed: int
) -> list[int]:
    """Indices of the pictures to use: all of them, or `per_class` of each class, drawn by `seed`."""
    if per_class is None:
        return list(range(len(pictures)))
    counts = torch.bincount(labels, minlength=len(classes))
    smallest = int(counts.argmin())
    if not 1 <= per_class <= int(counts[smallest]):
        raise DataError(
            f"per_class={per_class} is impossible: the smallest class of this split ({classes[smallest]!r}) has "
            f"{int(counts[smallest])} pictures; ask for 1 to {int(counts[smallest])}"
        )
    rows = [torch.nonzero(labels == label).flatten().tolist() for label in range(len(classes))]
    return [index for row in rows for index in in_seeded_order(row, pictures, seed)[:per_class]]


def in_seeded_order(indices: Any, pictures: list[Path], seed: int) -> list[int]:
    """The indices in an order that depends on the seed and the pictures' names alone."""
    return sorted(indices, key=lambda index: hashlib.sha256(f"{seed} {pictures[index].stem}".encode()).hexdigest())


def read_scene(picture_path: Path, trimap_path: Path, label: int, size: int) -> Scene:
    """The scene of one photograph; raises BadPicture, BadMask if the trimap does not fit, DataError without a pet."""
    picture = open_picture(picture_path)
    try:
        with Image.open(trimap_path) as file:
            trimap = np.array(file)
    except OSError as error:
        raise BadPicture(f"{trimap_path} is missing, damaged or truncated ({error}); {AGAIN}") from error
    check_mask(trimap, picture.size, BORDER, name=str(trimap_path))
    meaning = np.full(256, VOID, np.uint8)
    meaning[[PET, BACKGROUND]] = label, 0
    mask = np.array(ImageOps.pad(Image.fromarray(meaning[trimap]), (size, size), Image.Resampling.NEAREST, color=VOID))
    if not (mask == label).any():
        raise DataError(f"{trimap_path} shows no pet at {size} pixels; take larger scenes, or {AGAIN}")
    box = torch.tensor([box_around(mask == label, 0, 0)], dtype=torch.float32)
    whole = ImageOps.pad(picture, (size, size), Image.Resampling.BICUBIC)
    return Scene(whole, mask, box, torch.tensor([label]))


def fingerprint(paths: list[Path], size: int, transform: Any) -> str:
    """A hash of the files' names and numbers of bytes, the size and the transform."""
    files = [(path.name, path.stat().st_size if path.exists() else None) for path in paths]
    return hashlib.sha256(json.dumps([files, size, repr(transform)]).encode()).hexdigest()
