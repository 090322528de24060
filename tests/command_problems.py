"""What is wrong with a command that a document tells a reader to type: a program, option, file or name not there.

Each function yields problems in words, so that it can be tried on commands that have them.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import unquote

import nbformat
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.main import get_command

from course.cli.app import app
from tests.conftest import ROOT
from tests.documents import Document

FOLDERS = ("course", "docs", "notebooks", "solutions", "scripts", "tests", ".ci", ".github")
# Words in the place of what a reader is to write, as in notebooks/NN_NAME.ipynb.
PLACEHOLDER = re.compile(r"(?<![A-Za-z])(?:nb)?(?:NN|NAME|FOLDER|FILE|PATH|NOTEBOOK|X)(?![A-Za-z])|[<>{}…]|\.\.\.")
PYTHONS = {"python", "python3", "py"}
# What no package of ours brings, but a reader has, or is told to get.
SYSTEM = {"apt-get", "brew", "cd", "conda", "cp", "deactivate", "docker", "echo", "export", "git", "ls", "mkdir", "mv"}
SYSTEM |= {"rm", "uv", "shellcheck", "source", "sysctl", "unzip", "winget", "wsl", "xargs", "Set-ExecutionPolicy"}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
PIP = {"check", "download", "freeze", "install", "list", "show", "uninstall", "wheel"}
COMMANDS = get_command(app).commands
HasOption = Callable[[str], bool]


def problems(words: list[str], pytest_has: HasOption) -> Iterator[str]:
    program, arguments = words[0], words[1:]
    if program == "course":
        yield from course_problems(arguments)
    elif program in PYTHONS:
        yield from python_problems(arguments, pytest_has)
    elif program == "pip":
        yield from pip_problems(arguments)
    elif program == "pytest":
        yield from pytest_problems(arguments, pytest_has)
    elif "/" in program:
        yield from script_problems(program)
        if program == "scripts/run" and arguments:
            yield from problems(arguments, pytest_has)
        elif program == "scripts/test":
            yield from pytest_problems(arguments, pytest_has)
        elif program != "scripts/install":  # whose options are pip's
            yield from unknown_options(arguments, ROOT / program)
    elif program not in SYSTEM and not installs(program):
        yield f"no package of ours brings the program {program}"
    for word in arguments:
        yield from path_problems(word.partition("::")[0])


def course_problems(arguments: list[str]) -> Iterator[str]:
    if not arguments or PLACEHOLDER.search(arguments[0]):
        return
    name, *others = arguments
    if name.startswith("-"):
        if name not in ("--version", "--help"):
            yield f"course has no option {name}"
        return
    if name not in COMMANDS:
        yield f"there is no command `course {name}`"
        return
    if not COMMANDS[name].context_settings.get("ignore_unknown_options"):  # which `course lab` gives to JupyterLab
        for option in options(others):
            if option not in options_of(name):
                yield f"course {name} has no option {option}"
    for before, word in itertools.pairwise(arguments):
        is_notebook = re.fullmatch(r"\d\d", word) and (before == "--gradescope" or not before.startswith("-"))
        if is_notebook and not [*(ROOT / "solutions").glob(f"{word}_*.ipynb")]:
            yield f"there is no notebook {word}"


def python_problems(arguments: list[str], pytest_has: HasOption) -> Iterator[str]:
    while arguments and re.fullmatch(r"-\d[\d.]*", arguments[0]):  # py -3.12
        arguments = arguments[1:]
    if arguments[:1] != ["-m"] or len(arguments) < 2:
        return
    module, *others = arguments[1:]
    if module in ("pip", "pytest", "course"):
        yield from problems([module, *others], pytest_has)
        return
    if PLACEHOLDER.search(module):
        return
    place = module_file(module)
    if place is None:
        if not installs(module.partition(".")[0]):
            yield f"there is no module {module} to run"
        return
    if module == "tests.benchmarks" and others and not PLACEHOLDER.search(others[0]):
        place = ROOT / "tests" / "benchmarks" / f"{others[0]}.py"
        if others[0].startswith("_") or not place.is_file():
            yield f"there is no benchmark {others[0]}"
            return
    if module.startswith("tests."):
        yield from unknown_options(others, place)


def pip_problems(arguments: list[str]) -> Iterator[str]:
    if arguments and arguments[0] not in PIP:
        yield f"pip has no command {arguments[0]}"
    for word in arguments:
        ours = re.fullmatch(r"(?:\.|pretrained-course|\S+\.whl)\[([\w, -]+)\]", word)
        for extra in ours[1].split(",") if ours else ():
            if extra.strip() not in EXTRAS:
                yield f"pyproject.toml has no extra {extra.strip()}"


def pytest_problems(arguments: list[str], pytest_has: HasOption) -> Iterator[str]:
    for option in options(arguments):
        if not pytest_has(option if option.startswith("--") else option[:2]):
            yield f"pytest has no option {option}"
    for option, value in itertools.pairwise(arguments):
        if option == "-k" and re.fullmatch(r"\d\d-[a-z-]+", value) and value not in exercise_ids():
            yield f"there is no exercise {value}"
    for word in arguments:
        path, _, test = word.partition("::")
        if test and (ROOT / path).is_file() and f"def {test.partition('[')[0]}(" not in (ROOT / path).read_text():
            yield f"{path} has no test {test}"


def script_problems(program: str) -> Iterator[str]:
    if program.split("/")[0] not in FOLDERS or PLACEHOLDER.search(program):
        return
    for path in found(program):
        if not os.access(path, os.X_OK):
            yield f"{program} is not executable"
    if not found(program):
        yield f"there is no script {program}"


def unknown_options(arguments: list[str], source: Path) -> Iterator[str]:
    """Options that a program of ours does not mention in its source."""
    text = source.read_text(encoding="utf-8") if source.is_file() else ""
    for option in options(arguments):
        if option.startswith("--") and text and not re.search(rf"(?<![\w-]){option}(?![\w-])", text):
            yield f"{source.name} has no option {option}"


def path_problems(text: str) -> Iterator[str]:
    """A path into the repository, or to a learner's copy of a notebook, that is not there."""
    text = re.sub(r"^my-notebooks/(?=\d\d_)", "notebooks/", text)
    if text.split("/")[0] not in FOLDERS or "/" not in text or PLACEHOLDER.search(text):
        return
    if not found(text):
        yield f"there is no {text}"


def link_problems(document: Document) -> Iterator[str]:
    for line, link in document.links:
        path, _, anchor = unquote(link).partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (document.path.parent / path).resolve() if path else document.path
        if not target.exists():
            yield f"line {line}: {link} leads to no file"
        elif anchor and anchor not in anchors(target, document):
            yield f"line {line}: {link} leads to no heading"


@cache
def notebook_headings(path: Path) -> list[str]:
    """The headings of a notebook as they are written, without what stands in listings."""
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    return re.findall(r"(?m)^#+ +(.+?) *$", re.sub(r"(?ms)^```.*?^```", "", "\n\n".join(cells)))


def jupyter_anchor(heading: str) -> str:
    """The anchor that JupyterLab gives a heading: its text as shown, with dashes for spaces."""
    return heading.replace("`", "").replace(" ", "-")


def anchors(target: Path, document: Document) -> set[str]:
    if target.suffix == ".ipynb":
        return {jupyter_anchor(heading) for heading in notebook_headings(target)}
    return (document if target == document.path else Document(target)).anchors


# What there is.


def found(text: str) -> list[Path]:
    return sorted(ROOT.glob(text.rstrip("/"))) if "*" in text else [path for path in [ROOT / text] if path.exists()]


def options(arguments: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in arguments if re.match(r"--?[A-Za-z]", word)]


def options_of(name: str) -> set[str]:
    """The options of a subcommand of `course`."""
    return {"--help"}.union(*(option.opts + option.secondary_opts for option in COMMANDS[name].params))


@cache
def own_options() -> frozenset[str]:
    """Every option of `course`, and what the scripts and programs in scripts/ and tests/ call one."""
    sources = [*ROOT.glob("scripts/*"), *ROOT.glob("tests/*.py"), *ROOT.glob("tests/benchmarks/*.py")]
    texts = [path.read_text(encoding="utf-8") for path in sources if path.name != "test_commands.py"]
    named = {option for text in texts for option in re.findall(r"(?<![\w-])--[a-z][\w-]+", text)}
    return frozenset(named.union(*map(options_of, COMMANDS)))


def module_file(module: str) -> Path | None:
    """The file that `python -m module` runs, or None."""
    try:
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{module}.__main__")
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


@cache
def exercise_ids() -> frozenset[str]:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "course" / "exercises").rglob("*.py")]
    return frozenset(name for text in texts for name in re.findall(r'Exercise\(\s*"(\d\d-[a-z-]+)"', text))


def installs(program: str) -> bool:
    """Whether an installed package, or one that an extra of ours asks for, brings this program."""
    asked = {canonicalize_name(Requirement(line).name) for lines in EXTRAS.values() for line in lines}
    scripts = entry_points(group="console_scripts").names
    return program in scripts or any(program == name or program.startswith(f"{name}-") for name in asked)
