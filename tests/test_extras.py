"""Without an extra: every command and function says in one line which command installs it."""

import subprocess
import sys
from importlib import metadata

import pytest

from course import extras
from course.errors import MissingExtra

# Top-level modules that only extras install: where these are not found, the installation is bare.
BLOCKED = (
    "sqlalchemy distributed dask hatchling psycopg datasets pyarrow tensorflow keras sphinx myst_nb papermill nbgrader"
)
BARE = f"""
from importlib.machinery import PathFinder
find_spec = PathFinder.find_spec
def find_others(name, path=None, target=None):
    if name.partition(".")[0] not in {BLOCKED.split()}:
        return find_spec(name, path, target)
PathFinder.find_spec = staticmethod(find_others)
"""
COMMAND = BARE + "from course.cli.app import main\nmain()"
FUNCTIONS = {
    "grade": "from course.grading.release.wheel import build_wheel\nbuild_wheel(Path(), Path())",
    "grade ": "from course.grading.run.pools import DaskPool\nDaskPool('tcp://127.0.0.1:1')",
    "full": "from course.data import text_datasets as t\nt.read_rows(t.ENTITIES, {'train': ''}, 'train')",
    "zoo": "from course.zoo.keras_models import import_keras\nimport_keras()",
}


def bare(program, *arguments, folder=None):
    """What a program prints and returns where no extra is installed."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        ("grade . --out out", "grade"),
        ("grade . --out out --gradebook postgresql://x/y", "grade"),
        ("report --out out", "grade"),
        ("export grades.csv --format csv --out out", "grade"),
    ],
)
def test_a_command_without_its_extra_ends_with_one_line_that_installs_it(arguments, extra, tmp_path):
    run = bare(COMMAND, *arguments.split(), folder=tmp_path)
    assert (run.returncode, run.stdout) == (2, ""), run.stderr
    (line,) = run.stderr.splitlines()
    name = arguments.partition(" ")[0]
    assert line.startswith(f"course: course {name} needs sqlalchemy, which is not installed; run: ")
    assert line.endswith(f'-m pip install "pretrained-course[{extra}]"')


@pytest.mark.parametrize("arguments", ["fetch --list", "progress", "release --help"])
def test_every_other_command_needs_no_extra(arguments, home, tmp_path):
    run = bare(COMMAND, *arguments.split(), folder=tmp_path)
    assert run.returncode in (0, 1) and "Traceback" not in run.stderr, run.stderr


@pytest.mark.parametrize(("extra", "call"), FUNCTIONS.items(), ids=lambda text: text.splitlines()[0])
def test_a_function_without_its_extra_raises_an_error_of_ours_with_the_command(extra, call):
    program = f"{BARE}\nfrom pathlib import Path\nfrom course.errors import SetupError\ntry:\n"
    program += "".join(f"    {line}\n" for line in call.splitlines()) + "except SetupError as error:\n    print(error)"
    run = bare(program)
    assert run.stdout.rstrip().endswith(f'-m pip install "pretrained-course[{extra.strip()}]"'), run.stderr


@pytest.mark.parametrize(
    ("module", "extra"),
    [("sqlalchemy", "grade"), ("yaml", "grade"), ("psycopg", "postgres"), ("pyarrow", "full"), ("keras", "zoo")],
)
def test_the_smallest_extra_with_a_module_is_named(module, extra):
    assert extras.extra_with(module) == extra


def test_the_modules_that_this_test_refuses_are_all_in_an_extra():
    assert [module for module in BLOCKED.split() if extras.extra_with(module) is None] == []


def test_a_missing_module_of_no_extra_is_left_alone():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), extras.needed_for("this"):
        import no_such_module  # noqa: F401


def test_without_metadata_no_extra_is_known(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    assert extras.extra_with("sqlalchemy") is None


def test_the_error_says_what_needs_the_package():
    with (
        pytest.raises(MissingExtra, match=r"^a page needs jinja2, which is not installed; run: "),
        extras.needed_for("a page"),
    ):
        raise ModuleNotFoundError("No module named 'jinja2.ext'", name="jinja2.ext")
