"""Optional packages: the extra of the course that contains one, and the command that installs it."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from course.errors import MissingExtra

DISTRIBUTION = "pretrained-course"
# Modules whose distribution has another name.
_DISTRIBUTIONS = {"dask": "distributed", "keras": "tensorflow", "pyarrow": "datasets", "yaml": "pyyaml"}


@contextmanager
def needed_for(purpose: str) -> Iterator[None]:
    """Inside, a missing module of one of the extras raises MissingExtra, in one line with the command to run.

    `purpose` begins that line, for example "course grade". Any other missing module raises what it always does.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        extra = extra_with(module)
        if extra is None:
            raise
        raise MissingExtra(
            f"{purpose} needs {module}, which is not installed; run: {install_command(extra)}"
        ) from error


def extra_with(module: str) -> str | None:
    """The smallest extra that installs a top-level module, or None if no extra does."""
    contents: dict[str, set[str]] = defaultdict(set)
    for requirement in _requirements():
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        name = re.match(r"[\w.-]+", requirement)
        if extra and name:
            contents[extra[1]].add(_normalised(name[0]))
    distribution = _normalised(_DISTRIBUTIONS.get(module, module))
    return min(
        (extra for extra, names in contents.items() if distribution in names),
        key=lambda extra: len(contents[extra]),
        default=None,
    )


def install_command(extra: str) -> str:
    """The shell command that adds an extra to the course as it is installed, from a clone or from a wheel."""
    return f'{python_command()} -m pip install "{DISTRIBUTION}[{extra}]"'


def python_command() -> str:
    """This Python as a command: plain `python` may be another one if no environment is active."""
    return "python" if shutil.which("python") == sys.executable else shlex.quote(sys.executable)


def _requirements() -> list[str]:
    try:
        return metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # the package's folder is on the path, but pip did not put it there
        return []


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
