"""Which Python this is and how the course got into it: what a fix has to be told for, for `course doctor`."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import course
from course.extras import DISTRIBUTION
from course.runtime import environment

COURSE = Path(course.__file__).parent


def python_environment() -> str:
    """The kind of environment that this Python is, such as "virtual environment" or "Colab"."""
    if (hosted := environment()) in ("Colab", "Kaggle"):
        return hosted
    if Path(sys.prefix, "conda-meta").is_dir():
        return f"conda environment {Path(sys.prefix).name}"
    if sys.prefix != sys.base_prefix:
        return "virtual environment"
    if is_externally_managed():
        return "system Python, into which pip does not install"
    return "Python without a virtual environment"


def is_externally_managed() -> bool:
    """Whether pip refuses to install into this Python because its distribution manages it (PEP 668)."""
    return sys.prefix == sys.base_prefix and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").is_file()


def new_environment_command() -> str:
    """The shell command that makes a virtual environment and activates it."""
    if os.name == "nt":
        return r"py -m venv .venv; .venv\Scripts\Activate.ps1"
    return "python3 -m venv .venv && source .venv/bin/activate"


def installation() -> str:
    """How the course is installed and where: a clone, a wheel, or a folder that pip did not put there."""
    try:
        text = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        kind = "not installed by pip"
    else:
        is_editable = json.loads(text or "{}").get("dir_info", {}).get("editable", False)
        kind = "a clone, editable" if is_editable else "from a wheel"
    if os.access(COURSE, os.W_OK):
        return f"{kind}, at {COURSE}"
    return f"{kind}, at {COURSE}, which is read-only for you; course lab --to FOLDER puts your notebooks elsewhere"
