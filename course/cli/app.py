"""The command `course` itself: its subcommands, and how it ends when one of them raises.

To add a command, write a function in the module of its group and add it to COMMANDS.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import course
from course.cli.building import build
from course.cli.doctor import doctor
from course.cli.exercises import new_exercise, try_exercise
from course.cli.fetch import fetch
from course.cli.grading import export, grade, release, report
from course.cli.lab import PASS_THROUGH, home, lab
from course.cli.learning import check, progress
from course.errors import CourseError
from course.extras import needed_for
from course.legible import legible

COMMANDS = (home, doctor, check, progress, build, new_exercise, try_exercise, fetch, grade, report, export, release)

app = typer.Typer(
    help="A course on pretrained models, learned by doing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(context_settings=PASS_THROUGH)(lab)
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """The entry point: an error of the course, or an extra that is missing, is a message on stderr and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a Windows console may lack ✓
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    try:
        with needed_for(f"course {command}".strip()):
            app(prog_name="course")
    except CourseError as error:
        print(f"course: {legible(str(error))}", file=sys.stderr)
        raise SystemExit(2) from None


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Show the version and stop.", is_eager=True)] = False,
) -> None:
    if show:
        print(course.__version__)
        raise typer.Exit


if __name__ == "__main__":
    main()
