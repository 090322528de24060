"""The command `course fetch`: downloads for the full profile, before the lesson."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from course.errors import UnknownName
from course.legible import legible

PROFILES = ("quick", "full")


def fetch(
    profile: Annotated[str, typer.Option(help="The profile to prepare for; quick needs no download.")] = "full",
    only: Annotated[list[str] | None, typer.Option(help="A name that --list shows; may be repeated.")] = None,
    show: Annotated[
        bool, typer.Option("--list", help="Download nothing: show sizes, licences, and what is there.")
    ] = False,
) -> None:
    """Download what the full profile needs, for example before a lesson. Exit code 1: a download failed.

    An interrupted download resumes where it stopped. COURSE_DATA may name a folder that has everything already, copied
    from another machine's COURSE_HOME/data.
    """
    from course.data import downloads
    from course.zoo import full_profile

    if profile not in PROFILES:
        raise UnknownName.of("profile to fetch", profile, PROFILES)
    items = full_profile.select(only or ()) if profile == "full" else []
    if show:
        Console(soft_wrap=True, highlight=False).print(_table(items))
        return
    if profile == "quick":
        print("the quick profile needs no download")
        return
    failed = [(item, error) for item, error in full_profile.fetch(only or ()) if error]
    for item, error in failed:
        print(f"course: {item.name}: {legible(str(error))}", file=sys.stderr)  # it may quote a server
    print(f"{len(items) - len(failed)} of {len(items)} ready; downloads are kept in {downloads.own_folder()}")
    if full_profile.marker_path().exists():
        print('everything is there: PROFILE = "auto" now means full on this machine')
    raise typer.Exit(int(bool(failed)))


def _table(items: list) -> Table:
    """Names, sizes and licences, and whether each download is there; one row each, and one for the sum."""
    columns = ("name", "what", "from", "chapters", "licence", "MB", "there")
    table = Table(*columns, box=None, pad_edge=False, show_footer=True)
    table.columns[5].justify = "right"
    table.columns[5].footer = f"{sum(item.megabytes for item in items):,.0f}"
    for item in items:
        there = "yes" if item.is_there() else "no"
        size = f"{item.megabytes:,.0f}"
        table.add_row(item.name, item.what, item.source, item.chapters, item.licence, size, there)
    return table
