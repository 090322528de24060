"""The author's command `course build`: notebooks/ from solutions/."""

from __future__ import annotations

from typing import Annotated

import typer


def build(
    names: Annotated[
        list[str] | None, typer.Argument(help="Notebooks, for example 02; all of them by default.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Run nothing; list what is out of date (exit code 1).")
    ] = False,
) -> None:
    """For authors: build notebooks/ from solutions/, run both, and store their outputs."""
    from course import authoring

    if not check:
        authoring.build(names or None)
        return
    lines = authoring.drift()
    print("\n".join(lines) or "notebooks/ is what solutions/ would build")
    raise typer.Exit(int(bool(lines)))
