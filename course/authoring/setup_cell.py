"""The setup cell: the same in every notebook, in Jupyter, Colab and Kaggle."""

from __future__ import annotations

import tomllib
from pathlib import Path

from course.errors import AuthoringError

PARAMETERS = 'PROFILE = "auto"  # "quick": offline, on a CPU; "full": a GPU and a network\nSEED = 0'

_SETUP = """\
# Setup: finds the course, or installs it. Running it twice does no harm.
import importlib.util

if importlib.util.find_spec("course") is None:
    import subprocess
    import sys
    import tempfile
    from glob import glob
    from importlib.metadata import distributions
    from pathlib import Path

    from packaging.version import Version

    ADDRESS = @ADDRESS@
    PLACES = [".", "/content", "/content/drive/MyDrive", "/content/drive/MyDrive/Colab Notebooks", "/kaggle/input/*"]
    wheels = [wheel for place in PLACES for wheel in glob(f"{place}/pretrained_course-*-any.whl")]
    wheel = max(wheels, key=lambda wheel: Version(Path(wheel).name.split("-")[1]), default=ADDRESS)
    if wheel is None:
        raise FileNotFoundError(
            f"the course is not installed, and there is no pretrained_course-*-any.whl in any of {PLACES}; "
            "put the wheel beside this notebook (in Colab: upload it in the Files panel) and run this cell again"
        )
    # What is installed stays as it is: another torch may not fit this machine's GPU, another protobuf its TensorFlow.
    fixed = {}
    for found in distributions():
        fixed.setdefault(found.name, f"{found.name}=={found.version}")  # the first one is the one that is imported
    constraints = Path(tempfile.mkdtemp(), "constraints.txt")
    constraints.write_text("\\n".join(line for name, line in fixed.items() if name))
    pip = [sys.executable, "-m", "pip", "install", "--constraint", str(constraints), wheel]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        said = done.stdout[-2000:] + done.stderr
        raise RuntimeError(f"pip could not install {wheel} and keep what is installed here as it is:\\n{said}")
    importlib.invalidate_caches()

import course
from course import check, claim, hint, predict, progress, quiz, reveal

runtime = course.setup(PROFILE, SEED)"""


def setup_source(address: str | None = None) -> str:
    """The source of the setup cell; `address` is where the wheel can be downloaded, if anywhere."""
    return _SETUP.replace("@ADDRESS@", "None" if address is None else f'"{address}"')


def wheel_address(root: Path) -> str | None:
    """The address called "Wheel" in [project.urls] of pyproject.toml, or None if it is not set."""
    path = root / "pyproject.toml"
    if not path.exists():
        return None
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise AuthoringError(f"{path} cannot be read ({error}); correct it and build again") from error
    return project.get("urls", {}).get("Wheel")
