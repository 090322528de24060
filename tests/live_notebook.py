"""Cells run in a real kernel as if somebody watched: what the notebook stores of them, or what a page would receive."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import nbformat
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

WIDGET = "application/vnd.jupyter.widget-view+json"


def run_live(*cells: str, allow_errors: bool = False, **variables: str) -> list[list[Any]]:
    """The stored outputs of each cell; the notebook is valid and holds no widget, which a reopened one would miss."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=allow_errors)
    client.execute(env={**os.environ, "COURSE_LIVE": "1", **variables})
    nbformat.validate(notebook)
    assert WIDGET not in nbformat.writes(notebook)
    return [cell.outputs for cell in notebook.cells]


@contextmanager
def live_kernel() -> Iterator["Page"]:
    """A kernel that may ask for input, as JupyterLab's may."""
    manager, client = start_new_kernel(kernel_name="python3", env={**os.environ, "COURSE_LIVE": "1"})
    try:
        yield Page(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


class Page:
    """What runs cells and receives what they send."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client, self.asked = manager, client, list[Any]()

    def was_asked(self) -> bool:
        """Whether any cell has asked for input."""
        if self.client.stdin_channel.msg_ready():
            self.asked.append(self.client.get_stdin_msg(timeout=60))
        return bool(self.asked)

    def run(self, source: str, *, interrupt_at: str = "", answer: str = "") -> list[dict[str, Any]]:
        """The contents of all messages of a cell, each with its "type".

        The cell is interrupted once it prints `interrupt_at`; if it asks for input, it gets `answer`.
        """
        self.client.execute(source, allow_stdin=True)
        received: list[dict[str, Any]] = []
        if answer:
            self.asked.append(self.client.get_stdin_msg(timeout=60))
            self.client.input(answer)
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            received.append({"type": message["msg_type"], **message["content"]})
            if interrupt_at and interrupt_at in message["content"].get("text", ""):
                self.manager.interrupt_kernel()
            if received[-1].get("execution_state") == "idle":
                return received
