"""What the package offers, and what importing it costs."""

import importlib
import inspect
import re
import subprocess
import sys

import pytest

import course
from course import errors


@pytest.mark.parametrize("name", course.__all__)
def test_what_is_offered_can_be_imported_and_has_a_docstring(name):
    value = getattr(course, name)
    assert inspect.isfunction(value) or inspect.isclass(value)
    # A dataclass without one gets its own signature from Python.
    assert inspect.getdoc(value) and not inspect.getdoc(value).startswith(f"{name}(")


def test_all_is_what_dir_shows_and_nothing_else_is_there():
    assert set(course.__all__) <= set(dir(course))
    assert len(set(course.__all__)) == len(course.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        course.no_such_name  # noqa: B018


def test_what_judging_offers_can_be_imported():
    judging = importlib.import_module("course.judging")
    assert all(getattr(judging, name) is not None for name in judging.__all__)


def test_importing_the_course_and_its_command_loads_no_torch():
    code = (
        "import sys, course, course.errors, course.runtime, course.notebook.record\n"
        "import course.judging, course.authoring, course.cli.app\n"
        "print([name for name in ('torch', 'numpy', 'matplotlib', 'transformers', 'IPython') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def drawn_tree():
    """(name, parent) of every line of the tree in the docstring of errors.py."""
    parents: dict[int, str] = {}
    for line in errors.__doc__.splitlines():
        match = re.match(r"([│├└─ ]*)([A-Z]\w+)(?:  |$)", line)
        if match:
            depth, name = len(match[1]) // 4, match[2]
            parents[depth] = name
            yield name, parents.get(depth - 1) if depth else None


def test_the_drawn_tree_is_the_tree_of_exceptions():
    drawn = dict(drawn_tree())
    defined = {
        name: next((base.__name__ for base in value.__bases__ if issubclass(base, errors.CourseError)), None)
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert drawn == defined
    assert len(drawn) > 20


def test_every_exception_says_what_it_means():
    assert all(getattr(errors, name).__doc__ for name, _ in drawn_tree())
