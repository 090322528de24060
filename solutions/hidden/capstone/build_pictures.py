"""Build pictures.zip, the capstone's hidden emoji, from two npm packages; the same bytes from the same rasteriser.

    python -m pip install resvg_py==0.5.0    # draws SVG; nothing else in the course needs it
    python solutions/hidden/capstone/build_pictures.py                    # npm pack fetches the pinned packages
    python solutions/hidden/capstone/build_pictures.py OPENMOJI FLAT      # or: two packages already unpacked

The things of the test split of `course.data.emoji`, drawn by two hands that a class's release has nothing of: OpenMoji
(outlines; CC BY-SA 4.0) and Fluent Flat (flat shapes; MIT), 96 x 96 on the plain grey that is the same in every style.
The zip holds style/class/thing.png, as a folder for `--capstone-pictures` would.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import resvg_py
from PIL import Image

from course.data.assets.build_emoji import fetch_packages
from course.data.emoji import BACKGROUND, read_asset

PACKAGES = ("openmoji@17.0.0", "@iconify-json/fluent-emoji-flat@1.2.6")
SIZE = 96


def main(folders: list[str]) -> None:
    """Write pictures.zip beside this file and print how many pictures each style has."""
    with tempfile.TemporaryDirectory() as scratch:
        openmoji, flat = [Path(folder) for folder in folders] or fetch_packages(PACKAGES, Path(scratch))
        drawings = {"openmoji": of_openmoji(openmoji), "flat": of_iconify(flat)}
    files = {}
    for row in read_asset()[0]:
        for style, svgs in drawings.items():
            if row["split"] == "test" and row["code"] in svgs:
                files[f"{style}/{row['class']}/{row['code']}.png"] = drawn(svgs[row["code"]])
    target = Path(__file__).with_name("pictures.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), files[name])
    print(Counter(name.split("/")[0] for name in files), f"{target.stat().st_size:,} bytes")


def of_openmoji(package: Path) -> dict[str, str]:
    """Code point -> SVG."""
    paths = sorted((package / "color" / "svg").iterdir())
    return {plain_code(path.stem): path.read_text(encoding="utf-8") for path in paths}


def of_iconify(package: Path) -> dict[str, str]:
    """Code point -> SVG, from an icon set of Iconify."""
    icons = json.loads((package / "icons.json").read_text(encoding="utf-8"))
    names = json.loads((package / "chars.json").read_text(encoding="utf-8"))
    found = {}
    for code, name in names.items():
        name = icons.get("aliases", {}).get(name, {}).get("parent", name)
        if name in icons["icons"]:
            icon = icons["icons"][name]
            box = f"0 0 {icon.get('width', icons['width'])} {icon.get('height', icons['height'])}"
            found[plain_code(code)] = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{icon["body"]}</svg>'
    return found


def plain_code(code: str) -> str:
    """The code point in lower case, without the variation selector that only some packages write."""
    return code.lower().replace("-fe0f", "")


def drawn(svg: str) -> bytes:
    """A PNG of SIZE pixels on the plain grey."""
    content = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIZE, height=SIZE))
    with Image.open(io.BytesIO(content)) as opened:
        picture = opened.convert("RGBA")
    background = Image.new("RGBA", (SIZE, SIZE), (*BACKGROUND, 255))
    background.paste(picture, ((SIZE - picture.width) // 2, (SIZE - picture.height) // 2), picture)
    buffer = io.BytesIO()
    background.convert("RGB").save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])
