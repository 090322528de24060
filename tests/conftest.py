"""Everything that the tests keep goes to a temporary COURSE_HOME, and nobody is watching."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from course.grading.sandbox import bubblewrap

# Set here, before any kernel or worker starts, so that they inherit it. One folder a run: workers share its cache.
os.environ.setdefault("COURSE_HOME", tempfile.mkdtemp(prefix="pretrained-course-"))
os.environ["COURSE_LIVE"] = "0"
os.environ.pop("COURSE_STRICT", None)
os.environ.pop("COURSE_PROFILE", None)

if "PYTEST_XDIST_WORKER" in os.environ:  # several workers share the cores: one thread each, set before torch loads
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]


def needs_program(*names: str) -> None:
    """Skip the test where a program is not installed; fail where `.ci/packages.txt` should have brought it."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing and os.environ.get("CI") and sys.platform == "linux":
        pytest.fail(f"{', '.join(missing)} not installed, which .ci/packages.txt is to bring")
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")


def needs_a_container() -> None:
    """Skip the test where the level "container" can't be had: for who is not root, or whose Python only he can read."""
    if getattr(os, "getuid", lambda: 1)() != 0:
        pytest.skip("the level container needs root")
    if closed := bubblewrap.closed_to_others():
        pytest.skip(f"nobody but its owner can enter {closed}, where this Python lies")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A fresh COURSE_HOME for one test."""
    folder = tmp_path / "home"
    monkeypatch.setenv("COURSE_HOME", str(folder))
    return folder
