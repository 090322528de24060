"""Seconds from `course lab 00` to the first picture of chapter 00 on the screen, in headless Chromium.

Needs Chromium with its driver (Debian: chromium, chromium-driver) and selenium, and a free home folder, which it makes.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import Figure

ROOT = Path(__file__).resolve().parents[2]
BAR_S, LIMIT_S = 30, 300
_PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
_PICTURE = f"{_PANEL} .jp-OutputArea-output img"


def measure() -> Figure | None:
    """The seconds, or None with a line that says what is missing here."""
    chromium, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    try:
        from selenium import webdriver
    except ImportError:
        webdriver = None
    if not (chromium and driver and webdriver):
        print("first_plot: not run; it needs chromium, chromium-driver and the Python package selenium")
        return None
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        server = _start(Path(folder))
        try:
            url = _url(server)
            at = {"server": time.monotonic() - begun}
            browser = _browser(webdriver, driver)
            try:
                at |= {name: moment - begun for name, moment in _open_and_run(browser, url)}
            finally:
                browser.quit()
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)
    steps = ", ".join(f"{name} after {seconds:.1f} s" for name, seconds in at.items())
    return Figure(at["picture"], "s", f"{BAR_S} on 2 cores", (steps,), missed=at["picture"] > BAR_S)


def _start(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "HOME": str(folder), "COURSE_HOME": str(folder / "record"), "PYTHONPATH": str(ROOT)}
    options = ["--to", str(folder / "mine"), "--no-browser", "--port", "0", "--allow-root"]
    command = [sys.executable, "-m", "course", "lab", "00", *options]
    return subprocess.Popen(command, env=environment, cwd=folder, text=True, stderr=subprocess.PIPE)


def _url(server: subprocess.Popen[str]) -> str:
    """The address that Jupyter prints, token included."""
    assert server.stderr is not None
    lines = []
    for line in server.stderr:
        lines.append(line)
        if match := re.search(r"http://127\.0\.0\.1\S+token=\S+", line):
            return match[0]
    raise SystemExit(f"JupyterLab did not start:\n{''.join(lines)}")


def _browser(webdriver: Any, driver: str) -> Any:
    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(option)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    browser.set_page_load_timeout(LIMIT_S)
    return browser


def _open_and_run(browser: Any, url: str) -> list[tuple[str, float]]:
    """The moments at which the notebook was there with its kernel, and its first picture; runs cell after cell."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    browser.get(url)
    _wait(browser, f"{_PANEL} .jp-Cell .cm-content")
    moments = [("notebook", time.monotonic())]
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()  # its first cell is selected: command mode
    until = time.monotonic() + LIMIT_S
    while not browser.find_elements("css selector", _PICTURE):
        if time.monotonic() > until:
            raise SystemExit(f"no picture after {LIMIT_S} s")
        if not _is_busy(browser):  # a learner waits for a cell before running the next one
            ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()
        time.sleep(0.3)
    return [*moments, ("picture", time.monotonic())]


def _is_busy(browser: Any) -> bool:
    prompts = browser.find_elements("css selector", f"{_PANEL} .jp-InputPrompt")
    return any("*" in prompt.text for prompt in prompts)


def _wait(browser: Any, selector: str) -> None:
    until = time.monotonic() + LIMIT_S
    while not browser.find_elements("css selector", selector):
        if time.monotonic() > until:
            raise SystemExit(f"nothing of {selector} after {LIMIT_S} s")
        time.sleep(0.2)
