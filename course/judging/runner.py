"""Run an exercise's probe beside the answer in this process, and withhold the library's own answers meanwhile."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import re
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any, Protocol

import torch._dynamo  # noqa: F401  the first optimizer imports it: seconds that would count against a time limit

import course
from course.errors import MachineBusy, NobodyTypes, TimeLimitReached, WireError, WriteItYourself
from course.judging import wire
from course.judging.definitions import missing_module
from course.judging.exercise import Exercise
from course.judging.expectations import Unusable
from course.judging.isolation import captured, own_generators, plain_torch
from course.judging.moved import explanation
from course.judging.results import FINAL, Failure, NotRun, Reply
from course.judging.timelimit import PATIENCE, time_limit

_COURSE = str(Path(course.__file__).resolve().parent)
_CELL = re.compile(r'File "[^"\n]*ipykernel_\d+[/\\]\d+\.py"')  # how a kernel names a cell, in a temporary folder
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


class Runner(Protocol):
    """Runs the probe of an exercise on cases, which travel as `wire` bytes, as the artefacts do.

    A reply to each case, in order; after a FINAL failure no more follow.
    """

    def run(self, exercise: Exercise, cases: Sequence[bytes], seed: int = 0) -> list[Reply]: ...


class LocalRunner:
    """The answers in a namespace of this process, as in a notebook. `not_run` is what failed when it was made."""

    def __init__(
        self, namespace: dict[str, Any], not_run: Sequence[NotRun] = (), *, patience: float = PATIENCE
    ) -> None:
        self.namespace, self._not_run, self._patience = namespace, not_run, patience
        self._essential = tuple(one for one in not_run if one.essential)

    def run(self, exercise: Exercise, cases: Sequence[bytes], seed: int = 0) -> list[Reply]:
        """Run the probe beside the answer. Never raises for what the answer does; printing is kept off the screen.

        Raises MachineBusy where this machine has no time for it.
        """
        replies: list[Reply] = []
        for case in cases:
            replies.append(self.run_case(exercise, case, seed))
            if (failure := replies[-1].failure) and failure.kind in FINAL:
                break
        return replies

    def run_case(self, exercise: Exercise, case: bytes, seed: int = 0) -> Reply:
        """The reply to one case."""
        answer = self.namespace.get(exercise.answer)
        if not callable(answer):
            failure = _no_answer(exercise, answer, missing=exercise.answer not in self.namespace)
            return self._reply(None, self._explained(failure, exercise.answer))
        with captured() as screen, own_generators(seed), plain_torch():
            try:
                inputs = wire.decode(case)
                with withheld(exercise.withholds), time_limit(exercise.time_limit_s, patience=self._patience):
                    artefacts = wire.encode(exercise.run_probe(answer, inputs))
                return self._reply(artefacts, None, screen.text())
            except MachineBusy:
                raise
            except BaseException as error:  # an answer may raise anything, SystemExit and KeyboardInterrupt too
                failure = self._explained(_failure(error, exercise), _undefined(error), missing_module(error))
                return self._reply(None, failure, screen.text())

    def _reply(self, artefacts: bytes | None, failure: Failure | None, printed: str = "") -> Reply:
        return Reply(artefacts, failure, printed, self._essential)

    def _explained(self, failure: Failure, undefined: str, lacks: str = "") -> Failure:
        """A failure with the name or module that was missing, and with why, where a statement failed that makes it."""
        failure = replace(failure, undefined=undefined, lacks=lacks)
        makers = [one for one in self._not_run if undefined and {undefined, "*"} & set(one.names)]
        if not makers:
            return failure
        said = f"{failure.message}; {makers[-1].message}"
        kind = "error" if failure.kind == "missing" else failure.kind
        return replace(failure, kind=kind, message=said, undefined=makers[-1].undefined, lacks=makers[-1].lacks)


def _no_answer(exercise: Exercise, answer: Any, *, missing: bool) -> Failure:
    if missing:
        return Failure(
            "missing", f"`{exercise.answer}` is not defined; define it as `{exercise.call}` and run its cell"
        )
    return Failure(
        "error",
        f"`{exercise.answer}` is not a function or class but {_article(type(answer).__name__)}; "
        f"define it as `{exercise.call}` and run its cell",
    )


def _article(noun: str) -> str:
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def _failure(error: BaseException, exercise: Exercise) -> Failure:
    name, text = f"`{exercise.answer}`", _text_of(error)
    if isinstance(error, (Unusable, WireError)):
        return Failure("unusable", text)
    if isinstance(error, WriteItYourself):
        return Failure("withheld", text, _trace(error))
    if isinstance(error, NobodyTypes):
        return Failure("error", text, _trace(error))
    if isinstance(error, TimeLimitReached):
        return Failure("timeout", f"{name} did not return within {exercise.time_limit_s:g} s; {text}")
    if isinstance(error, KeyboardInterrupt):
        return Failure("interrupted", f"{name} was interrupted before it returned; run the cell again", _trace(error))
    if isinstance(error, SystemExit):
        return Failure(
            "error", f"{name} called exit() or raised SystemExit; use `return` to end a function", _trace(error)
        )
    if isinstance(error, NotImplementedError) and not text:
        return Failure("error", f"{name} still raises NotImplementedError; replace that line", _trace(error))
    if isinstance(error, TypeError) and not _own_frames(error):  # the call itself failed
        return Failure("error", f"{name} is called as `{exercise.call}`, and that raised TypeError: {text}")
    what = type(error).__name__ + (f": {text}" if text else "") + _moved(error)
    return Failure("error", f"{name} raised {what}", _trace(error))


def _undefined(error: BaseException) -> str:
    name = error.name if isinstance(error, NameError) else ""
    return name if isinstance(name, str) else ""


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:500]
    except Exception:  # a learner's exception may fail to say what it is
        return ""


def _moved(error: BaseException) -> str:
    """Where what was imported in vain is now."""
    try:
        where = explanation(error)
    except Exception:  # an exception that the answer made itself may hold anything
        return ""
    return f"; {where}" if where else ""


def _own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Where the learner's own code stands in the traceback: not the course, its judges or a library."""
    others = (_COURSE, "<string>", "<frozen", *_LIBRARIES)
    return [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(others)]


def _trace(error: BaseException) -> str:
    text = "".join(traceback.format_list(_own_frames(error)[-6:]))[-3_000:]
    return _CELL.sub("Your cell", text)


@contextlib.contextmanager
def withheld(names: tuple[str, ...]) -> Iterator[None]:
    """Functions or classes of the library that refuse to work meanwhile, however they were imported before.

    Their code object is exchanged, so a reference taken earlier refuses as well.
    """
    with contextlib.ExitStack() as stack:
        for name in names:
            module, _, attribute = name.rpartition(".")
            target = getattr(importlib.import_module(module), attribute)
            if not inspect.isclass(target):
                stack.enter_context(_refusing(inspect.unwrap(target), name))
            elif "__init__" in vars(target):
                stack.enter_context(_refusing(inspect.unwrap(target.__init__), name))
            else:  # an inherited __init__ belongs to other classes too
                refuse = FunctionType(_refuse.__code__.replace(co_name=name), globals())
                type.__setattr__(target, "__init__", refuse)
                stack.callback(delattr, target, "__init__")
        yield


@contextlib.contextmanager
def _refusing(function: FunctionType, name: str) -> Iterator[None]:
    original = function.__code__
    if original.co_filename == __file__:  # withheld already, by a check in another thread
        yield
        return
    function.__code__ = _refuse.__code__.replace(co_freevars=original.co_freevars, co_name=name)
    try:
        yield
    finally:
        function.__code__ = original


def _refuse(*args: Any, **kwargs: Any) -> None:
    # Runs with the globals of the function that it stands for.
    import sys

    from course.errors import WriteItYourself

    name = sys._getframe().f_code.co_name
    raise WriteItYourself(f"{name} does what this exercise asks you to write; write it yourself")
