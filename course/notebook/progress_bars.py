"""Progress bars, shown only if somebody watches; nothing of them stays in a saved notebook."""

from __future__ import annotations

import html
import os
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm.std import tqdm

from course.runtime import can_answer, is_live

Item = TypeVar("Item")

# Anything shorter ends before a bar could be read.
DELAY_S = 2.0
INTERVAL_S = 0.2  # between two updates of the page
LINE_PX = 22

STYLE = (
    "font: 13px/1.4 var(--jp-ui-font-family, system-ui, sans-serif); "
    "color: var(--jp-content-font-color1, var(--vscode-foreground, inherit))"
)


def progress_bar(iterable: Iterable[Item], description: str, *, total: int | None = None) -> Iterable[Item]:
    """The items of `iterable`, with a progress bar that appears after two seconds and disappears at the end.

    `total` is the number of items if `iterable` has no length. When nobody watches (see `runtime.is_live`) the iterable
    itself is returned and nothing is shown.
    """
    if not is_live():
        return iterable
    return _bar_class()(iterable, desc=description, total=total, delay=DELAY_S, leave=False)


def is_watched() -> bool:
    """Whether somebody watches a notebook (see `runtime.is_live`) or a terminal."""
    return is_live() or (sys.stderr.isatty() and not {"COURSE_LIVE", "CI"} & set(os.environ))


def download_bar(total: int | None, start: int, description: str) -> Any:
    """A tqdm bar over the bytes of a download, of which `start` are there already; `update(n)` adds n bytes."""
    return _bar_class()(
        total=total, initial=start, desc=description, unit="B", unit_scale=True, delay=DELAY_S, leave=False,
        disable=not is_watched(),
    )  # fmt: skip


class NotebookBar(tqdm):
    """A tqdm bar that is a line of HTML in the output of the cell that runs; all bars of a cell share one output.

    tqdm's own are widgets: a saved notebook would keep a broken one for every bar that was ever shown.
    """

    monitor_interval = 0  # no thread that redraws

    def __init__(self, *args: Any, **options: Any) -> None:
        # gui: tqdm counts and measures, and leaves the drawing to its subclass.
        self.board: _Board | None = None
        super().__init__(*args, **{"delay": DELAY_S, **options, "gui": True, "mininterval": INTERVAL_S, "miniters": 1})
        self.ncols = None
        if not self.disable:
            self.board = _Board.of_this_cell()

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Draw the bar, once it is old enough, with all others of the cell."""
        if self.board is not None and time.time() >= self.start_t + self.delay:
            self.board.show(self)

    def close(self) -> None:
        """Take the bar away."""
        super().close()
        if self.board is not None:
            self.board.remove(self)

    @property
    def name(self) -> str:
        """What the bar is for."""
        return self.desc.removesuffix(": ")  # tqdm's set_description adds it

    def as_text(self) -> str:
        """How far it is: "12 of 40, 00:08 left"."""
        layout = "{n_fmt} of {total_fmt}, {remaining} left" if self.total else "{n_fmt}, {elapsed}"
        return self.format_meter(**{**self.format_dict, "bar_format": layout})

    def as_html(self) -> str:
        """A line with the description, a <progress>, and how far it is."""
        value = f' value="{self.n:g}" max="{max(self.total, self.n):g}"' if self.total else ""
        bar = f'<progress{value} style="width: 240px; vertical-align: middle"></progress>'
        name = html.escape(self.name)
        return f'<label style="display: block; height: {LINE_PX}px">{name} {bar} {html.escape(self.as_text())}</label>'


class _Board:
    """The output of a cell in which its bars are drawn; emptied when the cell ends, whatever has happened in it."""

    current: _Board | None = None
    lock = threading.RLock()  # bars of several threads

    def __init__(self, shell: Any) -> None:
        self.shell, self.bars = shell, list[NotebookBar]()
        self.handle: Any = None
        self.lines, self.drawn_at = 0, 0.0
        for event in ("pre_run_cell", "post_run_cell"):  # before the next cell too, if a thread drew between the two
            shell.events.register(event, self.end)

    @classmethod
    def of_this_cell(cls) -> _Board:
        from IPython import get_ipython

        with cls.lock:
            if cls.current is None:
                cls.current = cls(get_ipython())
            return cls.current

    def show(self, bar: NotebookBar) -> None:
        """Draw all bars, with this one among them, unless that was done a moment ago."""
        with self.lock:
            if bar not in self.bars:
                self.bars.append(bar)
            if time.monotonic() >= self.drawn_at + INTERVAL_S:
                self.draw()

    def remove(self, bar: NotebookBar) -> None:
        with self.lock:
            if bar in self.bars:
                self.bars.remove(bar)
                self.draw()

    def draw(self) -> None:
        if self is not _Board.current:  # its cell has ended
            return
        # The height stays, so that the page does not jump between the bar of one epoch and that of the next.
        self.lines, self.drawn_at = max(self.lines, len(self.bars)), time.monotonic()
        lines = "".join(bar.as_html() for bar in self.bars)
        page = f'<div style="min-height: {LINE_PX * self.lines}px; {STYLE}">{lines}</div>'
        self._send({"text/html": page, "text/plain": "\n".join(f"{bar.name}: {bar.as_text()}" for bar in self.bars)})

    def end(self, *_: Any) -> None:
        """Leave an output without any content: JupyterLab gives that no height, unlike one with an empty text."""
        with self.lock:
            _Board.current = None
            for event in ("pre_run_cell", "post_run_cell"):
                self.shell.events.unregister(event, self.end)
            if self.handle is not None:
                self._send({})

    def _send(self, content: dict[str, str]) -> None:
        from IPython.display import display

        if self.handle is None:
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)


def _bar_class() -> type[tqdm]:
    return NotebookBar if can_answer() else tqdm
