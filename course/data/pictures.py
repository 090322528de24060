"""Pictures from files: any kind of picture becomes RGB, and a file that is none is named instead of crashing later."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch.utils.data import Dataset

from course.errors import BadLabels, BadPicture, DataError, EmptyData
from course.legible import one_line

# Files that computers put into folders by themselves; names that begin with a dot are ignored as well.
NOT_MEANT_AS_PICTURES = {"thumbs.db", "desktop.ini"}
SPLIT_NAMES = {"train", "training", "val", "valid", "validation", "test"}
# What Pillow raises for damaged files, depending on the format.
DECODING_ERRORS = (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error, Image.DecompressionBombError)


def open_picture(source: str | Path | BinaryIO) -> Image.Image:
    """The picture in a file as RGB, upright, whatever its kind.

    Transparent parts become white, 16-bit and floating-point greys are brought to 8 bits, CMYK and palettes are
    converted, the turn that a camera noted (EXIF) is applied; of an animation you get the first picture.
    Raises BadPicture for a file that is missing, cut off or no picture.
    """
    name = str(getattr(source, "name", "this file")) if hasattr(source, "read") else str(source)
    try:
        with Image.open(source) as picture:
            picture.load()
            ImageOps.exif_transpose(picture, in_place=True)
            return to_rgb(picture)
    except UnidentifiedImageError as error:
        raise BadPicture(f"{name} {describe_content(source)}; replace it or take it away") from error
    except FileNotFoundError as error:
        raise BadPicture(f"there is no file {name}; check the path (the current folder is {Path.cwd()})") from error
    except IsADirectoryError as error:
        raise BadPicture(f"{name} is a folder; give a picture file, or use PictureFolder for a folder") from error
    except PermissionError as error:
        raise BadPicture(f"{name} may not be read; check its permissions") from error
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise BadPicture(f"{name} is larger than {limit} megapixels, which may fill the memory; shrink it") from error
    except DECODING_ERRORS as error:
        raise BadPicture(f"{name} is damaged or cut off ({error}); copy or download it again") from error


def to_rgb(picture: Image.Image) -> Image.Image:
    """A picture of any mode as 8-bit RGB, transparent parts on white."""
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = to_eight_bits(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def to_eight_bits(picture: Image.Image) -> Image.Image:
    """A grey picture of more bits as 8-bit grey: 16-bit values / 257, floats in [0, 1] x 255, others stretched."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float64))
    low, high = float(values.min()), float(values.max())
    if picture.mode == "F":
        low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    elif low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    return Image.fromarray(((values - low) / max(high - low, 1e-12) * 255).round().astype(np.uint8))


def describe_content(source: str | Path | BinaryIO) -> str:
    """What a file that is no picture seems to be, from its first bytes."""
    if isinstance(source, (str, Path)):
        with open(source, "rb") as file:
            start = file.read(200)
    else:
        source.seek(0)
        start = source.read(200)
    if not start:
        return "is empty"
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page, not a picture (the download gave a page instead)"
    if start[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
        return "is a HEIC photo, which is not supported (save it as JPEG)"
    return "is not a picture"


class Pictures(Dataset):
    """`(picture, label)` pairs of picture files: what a folder and a table of one's own pictures share.

    A label is an index into `classes`. A picture is what `transform` makes of the RGB PIL picture, or without one a
    float tensor (3, height, width) in [0, 1]; pictures are read when asked for. `files` holds the files of each class
    in turn. Every one is tried at the start: unreadable ones are left out, listed in `skipped` as (path, reason), and
    named in one printed line. Raises DataError for fewer than two classes, EmptyData if one has no readable picture.
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
                f"{root} has the class {classes[0]} alone; a classifier tells two apart at least: add another class"
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
                    f"put one in or take the class away{reasons}"
                )
            self.paths += readable
            labels += [label] * len(readable)
        self.labels = check_labels(labels, len(classes))
        if self.skipped:
            names = ", ".join(one_line(self._name(path)) for path, _ in self.skipped[:5])
            more = f" and {len(self.skipped) - 5} more" if len(self.skipped) > 5 else ""
            print(f"left out {len(self.skipped)} unreadable: {names}{more} (.skipped has the reasons)")

    def _is_readable(self, path: Path) -> bool:
        """Whether the file is a whole picture; notes its content if so, and if not why."""
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
    """`(picture, label)` pairs from a folder of one folder a class: root/cat/1.jpg, root/dog/2.png.

    The classes are the folders' names in order. See `Pictures` for what is in a pair and for files that can't be read.
    Raises EmptyData if there is no class folder, or a class has no readable picture; DataError if there is one class
    alone, or the folders are splits (train, test) and not classes.
    """

    def __init__(self, root: str | Path, *, transform: Callable[[Image.Image], Any] | None = None) -> None:
        root = Path(root)
        classes = tuple(list_classes(root))
        super().__init__(root, classes, (list_pictures(root / name) for name in classes), transform)


def list_pictures(folder: Path) -> list[Path]:
    """The files under a class's folder that are meant as pictures, in order, whether they can be read or not."""
    return sorted(path for path in folder.rglob("*") if is_meant_as_picture(path, folder))


def list_classes(root: Path) -> list[str]:
    """The names of the folders in `root`, in order; EmptyData if there are none, DataError if they are splits."""
    if not root.is_dir():
        raise EmptyData(f"there is no folder {root}; check the path (the current folder is {Path.cwd()})")
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        raise EmptyData(f"{root} has no class folders; sort the pictures into one folder a class: {root / 'cat'}, ...")
    if {name.lower() for name in names} <= SPLIT_NAMES:
        raise DataError(
            f"the folders in {root} are splits ({', '.join(names)}), not classes; give one of them: {root / names[-1]}"
        )
    return names


def is_meant_as_picture(path: Path, folder: Path) -> bool:
    """False for folders and for what systems and notebooks leave behind (.DS_Store, Thumbs.db, ...)."""
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.name.lower() not in NOT_MEANT_AS_PICTURES and path.is_file()


def check_decodes(content: bytes) -> None:
    """Raises BadPicture unless the bytes are a whole picture. A JPEG is decoded at an eighth, which is faster."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.format == "JPEG" and picture.mode in ("L", "RGB"):
                picture.draft(picture.mode, (1, 1))
                picture.load()
                return
    except DECODING_ERRORS:
        pass  # open_picture fails as well, and says why
    open_picture(io.BytesIO(content))


def check_labels(labels: Iterable[int] | torch.Tensor | np.ndarray, num_classes: int) -> torch.Tensor:
    """The labels as an int64 tensor; raises BadLabels, naming them, if some are not whole numbers in [0, classes)."""
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
