"""A cell is turned into what a kernel runs, its lines where they were."""

import ast

import pytest

from course.judging.answers import parse, python_of, syntax_error
from course.judging.kernel_syntax import as_python

PLAIN = {
    "a timed cell with a black-formatted line": ("%%time\nn = (\n    7\n    % 4\n)", "n = 7 % 4"),
    "a docstring beside a shell line": ("!pip install x\ndef f():\n    '''\n    %time\n    !x\n    '''", None),
    "indented": ("    def f():\n        return 1", "def f():\n    return 1"),
    "prompts of Python": (">>> def f():\n...     return 1\n>>> x = f()", "def f():\n    return 1\nx = f()"),
    "prompts of IPython": ("In [1]: def f():\n   ...:     return 1", "def f():\n    return 1"),
    "a timed line": ("%time x = f(1)", "x = f(1)"),
    "a timed value": ("x = %time f(1)", "x = f(1)"),
    "a timed shell line": ("%time !ls", "get_ipython().system('ls')"),
    "a shell assignment to an attribute": ("obj.x = !ls", "obj.x = get_ipython().getoutput('ls')"),
    "a magic assigned to an item": ("d[k] = %timeit -o f()", "d[k] = get_ipython().run_line_magic('timeit', '-o f()')"),
    "help": ("freeze?", "get_ipython().run_line_magic('pinfo', 'freeze')"),
    "captured": ("%%capture out\nx = 1", "out = get_ipython().run_cell_magic('capture', '', '')\nx = 1"),
    "one magic above another": ("\n%%time\n%%capture\nx = 1", "x = 1"),
    "another language": ("%%bash\nls", "get_ipython().run_cell_magic('bash', '', 'ls\\n')"),
    "unbalanced quotes in a shell line": ("!echo it's\nx = 1", 'get_ipython().system("echo it\'s")\nx = 1'),
}


@pytest.mark.parametrize(("source", "expected"), PLAIN.values(), ids=PLAIN)
def test_what_a_kernel_accepts_becomes_plain_python(source, expected):
    text = as_python(source)
    assert as_python(text) == text or python_of(text) == text
    if expected is not None:
        assert ast.unparse(ast.parse(text)) == expected


@pytest.mark.parametrize(
    "source",
    [
        "%%time\n\n%matplotlib inline\nx = 1 / 0",
        "!pip install \\\n    a \\\n    b\nx = 1 / 0",
        "\n\n    y = 1\n    x = 1 / 0",
    ],
)
def test_lines_stay_where_they_were(source):
    at = next(number for number, line in enumerate(source.splitlines(), 1) if "x = 1 / 0" in line)
    assert parse(source).body[-1].lineno == at


def test_plain_python_is_left_alone():
    for source in ("x = (7\n% 3)", "x = '''\n%time\n'''", "# only a comment", "", "x = 1"):
        assert python_of(source) == source


def test_a_mistake_is_shown_as_the_learner_wrote_it():
    message = syntax_error("%%time\n%matplotlib inline\ndef f():\n    return 1 +\n")
    assert message == "line 4 is not valid Python: invalid syntax, in `return 1 +`"


def test_more_magics_than_a_kernel_takes_are_refused():
    assert "magics" in syntax_error("!a\n" * 501)
