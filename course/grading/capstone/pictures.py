"""Hidden pictures: what is drawn of a folder, the same for everybody and in every gradebook.

A folder holds FOLDER/class/picture, or FOLDER/style/class/picture where styles are reported separately; a
`pictures.zip` in it may hold the same. Files of one name in several styles are the same object drawn twice: one of them
is used. `baseline.safetensors` beside them is the hand-in that others have to reach; it may hold the head alone, on the
bundled backbone.
"""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from course.errors import BadPicture, GradingError
from course.grading.capstone.damage import damaged
from course.grading.capstone.rules import DAMAGED, DRAWN

ARCHIVE, BASELINE = "pictures.zip", "baseline.safetensors"
SEED = "hidden pictures"  # of every draw: what is drawn depends on the pictures alone
SIDE = 256  # pixels to which the longer side of a larger picture is brought
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True)
class Picture:
    """One hidden picture: its class, its style (empty where there is but one), and a PNG file's bytes."""

    label: str
    style: str
    content: bytes


@dataclass(frozen=True)
class HiddenSet:
    """What hand-ins are shown, as plain data: `pictures` once, `spoiled` some of them damaged."""

    name: str
    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]
    spoiled: tuple[Picture, ...]
    baseline: bytes = b""

    @property
    def digest(self) -> str:
        """A hash that changes with everything in it."""
        parts = [self.name, *self.classes]
        parts += [part for one in (*self.pictures, *self.spoiled) for part in (one.label, one.style)]
        contents = [one.content for one in (*self.pictures, *self.spoiled)] + [self.baseline]
        hashes = [hashlib.sha256(content).hexdigest() for content in contents]
        return hashlib.sha256("\0".join([*parts, *hashes]).encode("utf-8", "backslashreplace")).hexdigest()

    def fits(self, classes: Sequence[str]) -> bool:
        """Whether a classifier with these class names can be asked for all of the set's."""
        return set(self.classes) <= set(classes)


def read_set(folder: Path, *, name: str = "") -> HiddenSet:
    """What is drawn of a folder: balanced over classes and styles, and which pictures are damaged, and how.

    It depends on the pictures alone, so the same hand-in earns the same in every gradebook.

    Raises GradingError for a folder without two classes of pictures, and for a file that is not a picture.
    """
    rng = random.Random(SEED)
    if (folder / ARCHIVE).is_file():
        with _archive(folder / ARCHIVE) as archive:
            pictures = _drawn(zipfile.Path(archive), folder, rng)
    else:
        pictures = _drawn(folder, folder, rng)
    chosen = sorted(rng.sample(range(len(pictures)), min(DAMAGED, len(pictures))))
    spoiled = [
        Picture(pictures[at][0].label, pictures[at][0].style, _png(damaged(pictures[at][1], rng))) for at in chosen
    ]
    classes = tuple(sorted({picture.label for picture, _ in pictures}))
    baseline = folder / BASELINE
    return HiddenSet(
        name or folder.name,
        classes,
        tuple(picture for picture, _ in pictures),
        tuple(spoiled),
        baseline.read_bytes() if baseline.is_file() else b"",
    )


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise GradingError(f"the hidden pictures in {path} cannot be read ({error}); copy the file again") from error


def _drawn(root: Any, folder: Path, rng: random.Random) -> list[tuple[Picture, Image.Image]]:
    """DRAWN pictures with their contents, class by class in turn."""
    by_class = _by_class(root)
    if len(by_class) < 2:
        raise GradingError(
            f"{folder} holds pictures of {len(by_class)} classes; a folder of hidden pictures has one folder a class, "
            "or style folders with these in them"
        )
    things: dict[str, list[str]] = {label: sorted(by_class[label]) for label in sorted(by_class)}
    for names in things.values():
        rng.shuffle(names)
    used: Counter[str] = Counter()
    found: list[tuple[Picture, Image.Image]] = []
    for turn in range(max(map(len, things.values()))):
        for label, names in things.items():
            if turn < len(names) and len(found) < DRAWN:
                styles = by_class[label][names[turn]]
                style = min(sorted(styles), key=lambda style: (used[style], rng.random()))
                used[style] += 1
                picture = _opened(styles[style])
                found.append((Picture(label, style, _png(picture)), picture))
    return found


def _by_class(root: Any) -> dict[str, dict[str, dict[str, Any]]]:
    """Class -> name of a thing -> style -> file."""
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for first in _folders(root):
        inner = list(_folders(first))
        for style, place in [(first.name, one) for one in inner] or [("", first)]:
            for file in sorted(place.iterdir(), key=lambda file: file.name):
                if file.name.lower().endswith(_ENDINGS) and not file.name.startswith("."):
                    found[place.name][Path(file.name).stem][style] = file
    return found


def _folders(root: Any) -> Iterator[Any]:
    return (entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))


def _opened(file: Any) -> Image.Image:
    from course.data.picture_files import open_picture

    try:
        picture = open_picture(io.BytesIO(file.read_bytes()))
    except (BadPicture, OSError) as error:
        raise GradingError(f"the hidden picture {file}: {str(error).replace('this file', 'it', 1)}") from error
    picture.thumbnail((SIDE, SIDE))
    return picture


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
