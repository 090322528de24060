"""Forms in a notebook's output that reach the kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def show_form(form: str, text: str, on_submit: Callable[[dict[str, Any]], tuple[str, str]], *, move_on: bool) -> None:
    """Show the form."""
    from IPython.display import display

    display({"text/html": form, "text/plain": text}, raw=True)
