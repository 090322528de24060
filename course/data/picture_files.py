"""A picture in a file, whatever its kind, read as RGB; or the reason why it can't be read."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from course.errors import BadPicture

# What Pillow raises for damaged files, depending on the format.
DECODING_ERRORS = (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error, Image.DecompressionBombError)


def open_picture(source: str | Path | BinaryIO) -> Image.Image:
    """The picture in a file as RGB, upright, whatever its kind.

    Transparent parts become white, 16-bit and floating-point greys are converted to 8 bits, CMYK and palettes to RGB,
    the rotation that a camera recorded (EXIF) is applied; of an animation you get the first picture.
    Raises BadPicture for a file that is missing, truncated or not a picture.
    """
    name = str(getattr(source, "name", "this file")) if hasattr(source, "read") else str(source)
    try:
        with Image.open(source) as picture:
            picture.load()
            ImageOps.exif_transpose(picture, in_place=True)
            return to_rgb(picture)
    except UnidentifiedImageError as error:
        raise BadPicture(f"{name} {describe_content(source)}; replace or delete it") from error
    except FileNotFoundError as error:
        raise BadPicture(f"there is no file {name}; check the path (the current folder is {Path.cwd()})") from error
    except IsADirectoryError as error:
        raise BadPicture(f"{name} is a folder; give a picture file, or use PictureFolder for a folder") from error
    except PermissionError as error:
        raise BadPicture(f"you have no permission to read {name}; check its permissions") from error
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise BadPicture(
            f"{name} is larger than {limit} megapixels, which may fill the memory; make it smaller"
        ) from error
    except DECODING_ERRORS as error:
        raise BadPicture(f"{name} is damaged or truncated ({error}); copy or download it again") from error


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
    """A grey picture of more bits as 8-bit grey: 16-bit values / 257, floats in [0, 1] x 255, others rescaled."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float64))
    low, high = float(values.min()), float(values.max())
    if picture.mode == "F":
        low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    elif low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    return Image.fromarray(((values - low) / max(high - low, 1e-12) * 255).round().astype(np.uint8))


def describe_content(source: str | Path | BinaryIO) -> str:
    """What a file that is not a picture seems to be, from its first bytes."""
    if isinstance(source, (str, Path)):
        with open(source, "rb") as file:
            start = file.read(200)
    else:
        source.seek(0)
        start = source.read(200)
    if not start:
        return "is empty"
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page, not a picture (the server sent a page instead)"
    if start[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
        return "is a HEIC photo, which is not supported (save it as JPEG)"
    return "is not a picture"


def check_decodes(content: bytes) -> None:
    """Raises BadPicture unless the bytes are a complete picture. A JPEG is decoded at an eighth of its size: faster."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.format == "JPEG" and picture.mode in ("L", "RGB"):
                picture.draft(picture.mode, (1, 1))
                picture.load()
                return
    except DECODING_ERRORS:
        pass  # open_picture fails as well, and gives the reason
    open_picture(io.BytesIO(content))
