"""Two photographs that come with scikit-learn: a palace in China and a flower."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from course.errors import DataError

FILES = ("china.jpg", "flower.jpg")


def sample_photographs() -> list[Image.Image]:
    """The palace and the flower, as RGB pictures of 640 x 427 pixels.

    They are the pictures of `sklearn.datasets.load_sample_images`, read without importing scikit-learn, which takes a
    second or two. Raises DataError if scikit-learn or its pictures are not installed.
    """
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise DataError("the photographs come with scikit-learn, which is missing: python -m pip install scikit-learn")
    folder = Path(found.origin).parent / "datasets" / "images"
    pictures = []
    for name in FILES:
        try:
            with Image.open(folder / name) as picture:
                pictures.append(picture.convert("RGB"))
        except OSError as error:
            raise DataError(f"scikit-learn's photograph {folder / name} can't be read: {error}") from error
    return pictures
