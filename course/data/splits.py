"""`split_pictures`: your own pictures as a training, a validation and a test set, however they are stored."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from course.data.held_out import LabelledSubset, hold_out
from course.data.picture_table import PictureTable
from course.data.pictures import SPLIT_NAMES, PictureFolder, Pictures
from course.errors import DataError, EmptyData

ROLES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
Transform = Callable[[Image.Image], Any]


class PictureSubset(LabelledSubset):
    """Some pictures of a `PictureFolder` or a `PictureTable`, with their `labels`, `classes` and `paths`."""

    def __init__(self, pictures: Pictures, indices: Sequence[int]) -> None:
        super().__init__(pictures, indices)
        self.paths: list[Path] = [pictures.paths[index] for index in self.indices]

    def with_transform(self, transform: Transform) -> PictureSubset:
        """The same pictures behind another transform, such as an augmentation; this subset keeps its own."""
        changed: Any = copy.copy(self.dataset)
        changed.transform = transform
        return PictureSubset(changed, self.indices)

    def subset(self, indices: Sequence[int]) -> PictureSubset:
        """Some of these pictures, by their position in this subset."""
        chosen: Any = self.dataset
        return PictureSubset(chosen, [self.indices[int(index)] for index in indices])

    def counts(self) -> dict[str, int]:
        """Class -> how many pictures of it there are."""
        names = self.classes or ()
        return dict(zip(names, torch.bincount(self.labels, minlength=len(names)).tolist(), strict=True))


@dataclass(frozen=True)
class Splits:
    """Three sets without a picture in two of them; `skipped` lists unreadable files as (path, reason)."""

    train: PictureSubset
    validation: PictureSubset
    test: PictureSubset
    skipped: list[tuple[Path, str]]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.train.classes or ())

    def __repr__(self) -> str:
        sizes = (f"{len(part)} {name}" for name, part in self.named().items())
        return f"{', '.join(sizes)} pictures; classes {', '.join(self.classes)}"

    def named(self) -> dict[str, PictureSubset]:
        """ "training", "validation" and "test" -> the pictures."""
        return {"training": self.train, "validation": self.validation, "test": self.test}


def split_pictures(
    source: str | Path, *, transform: Transform | None = None, share: float = 0.2, seed: int = 0
) -> Splits:
    """The pictures in `source` as `Splits`; nothing is written there.

    `source` is a folder with one folder per class; a folder with the folders `train` and `test` (or `val`), and
    `validation` if there are three; or a CSV table with the columns `path` and `label`. What the folders don't split is
    split by `seed`, class by class: `share` of all pictures for the test set, then `share` of the rest for the
    validation set. A single `val` beside `train` is held-out data like a test set, and is used as one.
    Raises DataError if a class has too few pictures to be in each set, or the sets don't have the same classes, and
    the errors of `PictureFolder` and `PictureTable`.
    """
    source = Path(source)
    folders = split_folders(source)
    if "train" in folders and len(folders) > 1:
        return _from_folders(folders, transform, share, seed)
    if folders and "train" not in folders:
        raise DataError(f"{source} holds {', '.join(folders)} and no train; add a folder train with the class folders")
    is_table = source.suffix.lower() == ".csv" or source.is_file()
    root = folders.get("train", source)
    whole = PictureTable(root, transform=transform) if is_table else PictureFolder(root, transform=transform)
    _check_counts(whole, 3, "a training, a validation and a test set")
    rest, test = hold_out(whole, share, seed=seed)
    train, validation = _split_again(whole, rest.indices, share, seed)
    return Splits(train, validation, PictureSubset(whole, test.indices), whole.skipped)


def split_folders(source: Path) -> dict[str, Path]:
    """ "train", "validation" and "test" -> their folders in `source`; empty unless all its folders are such."""
    if not source.is_dir():
        return {}
    inside = [path for path in sorted(source.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    if not inside or not {path.name.lower() for path in inside} <= SPLIT_NAMES:
        return {}
    return {ROLES[path.name.lower()]: path for path in inside}


def _from_folders(folders: dict[str, Path], transform: Transform | None, share: float, seed: int) -> Splits:
    whole = PictureFolder(folders["train"], transform=transform)
    held = {role: _in_classes_of(whole, path, transform) for role, path in folders.items() if role != "train"}
    skipped = [*whole.skipped, *(item for part in held.values() for item in part.skipped)]
    if len(held) == 2:
        train, validation, test = (
            PictureSubset(part, range(len(part))) for part in (whole, held["validation"], held["test"])
        )
        return Splits(train, validation, test, skipped)
    _check_counts(whole, 2, "a training and a validation set")
    train, validation = _split_again(whole, range(len(whole)), share, seed)
    (only,) = held.values()
    return Splits(train, validation, PictureSubset(only, range(len(only))), skipped)


def _split_again(
    whole: Pictures, indices: Sequence[int], share: float, seed: int
) -> tuple[PictureSubset, PictureSubset]:
    train, validation = hold_out(PictureSubset(whole, indices), share, seed=seed)
    return (
        PictureSubset(whole, [indices[i] for i in train.indices]),
        PictureSubset(whole, [indices[i] for i in validation.indices]),
    )


def _in_classes_of(whole: Pictures, folder: Path, transform: Transform | None) -> Pictures:
    """The pictures in `folder`, labelled by the classes of `whole`, some of which may be missing there."""
    held = PictureFolder(folder, transform=transform)
    unknown = sorted(set(held.classes) - set(whole.classes))
    if unknown:
        raise DataError(
            f"{folder} has classes that {whole.root} has not: {', '.join(unknown[:5])}; a model can't predict a class "
            "that it was not trained on: rename these folders, or add training pictures"
        )
    if not len(held):
        raise EmptyData(f"{folder} has no pictures")
    held.labels = torch.tensor([whole.classes.index(held.classes[int(label)]) for label in held.labels])
    held.classes = whole.classes
    return held


def _check_counts(pictures: Pictures, least: int, what: str) -> None:
    few = {name: count for name, count in pictures.counts().items() if count < least}
    if few:
        named = ", ".join(f"{name} ({count})" for name, count in list(few.items())[:5])
        raise DataError(
            f"{len(few)} classes have fewer than {least} pictures, too few for {what}: {named}; add pictures to them, "
            "merge classes, or leave these out"
        )
