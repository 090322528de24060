"""The answers are found in a notebook of any origin, and an untouched one is told from an attempted one."""

import ast
import json

import pytest
from torch import nn

from course.errors import ExerciseError
from course.judging.answers import (
    find_answers,
    is_untouched,
    parse,
    read_notebook,
    source_of,
    syntax_error,
)
from course.judging.bindings import names_bound
from course.judging.definitions import namespace_of
from course.judging.exercise import find_exercise
from tests.conftest import ROOT

ID = "02-freeze-backbone"
DEFINED = "def freeze(module):\n    module.requires_grad_(False)\n"
CHECK = f'check("{ID}")'


def cell(source, **fields):
    return {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source, **fields}


def answers_in(tmp_path, *cells, **content):
    path = tmp_path / "answers.ipynb"
    path.write_text(json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **content}))
    return find_answers(read_notebook(path))


def only(answers):
    (answer,) = answers
    assert answer.exercise is find_exercise(ID)
    return answer


NBGRADER = {"nbgrader": {"grade_id": ID, "solution": True, "grade": False, "locked": False, "schema_version": 3}}
FORMS = {
    "Jupyter: the cell's id": [cell(DEFINED.splitlines(True), id=ID)],
    "nbgrader: its metadata": [cell(DEFINED, metadata=NBGRADER, id="a1b2")],
    "Colab: the comment alone": [{"cell_type": "code", "source": f"# exercise: {ID}\n{DEFINED}"}],
    "VS Code: language metadata": [cell(f"# exercise: {ID}\n{DEFINED}", metadata={"vscode": {"languageId": "python"}})],
    "only the name, the check tells the chapter": [cell(DEFINED), cell(CHECK)],
    "a lambda": [cell("freeze = lambda module: module.requires_grad_(False)"), cell(CHECK)],
    "in another order": [cell(CHECK), {"cell_type": "markdown", "source": "x"}, cell(DEFINED, id=ID)],
    "metadata that is no dict": [cell(DEFINED, id=ID, metadata=None)],
    "the comment in a cell of its own": [cell(f"# exercise: {ID}\nimport torch", id=ID), cell(DEFINED)],
    "beside magics": [cell("%matplotlib inline\n!pip install \\\n  timm\n" + DEFINED + "freeze?", id=ID)],
    "timed": [cell("%%time\n" + DEFINED, id=ID)],
    "the library's own is imported elsewhere": [cell("from course import freeze"), cell(DEFINED), cell(CHECK)],
}


@pytest.mark.parametrize("cells", FORMS.values(), ids=FORMS)
def test_the_answer_is_found(tmp_path, cells):
    answer = only(answers_in(tmp_path, *cells))
    assert "requires_grad_(False)" in answer.source
    assert answer.attempted and not answer.notes


def test_nbformat_3_is_read(tmp_path):
    sheets = [
        {"cells": [{"cell_type": "code", "input": "x = 1"}]},
        {"cells": [{"cell_type": "code", "input": DEFINED}]},
    ]
    path = tmp_path / "old.ipynb"
    sheets[0]["cells"].append({"cell_type": "code", "input": [CHECK]})
    path.write_text(json.dumps({"worksheets": sheets, "nbformat": 3}))
    assert only(find_answers(read_notebook(path))).source == DEFINED


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "windows.ipynb"
    path.write_text(json.dumps({"cells": [cell(DEFINED, id=ID)]}), encoding="utf-8-sig")
    assert only(find_answers(read_notebook(path))).source == DEFINED


def test_of_copied_cells_the_last_one_counts_and_the_answer_says_so(tmp_path):
    answer = only(answers_in(tmp_path, cell("def freeze(m): ...", id=ID), cell(DEFINED, id=ID)))
    assert answer.source == DEFINED
    assert answer.notes == ("2 cells hold this exercise; the last one counts",)


RELEASED = "def freeze(module):\n    raise NotImplementedError\n"


@pytest.mark.parametrize("cells", [[cell(RELEASED, id=ID), cell(DEFINED)], [cell(DEFINED), cell(RELEASED, id=ID)]])
def test_an_answer_in_a_cell_of_its_own_counts_where_the_exercise_s_is_untouched(tmp_path, cells):
    answer = only(answers_in(tmp_path, *cells))
    assert answer.source == DEFINED and answer.attempted
    assert answer.notes == ("`freeze` is written in another cell than the exercise's; that one counts",)
    module = nn.Linear(1, 1)
    namespace_of(cells, answer)["freeze"](module)
    assert not module.weight.requires_grad, "it is what is judged"


def test_beside_an_attempted_answer_another_cell_does_not_count_and_the_answer_says_so(tmp_path):
    answer = only(answers_in(tmp_path, cell("def freeze(m): ...", id=ID), cell(DEFINED)))
    assert answer.source == "def freeze(m): ..."
    assert answer.notes == (
        "`freeze` is defined in another cell as well, which does not count; answer in the exercise's cell",
    )


def test_no_released_notebook_defines_an_answer_outside_its_cell():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert [answer.notes for answer in find_answers(read_notebook(path)) if answer.notes or answer.attempted] == []


def test_a_missing_exercise_is_left_out(tmp_path):
    assert answers_in(tmp_path, cell("x = 1")) == []
    assert answers_in(tmp_path, cell(CHECK)) == []


def test_an_answer_with_a_syntax_error_is_still_the_answer(tmp_path):
    broken = "def freeze(module):\n    return module requires_grad\n"
    for cells in ([cell(broken, id=ID), cell("from course import freeze")], [cell(broken), cell(CHECK)]):
        answer = only(answers_in(tmp_path, *cells))
        assert answer.source == broken and answer.attempted
    assert syntax_error(broken).startswith("line 2 is not valid Python")
    assert "return module requires_grad" in syntax_error(broken)
    assert syntax_error(DEFINED) == ""


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"cells": 3}',
        '{"cells": [3]}',
        "[" * 100_000,
        '{"cells": null}',
    ],
)
def test_what_is_no_notebook_is_refused_with_advice(tmp_path, text):
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    with pytest.raises(ExerciseError, match=r"is not a Jupyter notebook; save it as \.ipynb"):
        read_notebook(path)


@pytest.mark.parametrize("text", ["no JSON", '{"worksheets": []', '{"cells": [{"cell_type": "co'])
def test_a_damaged_notebook_is_refused_with_the_line_where_it_breaks(tmp_path, text):
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    with pytest.raises(ExerciseError, match=r"damaged or not a notebook: the JSON ends or breaks in line 1"):
        read_notebook(path)


def test_a_file_of_another_kind_is_called_no_notebook(tmp_path):
    path = tmp_path / "answers.py"
    path.write_text("def freeze(module): ...")
    with pytest.raises(ExerciseError, match=r"is not a notebook: its name ends in \.py.*give the \.ipynb file"):
        read_notebook(path)


def test_a_file_that_is_missing_or_huge_is_refused_with_advice(tmp_path):
    with pytest.raises(ExerciseError, match="cannot be read"):
        read_notebook(tmp_path / "missing.ipynb")
    huge = tmp_path / "huge.ipynb"
    with huge.open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(ExerciseError, match="over 50 MiB; clear its outputs"):
        read_notebook(huge)


@pytest.mark.parametrize(
    "source",
    [
        "x = (7\n% 3)",
        "x = '''\n%time\n'''",
        "%time x = 1",
        "files = !ls\ny = 1",
        "x?\n?x\nx??",
        "!pip install \\\n  a\nz = 1",
    ],
)
def test_python_and_magics_are_told_apart(source):
    tree = parse(source)
    assert tree.body
    assert source != "x = (7\n% 3)" or ast.unparse(tree) == "x = 7 % 3"


@pytest.mark.parametrize("source", ["def f(:", "\0", "'\ud800'", "(" * 5_000])
def test_what_is_no_python_gives_an_empty_tree(source):
    assert parse(source).body == []


STUB = "raise NotImplementedError"
UNTOUCHED = {
    "bare": f"def freeze(module):\n    {STUB}",
    "docstring": f'def freeze(module):\n    """Doc."""\n    {STUB}',
    "comments": f"# one\ndef freeze(module):\n    # two\n    {STUB}  # three",
    "decorated": f"@torch.no_grad()\ndef freeze(module):\n    {STUB}",
    "type hints": f"def freeze(module: nn.Module, *, deep: bool = True) -> None:\n    {STUB}",
    "called": "def freeze(module):\n    raise NotImplementedError()",
    "beside imports": f"import torch\nfrom torch import nn\nx = 1\ndef freeze(module):\n    {STUB}",
    "async": f"async def freeze(module):\n    {STUB}",
    "class": f'class freeze(A):\n    """Doc."""\n    def __init__(self):\n        super().__init__()\n        {STUB}',
    "class of two": f"class freeze:\n    def __init__(self, x):\n        self.x = x\n    def go(self):\n        {STUB}",
}
ATTEMPTED = {
    "body": DEFINED,
    "pass": "def freeze(module):\n    pass",
    "docstring alone": 'def freeze(module):\n    """Doc."""',
    "a line above the stub": f"def freeze(module):\n    module.eval()\n    {STUB}",
    "an assignment above it": f"def freeze(module):\n    x = 1\n    {STUB}",
    "a loop above it": f"def freeze(module):\n    for p in module: p\n    {STUB}",
    "in a branch": f"def freeze(module):\n    if module:\n        {STUB}",
    "another exception": "def freeze(module):\n    raise ValueError",
    "redefined below": f"def freeze(module):\n    {STUB}\n{DEFINED}",
    "one method written": f"class freeze:\n    def a(self):\n        {STUB}\n    def b(self):\n        return 1",
    "another name": f"def thaw(module):\n    {STUB}",
    "a lambda": "freeze = lambda module: None",
}


@pytest.mark.parametrize("source", UNTOUCHED.values(), ids=UNTOUCHED)
def test_a_released_answer_is_untouched(source):
    assert is_untouched(source, "freeze")


@pytest.mark.parametrize("source", ATTEMPTED.values(), ids=ATTEMPTED)
def test_anything_else_is_attempted(source):
    assert not is_untouched(source, "freeze")


def test_the_source_of_a_decorated_function_and_of_a_class_is_found():
    import torch

    assert "def own_function" in source_of(torch.no_grad()(own_function))
    assert "class OwnClass" in source_of(OwnClass)
    assert source_of(len) == "" and source_of(3) == "" and source_of(torch.nn.Linear(1, 1)) == ""


def own_function(x):
    return x


class OwnClass:
    size: int = 3

    def method(self):
        return self.size


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("X: dict[str, list[int]] = {}", {"X"}),
        ("a, (b, *c) = d", {"a", "b", "c"}),
        ("x += [y for y in z]", {"x"}),
        ("if q:\n    w = v", {"w"}),
        ("for a, b in c:\n    d = [e for e in f]", {"a", "b", "d"}),
        ("with open(p) as f, q as (g, h): pass", {"f", "g", "h"}),
        ("if (n := len(x)) > 1 and [m := y for y in x]: pass", {"n", "m"}),
        ("match v:\n    case [a, *b]: pass\n    case {'k': c, **d} as e: pass", set("abcde")),
        ("try: import x.y as z\nexcept E as e: f()", {"z", "e"}),
        ("@d\ndef f(a=(b := 1)): c = 2", {"f"}),
        ("table[k] = other.rows = 1", {"table", "other"}),
        ("lambda: (a := 1)", {"a"}),
    ],
)
def test_a_statement_binds_its_targets_and_not_its_annotation_or_value(source, names):
    assert names_bound(ast.parse(source).body[0]) == names
