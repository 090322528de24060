"""The files of Oxford-IIIT Pet in torchvision's layout: found and checked, or downloaded; and what they list."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

from filelock import FileLock
from torchvision.datasets import OxfordIIITPet

from course.data import downloads
from course.data.emoji import SPLITS
from course.errors import DataError, UnknownName
from course.files import replacing_folder

FOLDER = "oxford-iiit-pet"  # torchvision's name
LISTS = {"train": "trainval", "test": "test"}  # our split -> the list of pictures in annotations/
SIZES = "sizes.json"  # written beside images/ and annotations/ when everything is unpacked: file -> bytes
AGAIN = "copy the folder again, or delete it and run: course fetch --only pets"


class Listing(OxfordIIITPet):
    """torchvision's reading of the annotations: pictures, trimaps, labels and species (0 cat, 1 dog) of a split."""

    @property
    def pictures(self) -> list[Path]:
        return self._images

    @property
    def trimaps(self) -> list[Path]:
        return self._segs

    @property
    def labels(self) -> list[int]:
        return self._labels

    @property
    def species(self) -> list[int]:
        return self._bin_labels


def read_listing(split: str) -> Listing:
    """What a split contains; the data set is downloaded if it is not there. Raises UnknownName for another split."""
    if split not in SPLITS:
        raise UnknownName.of("split of the pets", split, SPLITS)
    folder = pets_folder()
    try:
        listing = Listing(folder, LISTS[split])
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / FOLDER / 'annotations'} cannot be read ({error}); {AGAIN}") from error
    if not listing.pictures:
        raise DataError(f"{folder / FOLDER / 'annotations' / LISTS[split]}.txt names no picture; {AGAIN}")
    return listing


def pets_folder(*, fetch: bool = True) -> Path:
    """The folder that contains the complete data set under torchvision's name, downloaded if there is none.

    An incomplete copy is not used: one laid out by hand (COURSE_DATA) is reported in a printed line, and our own is
    downloaded again. With `fetch=False` FileNotFoundError is raised instead of downloading.
    """
    for folder in downloads.folders():
        wrong = problem(folder / FOLDER)
        if wrong is None:
            return folder
        if (folder / FOLDER).exists():
            print(f"{folder / FOLDER} is not used: {wrong}")
    if not fetch:
        raise FileNotFoundError(FOLDER)
    return fetch_pets()


def problem(folder: Path) -> str | None:
    """What is missing or truncated in this copy of the data set, or None if it is complete."""
    present: list[set[str]] = []
    for path in (folder / "images", folder / "annotations" / "trimaps"):
        if not path.is_dir():
            return f"there is no folder {path}"
        present.append(set(os.listdir(path)))
    images, trimaps = present
    for name in LISTS.values():
        try:
            lines = (folder / "annotations" / f"{name}.txt").read_text().splitlines()
        except OSError as error:
            return f"annotations/{name}.txt cannot be read ({error.strerror})"
        ids = [line.split()[0] for line in lines if line.strip()]
        for found, ending in ((images, "jpg"), (trimaps, "png")):
            if missing := [f"{stem}.{ending}" for stem in ids if f"{stem}.{ending}" not in found]:
                return f"{len(missing)} of the files listed in {name}.txt are missing: {', '.join(missing[:3])}"
    return _truncated(folder)


def _truncated(folder: Path) -> str | None:
    """Which of the files that we unpacked is no longer complete, or None."""
    try:
        sizes = json.loads((folder / SIZES).read_text())
    except FileNotFoundError:
        return None  # laid out by hand
    except (OSError, ValueError) as error:
        return f"{SIZES} cannot be read ({error})"
    for name, size in sizes.items():
        if not (folder / name).is_file() or (folder / name).stat().st_size != size:
            return f"{name} is missing or truncated"
    return None


def fetch_pets() -> Path:
    """Download, check (torchvision's addresses and md5s) and unpack the data set; returns `downloads.own_folder()`.

    The unpacked folder gets its name only when it is complete, and replaces a damaged copy.
    """
    own = downloads.own_folder()
    try:
        own.mkdir(parents=True, exist_ok=True)
        with FileLock(own / f"{FOLDER}.lock"):
            if problem(own / FOLDER) is None:  # another process was faster
                return own
            archives = own / "archives"
            published = OxfordIIITPet._RESOURCES
            _unpack([downloads.download(url, archives / Path(url).name, f"md5:{md5}") for url, md5 in published])
            shutil.rmtree(archives)
    except OSError as error:
        raise downloads.cannot_store(own / FOLDER, error) from error
    return own


def _unpack(archives: list[Path]) -> None:
    """Unpack into a folder that gets its final name, replacing a damaged copy, once everything is there."""
    with replacing_folder(downloads.own_folder() / FOLDER, alone=True) as folder:  # behind a lock
        for archive in archives:
            print(f"unpacking {archive.name}")
            with tarfile.open(archive) as file:
                file.extractall(folder, filter="data")
        files = [path for path in folder.rglob("*") if path.is_file()]
        sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
        (folder / SIZES).write_text(json.dumps(sizes))
