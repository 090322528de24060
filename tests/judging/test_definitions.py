"""A notebook's definitions are executed, its experiments are not."""

import asyncio
import sys

import pytest

from course.judging.answers import AnswerCell
from course.judging.definitions import execute
from course.judging.dependencies import plan_of
from course.judging.exercise import find_exercise

FREEZE = "02-freeze-backbone"


def plan(*sources):
    """What the last of these cells, the answer, needs of the others."""
    return plan_of([{"source": source} for source in sources], AnswerCell(find_exercise(FREEZE), sources[-1]))


def defined(*sources, **limits):
    return execute(plan(*sources).needed, **limits)


def namespace(*sources):
    """The namespace of these cells; the last one is the answer."""
    return defined(*sources).namespace


def test_functions_classes_and_constants_are_defined():
    names = namespace(
        "SIZE = 3\nNAME: str = 'x'",
        "def helper():\n    return SIZE\nclass Thing: pass",
        "def freeze(module):\n    return helper()",
    )
    assert names["freeze"](None) == 3
    assert {"SIZE", "NAME", "helper", "Thing"} <= names.keys()


def test_an_import_is_executed_only_if_an_answer_needs_it():
    names = namespace(
        "import math\nfrom os import path as p\nimport json\nfrom string import *",
        "def helper():\n    return math.floor(2.5)",
        "def freeze(module):\n    return p.join(str(helper()), 'x')",
    )
    assert names["freeze"](None) == "2/x"
    assert "json" not in names and "digits" in names


def test_experiments_do_not_run(capfd):
    names = namespace(
        "model = 1 / 0\nprint('ran')\nfor module in []: pass\nwith open('x') as f: pass",
        "history = print('trained')\nmodule = print('also a local name')",
        "def freeze(module):\n    model = module\n    return model",
    )
    assert names["freeze"](3) == 3
    assert not {"model", "history", "module", "f"} & names.keys()
    assert capfd.readouterr() == ("", "")


def test_an_assignment_that_an_answer_needs_is_executed_through_others():
    names = namespace(
        "base = [1]\nif base:\n    table = {}\ntable['x'] = base\nunused = list(base)",
        "pick = lambda: table['x']",
        "def freeze(module):\n    def inner():\n        return pick()\n    return inner()",
    )
    assert names["freeze"](None) == [1]
    assert "unused" not in names


def test_an_import_with_a_replacement_is_executed():
    names = namespace(
        "try:\n    import no_such_module\nexcept ImportError:\n    import math", "def freeze(m): return math.pi"
    )
    assert names["freeze"](None) > 3


def test_a_statement_that_fails_exits_or_never_ends_is_passed_over(capfd):
    cells = ("import no_such_module\na = 1 / 0\nb = exit()\nc = [0 for _ in iter(int, 1)]\nd = print('x' * 10**6)",)
    made = defined(*cells, "def freeze(m): return a, b, c, d, no_such_module", limit_s=0.1)
    assert callable(made.namespace["freeze"]) and not {"a", "b", "c"} & made.namespace.keys()
    assert [one.message for one in made.not_run] == [
        "`import no_such_module` did not run: ModuleNotFoundError: No module named 'no_such_module'",
        "`a = 1 / 0` did not run: ZeroDivisionError: division by zero",
        "`b = exit()` did not run: SystemExit: None",
        "`c = [0 for _ in iter(int, 1)]` did not run: took too long",
    ]
    assert [one.lacks for one in made.not_run] == ["no_such_module", "", "", ""]
    assert capfd.readouterr() == ("", "")


def test_the_answer_comes_last_and_magics_do_no_harm():
    names = namespace(
        "!pip install x\n%time\ndef freeze(m): return 'experiment'", "%%time\ndef freeze(m): return 'answer'"
    )
    assert names["freeze"](None) == "answer"


def test_postponed_annotations_hold_for_every_cell():
    names = namespace("from __future__ import annotations", "def freeze(m: NotThere): return 1")
    assert names["freeze"](None) == 1
    assert "freeze" not in namespace("def freeze(m: NotThere): return 1")


def test_a_traceback_shows_the_learners_own_line():
    import traceback

    names = namespace("x = 1", "\n\ndef freeze(m):\n    return m / 0")
    try:
        names["freeze"](1)
    except ZeroDivisionError as error:
        assert "line 4" in "".join(traceback.format_exception(error))
        assert "return m / 0" in "".join(traceback.format_exception(error))


# (cells above the answer, what the answer returns, what it must return)
MADE_ELSEWHERE = {
    "a method of a list": ("KINDS = []\nKINDS.append(3)", "KINDS", [3]),
    "an item and an attribute": ("class C: pass\nT = {}\nT['x'] = C()\nT['x'].y = 4", "T['x'].y", 4),
    "an augmented assignment": ("N = 1\nN += 2", "N", 3),
    "a function that binds a global name": ("def setup():\n    global N\n    N = 5\nsetup()", "N", 5),
    "a function that calls such a one": ("def f():\n    L.append(1)\ndef g(): f()\nL = []\ng()", "L", [1]),
    "a function that is passed it": ("def fill(x): x.append(6)\nL = []\nfill(L)", "L", [6]),
    "the target of a loop": ("for N, _ in [(7, 0)]: pass", "N", 7),
    "the target of a with": ("import io\nwith io.StringIO('x') as S: pass", "S.closed", True),
    "a walrus": ("if (N := 8) > 1: pass\n[M := x for x in [9]]", "(N, M)", (8, 9)),
    "a match": ("match [1, 2]:\n    case [N, *M]: pass", "(N, M)", (1, [2])),
    "setattr on an imported class": ("from torch import nn\nsetattr(nn.Module, 'mine', 10)", "nn.Module.mine", 10),
    "an attribute of an imported class": ("from torch import nn\nnn.Module.my = 11", "nn.Module.my", 11),
    "a registered function": (
        "import functools\n@functools.singledispatch\ndef f(x): return 0\n@f.register\ndef _(x: int): return 12",
        "f(1)",
        12,
    ),
    "a decorator that registers": (
        "R = {}\ndef register(f):\n    R[f.__name__] = f\n    return f\n@register\ndef g(): return 13",
        "R['g']()",
        13,
    ),
    "await at the top of a cell": ("import asyncio\nasync def f(): return 14\nN = await f()", "N", 14),
    "a class method that changes its class": ("class C:\n    x = []\nC.x.append(15)", "C.x[-1]", 15),
    "a name deleted from another": ("D = {'a': 1, 'b': 2}\ndel D['a']", "D", {"b": 2}),
    "an instance that is changed by its method": (
        "class Box:\n    x = 0\n    def put(self): self.x = 16\nB = Box()\nB.put()",
        "B.x",
        16,
    ),
    "a tuple taken apart": ("(A, B), *C = (1, 17), 2", "(B, C)", (17, [2])),
    "a file that the notebook writes": ("%%writefile helpers_17.py\nN = 18", "__import__('helpers_17').N", 18),
    "a file that it writes and runs": ("%%writefile ran_17.py\nN = 19\n", "N", 19),
    "a captured cell": ("%%capture out\nN = 20", "(N, out.stdout)", (20, "")),
    "a shell command's lines": ("L = !ls", "L", []),
    "a timing": ("T = %timeit -o 1 + 1", "T.average", 0.0),
}  # fmt: skip


@pytest.mark.parametrize(("above", "returned", "expected"), MADE_ELSEWHERE.values(), ids=MADE_ELSEWHERE)
def test_what_changes_a_needed_name_is_executed(above, returned, expected):
    answer = f"def freeze(m): return {returned}"
    cells = (above, "%run ran_17.py", answer) if "ran_17" in above else (above, answer)
    names = namespace(*cells)
    from torch import nn

    try:
        assert names["freeze"](None) == expected
    finally:
        for name in ("mine", "my"):
            if hasattr(nn.Module, name):
                delattr(nn.Module, name)
        sys.path[:] = [entry for entry in sys.path if "course-notebook-" not in entry]
        asyncio.set_event_loop_policy(None)


def test_what_the_answer_s_own_cell_does_is_executed_whatever_it_is():
    names = namespace(
        "X = []", "X.append(1)\nfor i in range(3): X.append(i)\ndef freeze(m): return X\nX.append('last')"
    )
    assert names["freeze"](None) == [1, 0, 1, 2, "last"]


def test_what_stands_below_the_answer_counts_only_where_nothing_above_makes_the_name():
    cells = [{"source": source} for source in (
        "FLAG = 1\nL = [1]", "def freeze(m): return FLAG, L, late(), LATE", "FLAG = 2\nL.append(2)\nLATE = []",
        "def late(): return 3\ndef FLAG(): pass\nLATE.append(4)")]  # fmt: skip
    answer = AnswerCell(find_exercise(FREEZE), cells[1]["source"])
    assert execute(plan_of(cells, answer).needed).namespace["freeze"](None) == (1, [1], 3, [4])


def test_a_library_that_only_annotates_is_not_needed():
    names = namespace("from no_such_library import Float", "def freeze(m: Float['a b'] | None) -> Float: return 1")
    assert names["freeze"](None) == 1


def test_a_kernel_s_names_are_there_and_mute(capsys):
    names = namespace("def freeze(m): return display('x'), get_ipython().run_line_magic('pip', 'install'), In, Out")
    assert names["freeze"](None) == (None, None, [""], {})
    assert capsys.readouterr().out == "x\n"


def test_the_whole_notebook_up_to_the_answer_is_known_where_something_was_left_out():
    made = plan("def f(): globals()['N'] = 3\nf()", "def freeze(m): return N")
    assert len(made.needed) == 2 and len(made.whole) == 3
    assert made.may_define({"N"}) and made.may_define({"anything"}) and not made.may_define(())
    assert not plan("print(1)", "def freeze(m): return N").may_define({"N"})
    assert plan("N = int(M)", "def freeze(m): return eval('N')").may_define({"N"})


def test_other_cells_cannot_take_the_time_of_the_answer_s_own():
    made = defined("def spin():\n    while True: pass\nX = spin()", "def freeze(m): return X", total_s=0.4)
    assert callable(made.namespace["freeze"]) and [one.names for one in made.not_run] == [("X",)]


def test_what_a_module_is_asked_to_do_is_an_experiment_however_it_was_imported():
    above = "try:\n    import math\nexcept ImportError:\n    math = None", "x = math.sqrt(2)\nmath.floor(x)"
    made = plan(*above, "def freeze(m): return math.pi")
    assert [one.cell for one in made.needed] == [above[0], "def freeze(m): return math.pi"]


def test_statements_that_compute_for_too_long_together_are_given_up():
    slow = "import time\ndef f():\n    end = time.process_time() + 0.2\n    while time.process_time() < end: pass\n"
    cells = (
        slow + "\n".join(f"a{n} = f()" for n in range(9)),
        "def freeze(m): return a0, a1, a2, a3, a4, a5, a6, a7, a8",
    )
    made = defined(*cells, total_s=0.5)
    assert 5 <= len(made.not_run) <= 8
    assert all(one.message.endswith("did not run: took too long") for one in made.not_run)
