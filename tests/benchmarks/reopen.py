"""What looks broken in notebooks that were run, saved, closed and opened again in JupyterLab in headless Chromium."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from tests.benchmarks import Figure
from tests.notebook_rules import REPOSITORY

RUN_S = 900  # for all cells of a notebook


def measure(*numbers: str) -> Figure | None:
    """Error lines, empty boxes and pictures without alt text, over all notebooks or those whose numbers are given."""
    try:
        from tests.browser.jupyterlab import CHROMIUM, DRIVER, Notebook, browser, server
    except ImportError:
        CHROMIUM = None
    if not (CHROMIUM and DRIVER):
        print('reopen: not run; it needs chromium, chromium-driver and pip install "pretrained-course[test]"')
        return None
    paths = [
        path for path in sorted((REPOSITORY / "notebooks").glob("*.ipynb")) if not numbers or path.stem[:2] in numbers
    ]
    found: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        folder, home = Path(place, "notebooks"), Path(place, "home")
        folder.mkdir()
        home.mkdir()
        for path in paths:
            shutil.copy(path, folder)
        with server(folder, home) as address:
            for path in paths:
                started = time.monotonic()
                with browser() as driver:
                    page = Notebook(driver, address, path.name)
                    page.run_all(RUN_S)
                    page.save()
                seconds = time.monotonic() - started
                found += [
                    f"{path.stem}: not saved" for _ in range((folder / path.name).read_text() == path.read_text())
                ]
                print(f"reopen: {path.stem} ran in {seconds:.0f} s", flush=True)
        with server(folder, home) as address:
            for path in paths:
                with browser() as driver:
                    page = Notebook(driver, address, path.name)
                    found += [f"{path.stem}, {finding}" for finding in page.broken()]
                    silent = driver.execute_script(_PICTURES_WITHOUT_ALT)
                    found += [f"{path.stem}: {silent} pictures without alt text"] * (silent > 0)
    return Figure(
        len(found), "lines and boxes that look broken", "0", (*found, f"reopen: {len(paths)} notebooks reopened")
    )


# A layer over a picture that has alt text is decoration, which an empty alt text says.
_PICTURES_WITHOUT_ALT = """
return [...document.querySelectorAll('.jp-OutputArea img')].filter(image => !image.alt && !image.dataset.layer).length
"""
