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

from course.errors import BadLabels, BadPicture, EmptyData

# Files that computers put into folders by themselves; names that begin with a dot are ignored as well.
NOT_MEANT_AS_PICTURES = {"thumbs.db", "desktop.ini"}
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
            return to_rgb(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError as error:
        raise BadPicture(f"{name} {describe_content(source)}; replace it or take it away") from error
    except FileNotFoundError as error:
        raise BadPicture(f"there is no file {name}; check the path (the current folder is {Path.cwd()})") from error
    except IsADirectoryError as error:
        raise BadPicture(f"{name} is a folder; give a picture file, or use PictureFolder for a folder") from error
    except PermissionError as error:
        raise BadPicture(f"{name} may not be read; check its permissions") from error
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


class PictureFolder(Dataset):
    """`(picture, label)` pairs from a folder of one folder a class: root/cat/1.jpg, root/dog/2.png.

    A label is an index into `classes`, the folders' names in order. A picture is what `transform` makes of the RGB
    PIL picture, or without one a float tensor (3, height, width) in [0, 1]; pictures are read when asked for.
    Every file is tried at the start: unreadable ones are left out, listed in `skipped` as (path, reason), and named
    in one printed line. Raises EmptyData if there is no class folder, or a class has no readable picture.
    """

    def __init__(self, root: str | Path, *, transform: Callable[[Image.Image], Any] | None = None) -> None:
        self.root, self.transform = Path(root), transform
        self.classes = tuple(list_classes(self.root))
        self.paths: list[Path] = []
        self.skipped: list[tuple[Path, str]] = []
        labels: list[int] = []
        self._digest = hashlib.sha256()
        for label, name in enumerate(self.classes):
            readable = self._read_class(self.root / name)
            if not readable:
                reasons = "".join(f"; {reason}" for path, reason in self.skipped if name in path.parts)
                raise EmptyData(
                    f"the class folder {self.root / name} has no readable picture; "
                    f"put one in or take the folder away{reasons}"
                )
            self.paths += readable
            labels += [label] * len(readable)
        self.labels = check_labels(labels, len(self.classes))
        if self.skipped:
            names = ", ".join(str(path.relative_to(self.root)) for path, _ in self.skipped[:5])
            more = f" and {len(self.skipped) - 5} more" if len(self.skipped) > 5 else ""
            print(f"left out {len(self.skipped)} unreadable: {names}{more} (.skipped has the reasons)")

    def _read_class(self, folder: Path) -> list[Path]:
        """The readable pictures under a class's folder in order; the others go into `skipped`."""
        readable = []
        for path in sorted(path for path in folder.rglob("*") if is_meant_as_picture(path, folder)):
            try:
                content = path.read_bytes()
                check_decodes(content)
                readable.append(path)
                self._digest.update(f"{path.relative_to(self.root).as_posix()} {len(content)} ".encode() + content)
            except (BadPicture, OSError) as error:
                self.skipped.append((path, str(error).replace("this file", str(path), 1)))
        return readable

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        picture = open_picture(self.paths[index])
        label = int(self.labels[index])
        if self.transform is not None:
            return self.transform(picture), label
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float() / 255, label  # -> (3, H, W)

    def __repr__(self) -> str:
        return f"PictureFolder({str(self.root)!r}): {len(self)} pictures, classes {', '.join(self.classes)}"

    def counts(self) -> dict[str, int]:
        """Class -> how many readable pictures it has."""
        return dict(zip(self.classes, torch.bincount(self.labels, minlength=len(self.classes)).tolist(), strict=True))

    @property
    def fingerprint(self) -> str:
        """A hash that changes with the files' contents, the classes and the transform."""
        parts = [self._digest.hexdigest(), self.classes, repr(self.transform)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def list_classes(root: Path) -> list[str]:
    """The names of the folders in `root`, in order; raises EmptyData if there are none."""
    if not root.is_dir():
        raise EmptyData(f"there is no folder {root}; check the path (the current folder is {Path.cwd()})")
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        raise EmptyData(f"{root} has no class folders; sort the pictures into one folder a class: {root / 'cat'}, ...")
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
