"""A notebook's definitions are executed, its experiments are not."""

from course.judging import definitions
from course.judging.answers import AnswerCell
from course.judging.definitions import namespace_of
from course.judging.exercise import find_exercise


def namespace(*sources):
    """The namespace of these cells; the last one is the answer."""
    cells = [{"source": source, "id": None, "metadata": {}} for source in sources]
    return namespace_of(cells, [AnswerCell(find_exercise("02-freeze-backbone"), sources[-1])])


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


def test_a_statement_that_fails_exits_or_never_ends_is_passed_over(monkeypatch, capfd):
    monkeypatch.setattr(definitions, "STATEMENT_LIMIT_S", 0.1)
    names = namespace(
        "import no_such_module\na = 1 / 0\nb = exit()\nc = [0 for _ in iter(int, 1)]\nd = print('x' * 10**6)",
        "def freeze(m): return a, b, c, d",
    )
    assert callable(names["freeze"]) and not {"a", "b", "c"} & names.keys()
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
