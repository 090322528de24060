"""The README's pictures: a verdict rendered in headless Chromium, and a figure taken from a notebook.

`python .github/images/make.py` from the repository's root; needs Debian's chromium.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from PIL import Image, ImageChops

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# picture -> (notebook, id of the cell, which of its pictures)
FIGURES = {
    "stamp.png": ("10_question_the_model", "grad-cam", 0),
}


def main() -> None:
    for name, (notebook, cell_id, number) in FIGURES.items():
        (HERE / name).write_bytes(figure(notebook, cell_id, number))
    verdict(HERE / "check.png")


def figure(notebook: str, cell_id: str, number: int) -> bytes:
    """The bytes of a picture stored in a notebook."""
    nb = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4)
    (cell,) = [cell for cell in nb.cells if cell.id == cell_id]
    pictures = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return base64.b64decode(pictures[number])


def verdict(target: Path) -> None:
    """The card that a learner gets for a wrong `set_train`, as the browser shows it."""
    sys.path.insert(0, str(ROOT))
    from course.judging.card import as_html
    from course.judging.exercise import find_exercise
    from course.judging.runner import LocalRunner
    from course.judging.verdict import judge
    from tests.wrong.nb02_freeze_the_backbone import eval_then_train

    exercise = find_exercise("02-set-train-mode")
    card = as_html(judge(exercise, LocalRunner({exercise.answer: eval_then_train})))
    page = f'<meta charset="utf-8"><body style="font-family: sans-serif; background: white; margin: 12px">{card}'
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        raise SystemExit("no chromium found; apt-get install chromium, then run this again")
    with tempfile.TemporaryDirectory() as folder:
        source, shot = Path(folder, "card.html"), Path(folder, "card.png")
        source.write_text(page, encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=900,600", "--hide-scrollbars"]
        options += ["--force-device-scale-factor=2", f"--user-data-dir={folder}/profile", f"--screenshot={shot}"]
        subprocess.run([browser, *options, source.as_uri()], check=True, capture_output=True)
        with Image.open(shot) as picture:
            trimmed(picture.convert("RGB")).save(target, optimize=True)


def trimmed(picture: Image.Image) -> Image.Image:
    """The picture without the empty paper below and beside it."""
    box = ImageChops.difference(picture, Image.new("RGB", picture.size, "white")).getbbox()
    left, top, right, bottom = box or (0, 0, *picture.size)
    return picture.crop((max(0, left - 16), max(0, top - 16), right + 16, bottom + 16))


if __name__ == "__main__":
    main()
