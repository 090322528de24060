"""A real JupyterLab in headless Chromium, driven as a learner would: keys and clicks, and what the page then shows."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from course.cli.jupyter import environment

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
TOKEN = "browser"
START_S = 180  # for a server, a page or a kernel on a busy machine
DARK = '{"@jupyterlab/apputils-extension:themes": {"theme": "JupyterLab Dark"}}'

# What a dead widget or an output that cannot be shown says in JupyterLab.
BROKEN = ("Error displaying widget", "model not found", "Loading widget...", "Show more outputs", "Javascript Error")


@contextmanager
def server(folder: Path, home: Path, *, dark: bool = False) -> Iterator[str]:
    """The address of a JupyterLab over `folder`, as `course lab` starts it, with a home folder of its own."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    hidden = ("COURSE_LIVE", "CI", "NBGRADER_EXECUTION")
    variables = {name: value for name, value in os.environ.items() if name not in hidden}
    variables |= {"HOME": str(home), "COURSE_HOME": str(home / "course")}
    defaults = home / "defaults" / "labconfig" / "default_setting_overrides.json"
    if dark:
        defaults.parent.mkdir(parents=True, exist_ok=True)
        defaults.write_text(DARK)
        variables["JUPYTER_CONFIG_PATH"] = str(defaults.parents[1])
    variables = environment(variables)  # with the defaults of `course lab`
    options = [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={TOKEN}", f"--port={port}", "--no-browser"]
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [sys.executable, "-m", "jupyterlab", *options, *root]
    with open(home / "jupyterlab.log", "w") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT, cwd=home)
    address = f"http://localhost:{port}"
    try:
        wait(lambda: _answers(f"{address}/api?token={TOKEN}"), "the server answers")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def browser(width: int = 1400, height: int = 1000) -> Iterator[webdriver.Chrome]:
    """Headless Chromium with a window of this size in pixels."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.add_argument(f"--window-size={width},{height}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


class Notebook:
    """A notebook that is open in a page."""

    def __init__(self, driver: webdriver.Chrome, address: str, name: str, *, app: str = "lab/tree") -> None:
        self.driver = driver
        driver.get(f"{address}/{app}/{quote(name)}?token={TOKEN}&reset")
        wait(lambda: len(self.cells) > 0, f"{name} is shown")
        wait(lambda: driver.execute_script(_KERNEL_IS_IDLE), "the kernel is idle")

    @property
    def cells(self) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, ".jp-Notebook .jp-Cell")

    @property
    def active(self) -> int:
        """The index of the active cell."""
        active = (
            "return [...document.querySelectorAll('.jp-Notebook .jp-Cell')].findIndex(c => c.matches('.jp-mod-active'))"
        )
        return int(self.driver.execute_script(active))

    def output(self, index: int) -> str:
        """The text in the outputs of a cell, scrolled into view: JupyterLab doesn't draw what lies outside it."""
        self.ask(index, "cell.scrollIntoView({block: 'center'})")
        time.sleep(0.3)
        return str(self.ask(index, "return cell.querySelector('.jp-Cell-outputWrapper').innerText"))

    def output_area(self, index: int) -> Any:
        """The element with the outputs of a cell."""
        return self.cells[index].find_element(By.CSS_SELECTOR, ".jp-Cell-outputWrapper")

    def ask(self, index: int, script: str) -> Any:
        """What a line of JavaScript says about `cell`. The page may replace an element that was found before."""
        cell = "const cell = document.querySelectorAll('.jp-Notebook .jp-Cell')[arguments[0]];\n"
        return self.driver.execute_script(cell + script, index)

    def find(self, selector: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, f".jp-Notebook {selector}")

    def select(self, index: int) -> None:
        """Make a cell the active one, in command mode."""
        part = ".jp-InputPrompt, .jp-MarkdownOutput"
        # The page may draw the cell again just then.
        wait(lambda: not self.cells[index].find_element(By.CSS_SELECTOR, part).click(), f"cell {index} is clicked")

    def press(self, *keys: str) -> None:
        """These keys at once, wherever the focus is."""
        actions = ActionChains(self.driver)
        for key in keys[:-1]:
            actions.key_down(key)
        actions.send_keys(keys[-1])
        for key in keys[:-1]:
            actions.key_up(key)
        actions.perform()

    def run(self) -> None:
        """Shift+Enter on the active cell, and wait until the kernel has done it."""
        index = self.active
        before = self._prompt(index)
        self.press(Keys.SHIFT, Keys.ENTER)
        if before is not None:
            try:
                wait(lambda: self._prompt(index) != before, f"cell {index} runs", 10)
            except TimeoutError:  # the page was being drawn, and the keys were lost
                self.select(index)
                self.press(Keys.SHIFT, Keys.ENTER)
        self.wait_until_idle()

    def _prompt(self, index: int) -> str | None:
        """What stands beside a code cell, "[3]:"; None for another cell."""
        return self.ask(
            index, "return cell.matches('.jp-CodeCell') ? cell.querySelector('.jp-InputPrompt').textContent : null"
        )

    def run_all(self, limit_s: float) -> None:
        """Run → Run All Cells."""
        self.menu("Run", "Run All Cells")
        self.wait_until_idle(limit_s)

    def menu(self, name: str, entry: str) -> None:
        find = self.driver.find_elements
        bar = [item for item in find(By.CSS_SELECTOR, ".lm-MenuBar-itemLabel") if item.text == name]
        bar[0].click()
        wait(lambda: find(By.CSS_SELECTOR, ".lm-Menu-itemLabel"), f"the menu {name} is open")
        next(item for item in find(By.CSS_SELECTOR, ".lm-Menu-itemLabel") if item.text == entry).click()

    def wait_until_idle(self, limit_s: float = START_S) -> None:
        time.sleep(0.7)
        wait(lambda: self.driver.execute_script(_NOTHING_WAITS), "all cells have run", limit_s)
        time.sleep(0.5)

    def save(self) -> None:
        self.press(Keys.CONTROL, "s")
        wait(lambda: not self.driver.find_elements(By.CSS_SELECTOR, ".jp-mod-dirty"), "the notebook is saved")
        time.sleep(1)

    def broken(self) -> list[str]:
        """Lines that say that something could not be shown, and outputs that are empty boxes, cell by cell."""
        found = []
        for index in range(len(self.cells)):
            self.ask(index, "cell.scrollIntoView({block: 'center'})")
            time.sleep(0.05)
            text = str(self.ask(index, "return cell.innerText"))
            found += [f"cell {index}: {line}" for line in BROKEN if line in text]
            empty = self.ask(index, _EMPTY_BOXES)
            found += [f"cell {index}: an empty box {height:.0f} pixels high" for height in empty]
        return found


_KERNEL_IS_IDLE = "return !!document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=idle]')"
_NOTHING_WAITS = (
    "return ![...document.querySelectorAll('.jp-InputPrompt')].some(prompt => prompt.textContent.includes('*'))"
)
# Outputs that take up room and show nothing: no text, no picture, no drawing.
_EMPTY_BOXES = """
return [...cell.querySelectorAll('.jp-OutputArea-child')].filter(child => {
  const output = child.querySelector('.jp-OutputArea-output');
  return output && child.offsetHeight > 4 && !output.innerText.trim()
    && !output.querySelector('img, svg, canvas, input');
}).map(child => child.offsetHeight)
"""


def wait(condition: Callable[[], Any], what: str, limit_s: float = START_S) -> Any:
    """What `condition` returns once it is true. Raises TimeoutError, which names `what`."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            if found := condition():
                return found
        except (WebDriverException, StopIteration, IndexError):
            pass  # the page is being drawn
        time.sleep(0.2)
    raise TimeoutError(f"after {limit_s:.0f} s it is not true that {what}")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False
