"""Whatever an answer does, a reply comes back with a message a beginner can read, and nothing of it stays."""

import getpass
import random
import sys
import types
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import course.errors
from course.errors import WriteItYourself
from course.judging import wire
from course.judging.exercise import Exercise
from course.judging.runner import LocalRunner, withheld


def run(answer, *, time_limit_s=5.0, withholds=(), **case):
    exercise = Exercise("02-x", "solve", "solve(x)", "t", withholds=withholds, time_limit_s=time_limit_s)
    probe = {}
    exec(compile("def probe(answer, case): return answer(case['x'])", course.errors.__file__, "exec"), probe)
    exercise.run_probe = probe["probe"]  # stands in the course, as every probe does
    return LocalRunner({"solve": answer}).run_case(exercise, wire.encode({"x": torch.zeros(2), **case}))


def own(source):
    """An answer with a source of its own, as in a notebook."""
    namespace = {}
    exec(compile(source, "<cell 1>", "exec"), namespace)
    return namespace["solve"]


class CannotSayWhy(Exception):
    def __str__(self):
        raise RuntimeError


def leaves_by_exit(x):
    sys.exit(3)


def raises_an_interrupt(x):
    raise KeyboardInterrupt


def raises_the_mute(x):
    raise CannotSayWhy


def recurses(x):
    return recurses(x)


def returns_megabytes(x):
    return torch.zeros(1).expand(10**9)


def asks(x):
    return input("a number? ")


def asks_for_a_secret(x):
    return getpass.getpass()


def reads_what_is_typed(x):
    return list(sys.stdin)


def not_written(x):
    raise NotImplementedError


def swallows(x):
    while True:
        try:  # noqa: SIM105
            x + 1
        except BaseException:
            pass


FAILURES = {
    3: ("error", "`solve` is not a function or class but an int; define it as `solve(x)` and run its cell"),
    leaves_by_exit: ("error", "`solve` called exit() or raised SystemExit; use `return`"),
    raises_an_interrupt: ("interrupted", "`solve` was interrupted before it returned; run the cell again"),
    raises_the_mute: ("error", "`solve` raised CannotSayWhy"),
    recurses: ("error", "`solve` raised RecursionError: maximum recursion depth"),
    returns_megabytes: ("unusable", "return less"),
    not_written: ("error", "`solve` still raises NotImplementedError; replace that line"),
    asks: ("error", "your code called input(), which waits for somebody to type; take the value as an argument"),
    asks_for_a_secret: ("error", "your code called getpass(), which waits for somebody to type"),
    reads_what_is_typed: ("error", "your code called sys.stdin.read(), which waits for somebody to type"),
    (lambda: 1): ("error", "`solve` is called as `solve(x)`, and that raised TypeError"),
    (lambda x: 1 / 0): ("error", "`solve` raised ZeroDivisionError: division by zero"),
    (lambda x: "a" + 1): ("error", "`solve` raised TypeError: can only concatenate"),
}


@pytest.mark.parametrize(("answer", "expected"), FAILURES.items(), ids=range(len(FAILURES)))
def test_a_failure_has_a_kind_and_a_readable_message(answer, expected):
    reply = run(answer)
    assert reply.artefacts is None
    assert reply.failure.kind == expected[0]
    assert expected[1] in reply.failure.message


def test_a_name_that_is_not_there_is_missing():
    exercise = Exercise("02-x", "solve", "solve(x)", "t")
    assert LocalRunner({}).run_case(exercise, wire.encode({})).failure.kind == "missing"


@pytest.mark.parametrize(
    "answer", [swallows, lambda x: __import__("time").sleep(60), lambda x: [1 for _ in iter(int, 1)]]
)
def test_an_answer_that_never_returns_is_stopped(answer):
    failure = run(answer, time_limit_s=0.1).failure
    assert failure.kind == "timeout"
    assert "did not return within 0.1 s; " in failure.message


def test_reading_what_came_back_is_within_the_time_limit():
    class Slow:
        def __repr__(self):
            while True:
                pass

    assert run(lambda x: Slow(), time_limit_s=0.1).failure.kind == "timeout"


def test_a_cell_is_called_your_cell_and_not_by_the_kernels_file():
    namespace = {}
    source = "def solve(x):\n    return x.missing"
    exec(compile(source, "/tmp/ipykernel_27487/4069758913.py", "exec"), namespace)
    trace = run(namespace["solve"]).failure.traceback
    assert "Your cell, line 2, in solve" in trace and "ipykernel" not in trace


def test_the_traceback_holds_the_learners_lines_alone():
    trace = run(own("import torch\ndef solve(x):\n    return torch.stack([x, x[:1]])")).failure.traceback
    assert 'File "<cell 1>", line 3' in trace
    assert "judging/runner.py" not in trace and "site-packages" not in trace


def test_what_is_printed_is_kept_up_to_a_limit_and_stays_off_the_screen(capfd):
    reply = run(
        lambda x: [print("y" * 10**7), print("err", file=sys.stderr), warnings.warn("careful", stacklevel=1)][:0]
    )
    assert reply.failure is None
    assert len(reply.printed) < 3_000 and "characters more" in reply.printed
    assert capfd.readouterr() == ("", "")


def test_a_warning_is_printed_and_never_an_error(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reply = run(lambda x: warnings.warn("careful", stacklevel=1))
        with pytest.raises(UserWarning):
            warnings.warn("still an error outside", stacklevel=1)
    assert "careful" in reply.printed and capfd.readouterr() == ("", "")


def test_a_logging_handler_of_an_earlier_cell_is_kept_off_the_screen_too(capsys):
    import logging

    handler = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger("learner")
    logger.addHandler(handler)
    try:
        assert "logged" in run(lambda x: logger.error("logged")).printed
    finally:
        logger.removeHandler(handler)
    assert capsys.readouterr().err == ""
    print("back", file=sys.stderr)
    assert capsys.readouterr().err == "back\n"


def test_inputs_that_an_answer_changes_are_its_own():
    case = {"x": torch.zeros(2)}
    reply = run(lambda x: x.add_(1), **case)
    assert wire.decode(reply.artefacts).tolist() == [1, 1] and case["x"].tolist() == [0, 0]


def state_of_the_world():
    return (
        *(random.getstate(), tuple(np.random.get_state()[1]), tuple(torch.get_rng_state().tolist())),
        *(torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype()),
        *(torch.get_default_device(), sys.stdout, sys.stderr, tuple(warnings.filters)),
    )


def disturb(x):
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    sys.stdout = None
    warnings.simplefilter("ignore")
    raise ValueError


def test_generators_modes_defaults_and_streams_are_as_before():
    before = state_of_the_world()
    run(disturb)
    assert state_of_the_world() == before


def test_an_answer_meets_the_same_world_whatever_the_notebook_has_set():
    def world(x):
        y = torch.zeros(1, requires_grad=True) * 2
        return [str(y.dtype), str(y.device), y.requires_grad, y.is_inference(), torch.rand(1), random.random()]

    expected = run(world)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.inference_mode(), torch.device("meta"):
            assert run(world).artefacts == expected.artefacts
    finally:
        torch.set_default_dtype(before)


@pytest.fixture
def library(monkeypatch):
    """A module with a function, decorated ones and classes, as the library has them."""
    module = types.ModuleType("a_library")
    source = """
import functools, torch
def plain(x, y=1, *, z=2):
    return x
@torch.no_grad()
def decorated(x):
    return x
def outer():
    kept = 5
    def closure(x):
        return x + kept - kept
    return closure
closure = outer()
class Own(torch.nn.Module):
    def __init__(self, x):
        super().__init__()
        self.x = x
class Inherits(torch.nn.Linear):
    pass
"""
    exec(source, vars(module))
    monkeypatch.setitem(sys.modules, "a_library", module)
    return module


@pytest.mark.parametrize("name", ["plain", "decorated", "closure", "Own"])
def test_what_is_withheld_refuses_and_works_again_after_an_exception(library, name):
    earlier = getattr(library, name)
    with pytest.raises(ZeroDivisionError), withheld((f"a_library.{name}",)):
        with pytest.raises(WriteItYourself, match=f"a_library.{name} does what this exercise asks you to write"):
            earlier(1)
        with pytest.raises(WriteItYourself), withheld((f"a_library.{name}",)):  # a check within a check
            earlier(1)
        raise ZeroDivisionError
    assert earlier(1) is not None


def test_withholding_a_class_leaves_the_class_it_inherits_from_alone(library):
    with withheld(("a_library.Inherits",)):
        nn.Linear(1, 1)
        with pytest.raises(WriteItYourself, match=r"a_library\.Inherits"):
            library.Inherits(1, 1)
    assert library.Inherits(1, 1).in_features == 1
    assert "__init__" not in vars(library.Inherits)


@pytest.mark.parametrize(
    "name", ["course.models.freeze", "course.training.features.extract_features", "course.models.lora.LoRALinear"]
)
def test_the_courses_own_answers_can_be_withheld(name):
    import importlib

    module, _, attribute = name.rpartition(".")
    target = getattr(importlib.import_module(module), attribute)
    reply = run(lambda x: target(nn.Linear(1, 1)), withholds=(name,))
    assert reply.failure.kind == "withheld" and name in reply.failure.message
    if attribute != "extract_features":
        assert target(nn.Linear(1, 1)) is not None
