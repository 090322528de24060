"""The command `course doctor`: what this machine has, and the commands that fix its problems."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

COLOURS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red"), "not needed": ("–", "dim")}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list, for a program or a bug report.")] = False,
    print_dockerfile: Annotated[
        bool, typer.Option("--print-dockerfile", help="Print a Dockerfile for grading where there is no sandbox.")
    ] = False,
) -> None:
    """Check this machine, and print for each problem the command that fixes it. Exit code 1: there is a problem."""
    from course.cli import diagnosis

    if print_dockerfile:
        from course.grading.sandbox.self_test import DOCKERFILE

        print(DOCKERFILE, end="")
        return
    findings = diagnosis.diagnose()
    if as_json:
        print(diagnosis.as_json(findings))
    else:
        console = Console(soft_wrap=True, highlight=False)
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            sign, colour = COLOURS[finding.status]
            console.print(Text.assemble((sign, colour), f" {finding.name:{width}}  {finding.found}"))
            if finding.fix and finding.status in ("warning", "problem"):
                console.print(Text.assemble(" " * (width + 4), "to fix it: ", (finding.fix, "bold")))
    raise typer.Exit(int(any(finding.status == "problem" for finding in findings)))
