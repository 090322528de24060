"""The command `course`: each subcommand calls one function of the package and prints what comes back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import quote

import typer
from rich.console import Console
from rich.text import Text

from course import cli_fetch, cli_grading
from course.errors import CourseError, SetupError

FIRST_NOTEBOOK = "00_start_here.ipynb"
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}
COLOURS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red")}

app = typer.Typer(
    help="A course on pretrained models, learned by doing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """The entry point: an error of the course is one message on stderr and exit code 2, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a Windows console may lack ✓
    try:
        app(prog_name="course")
    except CourseError as error:
        print(f"course: {error}", file=sys.stderr)
        raise SystemExit(2) from None


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Show the version and stop.", is_eager=True)] = False,
) -> None:
    if show:
        import course

        print(course.__version__)
        raise typer.Exit


@app.command(context_settings=PASS_THROUGH)
def lab(context: typer.Context) -> None:
    """Open your notebooks in JupyterLab: course lab [FOLDER] [JUPYTER OPTIONS], say --no-browser or --port 8890.

    They are copies in my-notebooks/, made the first time and never overwritten. FOLDER opens another folder, as it is.
    """
    options = list(context.args)
    folder = Path(options.pop(0)) if options and not options[0].startswith("-") else None
    notebook = first_notebook(find_notebooks(folder) if folder else own_notebooks())
    # As the default address, not as a file to open: so the address printed for --no-browser leads there too.
    opened = [f"--ServerApp.root_dir={notebook.parent}", f"--LabApp.default_url=/lab/tree/{quote(notebook.name)}"]
    command = [sys.executable, "-m", "jupyterlab", *opened, *options]
    # A kernel `python3` that another Python left in the home folder must not hide this one's.
    start(command, {"JUPYTER_PREFER_ENV_PATH": "1", **os.environ})


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list, for a program or a bug report.")] = False,
    print_dockerfile: Annotated[
        bool, typer.Option("--print-dockerfile", help="Print a container to grade in, where there is no sandbox.")
    ] = False,
) -> None:
    """Look at this machine, and say for each problem which command mends it. Exit code 1: something is broken."""
    from course import doctor as module

    if print_dockerfile:
        from course.grading.proof import DOCKERFILE

        print(DOCKERFILE, end="")
        return
    findings = module.diagnose()
    if as_json:
        print(module.as_json(findings))
    else:
        console = Console(soft_wrap=True, highlight=False)
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            sign, colour = COLOURS[finding.status]
            console.print(Text.assemble((sign, colour), f" {finding.name:{width}}  {finding.found}"))
            if finding.mend and finding.status != "ok":
                console.print(Text.assemble(" " * (width + 4), "mend it: ", (finding.mend, "bold")))
    raise typer.Exit(int(any(finding.status == "problem" for finding in findings)))


@app.command()
def check(
    notebook: Annotated[Path, typer.Argument(help="A notebook with your answers, saved; or a capstone.safetensors.")],
) -> None:
    """Check every exercise in a notebook of yours, or your capstone as the grader reads it.

    Exit code 1: an answer that you tried is not right yet, or the model card is not complete.
    """
    beside = notebook / "capstone.safetensors" if notebook.is_dir() else notebook.with_suffix(".safetensors")
    if notebook.suffix == ".safetensors" or (notebook.suffix != ".ipynb" and beside.is_file()):
        from course.capstone import read_hand_in

        read = read_hand_in(beside)
        print(read)
        raise typer.Exit(int(bool(read.gaps)))
    from course.judging.answers import read_notebook

    read_notebook(notebook)  # before torch is loaded, so that a wrong name is told at once
    from course.judging import check_notebook

    results = check_notebook(notebook)
    for result in results:
        print(result)
    tried = [result for result in results if result.status != "not attempted"]
    print(f"{sum(result.score for result in results)} of {sum(result.points for result in results)} points")
    raise typer.Exit(int(any(result.score < result.points for result in tried)))


@app.command()
def progress() -> None:
    """Say how far you are and what to repeat today, from the record that this machine keeps for you alone."""
    from course.judging import progress as show_progress

    show_progress()


@app.command()
def build(
    names: Annotated[list[str] | None, typer.Argument(help="Notebooks, say 02; all of them by default.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Run nothing; name what is out of date (exit code 1).")
    ] = False,
) -> None:
    """For authors: make notebooks/ from solutions/, run both, and store their outputs."""
    from course import authoring

    if not check:
        authoring.build(names or None)
        return
    lines = authoring.drift()
    print("\n".join(lines) or "notebooks/ is what solutions/ would build")
    raise typer.Exit(int(bool(lines)))


for command in (cli_fetch.fetch, cli_grading.grade, cli_grading.report, cli_grading.export, cli_grading.release):
    app.command()(command)


def own_notebooks() -> Path:
    """The folder with the learner's copies of the notebooks, said in one line; what is missing there is copied."""
    from course import workspace

    folder, outdated = workspace.prepare(find_notebooks())
    print(f"your notebooks are in {folder}")
    for name in outdated:
        print(f"{name} has changed since you began it; to have the new one, rename yours and run this command again")
    return folder


def find_notebooks(folder: Path | None = None) -> Path:
    """The folder with the notebooks: the given one, ./notebooks, or the one beside the package in a clone.

    Raises SetupError where none of them holds a notebook.
    """
    beside = Path(__file__).resolve().parents[1] / "notebooks"
    places = [folder, folder / "notebooks"] if folder else [Path("notebooks"), beside]
    for place in places:
        if any(place.glob("*.ipynb")):
            return place.resolve()
    looked = " and ".join(str(place.resolve()) for place in places)
    raise SetupError(f"there are no notebooks in {looked}; go to the folder you cloned, or run: course lab FOLDER")


def first_notebook(folder: Path) -> Path:
    """The notebook that the course begins with, else the first by name."""
    first = folder / FIRST_NOTEBOOK
    return first if first.exists() else min(folder.glob("*.ipynb"))


def start(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Go on as this command, so that Ctrl-C is answered by it alone."""
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(command[0], command, environment)
    raise SystemExit(subprocess.call(command, env=environment))


if __name__ == "__main__":
    main()
