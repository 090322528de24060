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


EXCEPTIONS = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)]


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda exception: exception.__name__)
def test_an_exception_is_a_course_error_stands_in_the_drawn_tree_and_says_what_it_means(exception):
    assert issubclass(exception, errors.CourseError)
    assert re.search(rf"\b{exception.__name__}\b", errors.__doc__)
    assert inspect.getdoc(exception) and exception.__doc__ != exception.__base__.__doc__
