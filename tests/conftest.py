"""Two tiers: `pytest` leaves out what is marked slow, `pytest --slow` runs everything.

Everything that the tests keep goes to a temporary COURSE_HOME, and nobody is watching.
"""

import os
import re
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

# Workers share the cores, and models as small as the tests' lose by a second thread. Set before torch loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
EXERCISES = ROOT / "tests" / "exercises"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run everything, what is marked slow too")


def pytest_report_header(config: pytest.Config) -> str:
    return "tier: everything" if config.getoption("slow") else "tier: fast (--slow runs everything)"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is slow, but for a test that the command line names."""
    if config.getoption("slow") or any("::" in argument for argument in config.args):
        return
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("slow")])
    items[:] = [item for item in items if not item.get_closest_marker("slow")]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """No workers for a handful of tests, which would be done before those had imported torch."""
    few = config.option.keyword or config.option.collectonly or any("::" in a or ".py" in a for a in config.args)
    return 0 if few else None  # None: as many as there are cores


def named_exercise(config: pytest.Config) -> str:
    """The id of the exercise that `-k` asks for, as in `pytest -k 07-measure-overlap`; "" for any other `-k`."""
    found = re.fullmatch(r"\d\d(-[a-z]+)+", config.option.keyword)
    return found[0] if found else ""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Asked for one exercise, look only where exercises are tested: importing all other tests takes ten seconds."""
    if named_exercise(config) and collection_path.name.startswith("test_"):
        return EXERCISES not in collection_path.parents or None
    return None


def needs_program(*names: str) -> None:
    """Skip the test where a program is not installed; fail where `.ci/packages.txt` should have brought it."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing and os.environ.get("CI") and sys.platform == "linux":
        pytest.fail(f"{', '.join(missing)} not installed, which .ci/packages.txt is to bring")
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")


def needs_a_container() -> None:
    """Skip the test where the level "container" can't be had: it takes root, and a Python that others can read."""
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
