"""Pictures that two data sets have in common: test pictures that leaked into training."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import Subset

from course.data.picture_files import open_picture


def find_duplicates(train: Any, test: Any) -> list[tuple[Any, Any]]:
    """(in train, in test) for every test picture whose pixels are also in `train`; warns of them in one printed line.

    A model's result on a picture that it was trained on says nothing about unseen ones. Files (of `PictureFolder`,
    `PictureTable`) are named by their paths and compared as decoded pixels, so another name, lossless format or EXIF
    comment hides nothing; samples of any other data set are named by their index, and compared as they are. A picture
    that was cropped or compressed again is not found.
    """
    known: dict[str, Any] = {}
    for name, digest in _digests(train):
        known.setdefault(digest, name)
    found = [(known[digest], name) for name, digest in _digests(test) if digest in known]
    if found:
        names = ", ".join(f"{test_name} (in training: {name})" for name, test_name in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        print(
            f"warning: {len(found)} of the {len(test)} test pictures are also in training: {names}{more}; remove them"
        )
    return found


def _digests(data: Any) -> Iterator[tuple[Any, str]]:
    """(name, hash of the pixels) of every picture."""
    if isinstance(data, Subset):
        inside = list(_digests(data.dataset))
        yield from (inside[int(index)] for index in data.indices)
        return
    paths = getattr(data, "paths", None)
    for index in range(len(data)):
        if paths is not None:
            name = paths[index].relative_to(data.root).as_posix() if paths[index].is_relative_to(data.root) else index
            yield name, _digest(np.asarray(open_picture(paths[index])))
        else:
            yield index, _digest(np.asarray(data[index][0]))


def _digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(
        f"{pixels.dtype} {pixels.shape} ".encode() + np.ascontiguousarray(pixels).tobytes()
    ).hexdigest()
