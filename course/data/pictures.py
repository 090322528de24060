"""Data sets of your own pictures: one folder per class. Files that can't be read are reported, and left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from course.data.picture_files import check_decodes, open_picture
from course.errors import BadLabels, BadPicture, DataError, EmptyData
from course.legible import one_line

# Files that operating systems add to folders; names that begin with a dot are ignored as well.
NOT_MEANT_AS_PICTURES = {"thumbs.db", "desktop.ini"}
SPLIT_NAMES = {"train", "training", "val", "valid", "validation", "test"}


class Pictures(Dataset):
    """`(picture, label)` pairs from picture files: the base of PictureFolder and PictureTable.

    A label is an index into `classes`. A picture is `transform` of the RGB PIL picture, or without a transform a float
    tensor (3, height, width) in [0, 1]; pictures are read when they are indexed. `files` holds a list of files for each
    class. Each file is tried at the start: unreadable ones are left out, listed in `skipped` as (path, reason), and
    reported in one printed line. Raises DataError for fewer than two classes, EmptyData if one has no readable picture.
    """

    def __init__(
        self,
        root: Path,
        classes: tuple[str, ...],
        files: Iterable[list[Path]],
        transform: Callable[[Image.Image], Any] | None,
    ) -> None:
        if len(classes) < 2:
            raise DataError(
                f"{root} has only the class {classes[0]}; a classifier needs at least two: add another class"
            )
        self.root, self.classes, self.transform = root, classes, transform
        self.paths: list[Path] = []
        self.skipped: list[tuple[Path, str]] = []
        labels: list[int] = []
        self._digest = hashlib.sha256()
        for label, paths in enumerate(files):
            before = len(self.skipped)
            readable = [path for path in paths if self._is_readable(path)]
            if not readable:
                reasons = "".join(f"; {reason}" for _, reason in self.skipped[before:])
                raise EmptyData(
                    f"the class {classes[label]} in {root} has no readable picture; "
                    f"add one or delete the class{reasons}"
                )
            self.paths += readable
            labels += [label] * len(readable)
        self.labels = check_labels(labels, len(classes))
        if self.skipped:
            names = ", ".join(one_line(self._name(path)) for path, _ in self.skipped[:5])
            more = f" and {len(self.skipped) - 5} more" if len(self.skipped) > 5 else ""
            print(f"left out {len(self.skipped)} unreadable: {names}{more} (.skipped has the reasons)")

    def _is_readable(self, path: Path) -> bool:
        """Whether the file can be decoded; adds it to the fingerprint if so, and the reason to `skipped` if not."""
        try:
            content = path.read_bytes()
            check_decodes(content)
        except (BadPicture, OSError) as error:
            self.skipped.append((path, str(error).replace("this file", str(path), 1)))
            return False
        self._digest.update(f"{self._name(path)} {len(content)} ".encode() + content)
        return True

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        picture = open_picture(self.paths[index])
        label = int(self.labels[index])
        if self.transform is not None:
            return self.transform(picture), label
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float() / 255, label  # -> (3, H, W)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r}): {len(self)} pictures, classes {', '.join(self.classes)}"

    def counts(self) -> dict[str, int]:
        """Class -> how many readable pictures it has."""
        return dict(zip(self.classes, torch.bincount(self.labels, minlength=len(self.classes)).tolist(), strict=True))

    @property
    def fingerprint(self) -> str:
        """A hash that changes with the files' contents, the classes and the transform."""
        parts = [self._digest.hexdigest(), self.labels.tolist(), self.classes, repr(self.transform)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class PictureFolder(Pictures):
    """`(picture, label)` pairs from a folder with one folder per class: root/cat/1.jpg, root/dog/2.png.

    The classes are the folders' names in alphabetical order. See `Pictures` for the content of a pair and for files
    that can't be read. Raises EmptyData if there is no class folder, or a class has no readable picture; DataError if
    there is only one class, or the folders are splits (train, test) and not classes.
    """

    def __init__(self, root: str | Path, *, transform: Callable[[Image.Image], Any] | None = None) -> None:
        root = Path(root)
        classes = tuple(list_classes(root))
        super().__init__(root, classes, (list_pictures(root / name) for name in classes), transform)


def write_pictures(data: Iterable[tuple[Image.Image, int]], classes: Sequence[str], folder: str | Path) -> Path:
    """The folder, with each picture of `data`, (PIL picture, label) pairs, as the file folder/class/0000.png."""
    folder = Path(folder)
    for number, (picture, label) in enumerate(data):
        path = folder / classes[label] / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    return folder


def list_pictures(folder: Path) -> list[Path]:
    """The files under a class's folder that should be pictures, in order, whether they can be read or not."""
    return sorted(path for path in folder.rglob("*") if is_meant_as_picture(path, folder))


def list_classes(root: Path) -> list[str]:
    """The names of the folders in `root`, in order; EmptyData if there are none, DataError if they are splits."""
    if not root.is_dir():
        raise EmptyData(f"there is no folder {root}; check the path (the current folder is {Path.cwd()})")
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        raise EmptyData(
            f"{root} has no class folders; sort the pictures into one folder per class: {root / 'cat'}, ..."
        )
    if {name.lower() for name in names} <= SPLIT_NAMES:
        raise DataError(
            f"the folders in {root} are splits ({', '.join(names)}), not classes; give one of them: {root / names[-1]}"
        )
    return names


def is_meant_as_picture(path: Path, folder: Path) -> bool:
    """False for folders and for files that systems and notebooks leave behind (.DS_Store, Thumbs.db, ...)."""
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.name.lower() not in NOT_MEANT_AS_PICTURES and path.is_file()


def check_labels(labels: Iterable[int] | torch.Tensor | np.ndarray, num_classes: int) -> torch.Tensor:
    """The labels as an int64 tensor; raises BadLabels if some of them are not whole numbers in [0, num_classes)."""
    values = torch.as_tensor(labels if isinstance(labels, (torch.Tensor, np.ndarray)) else list(labels))
    if values.is_floating_point() and values.numel() and not bool((values == values.round()).all()):
        bad = values[values != values.round()]
    else:
        bad = values[(values < 0) | (values >= num_classes)]
    if bad.numel():
        found = ", ".join(f"{value:g}" for value in sorted(set(bad.flatten().tolist()))[:8])
        raise BadLabels(
            f"{bad.numel()} of {values.numel()} labels are not whole numbers from 0 to {num_classes - 1}: {found}; "
            f"number the {num_classes} classes from 0, or build the head with more classes"
        )
    return values.to(torch.int64)
