"""Syntax of a newer Python is recognised, and a mistake is not taken for it."""

import sys

import pytest

from course.judging.answers import problem_of
from course.judging.newer_python import needed_version
from course.judging.notebook_files import Notebook

NEWER = {
    'print(f"{d["a"]}")': 12,
    "f'{', '.join(x)}'": 12,
    "f'{'\\n'.join(x)}'": 12,
    "x = f'{a:{w}.{f'{p}'}} {x!r:>3} {y=} {z != 1}'": 12,
    "f'''{\n    x  # a comment\n}'''": 12,
    "def f[T](x: T) -> T: return x": 12,
    "async def f[*Ts, **P](): pass": 12,
    "class Box[T: (int, str)]: pass": 12,
    "type X = list[int]\ntype Y[T] = dict[str, T]": 12,
    "class Box[T = int]: pass": 13,
    "try: pass\nexcept A, b.C: pass": 14,
    "x = t'{a}'": 14,
}


@pytest.mark.parametrize(("source", "minor"), NEWER.items())
def test_newer_syntax_names_the_python_that_has_it(source, minor):
    assert needed_version(source) == (f"3.{minor}" if sys.version_info < (3, minor) else "")


@pytest.mark.parametrize(
    "source",
    [
        *("def f(:", "f'{a'", "f'{a b}'", "f'{}'", "def f() return f'{d['x']}'", "x = 'a", "x = f'''{a}", "f'{a!x}'"),
        *("def f[T(x): pass", "type = 1 +", "except A, B: pass", "x = f'{a'\ny = '}'", "f'{", "(" * 5_000, "{" * 5_000),
    ],
)
def test_a_mistake_is_a_mistake_in_any_python(source):
    assert needed_version(source) == ""


WRONG, NEW = "def freeze(m) return m", "def freeze(m): return f'{m['x']}'"


def test_a_notebook_of_a_python_that_nobody_knows_here_is_not_judged_by_this_one():
    assert problem_of("x = 1", Notebook([], [], (3, 99))) is None
    assert problem_of(WRONG, Notebook([], [], (3, 99))).lacks == "Python 3.99"
    assert problem_of(WRONG, Notebook([], [], (3, 12))).lacks == ""
    assert "line 1 is not valid Python" in problem_of(WRONG, Notebook([], [])).message


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python has that syntax")
def test_a_cell_of_a_newer_python_says_which():
    problem = problem_of(NEW, Notebook([], []))
    assert problem.lacks == "Python 3.12"
    assert "this cell is written for Python 3.12 or newer, and is judged here with Python 3.11" in problem.message
