"""Where the answer lives. `LocalStudent` runs the probe in this process; the grader has a student behind a sandbox."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import random
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Protocol

import numpy as np
import torch

from course.errors import TimeLimitReached, WireError, WriteItYourself
from course.judging import wire
from course.judging.exercise import Exercise
from course.judging.expectations import Unusable
from course.judging.timelimit import time_limit

MAX_PRINTED = 2_000  # characters kept of what an answer prints


@dataclass(frozen=True)
class Failure:
    """Why a probe brought nothing back: `kind` is "error", "timeout", "withheld", "unusable" or "missing"."""

    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Reply:
    """What one run of a probe brought back: artefacts as `wire` bytes, or a failure; and what the answer printed."""

    artefacts: bytes | None
    failure: Failure | None = None
    printed: str = ""


class Student(Protocol):
    """Runs the probe of an exercise on one case; the case and the reply travel as `wire` bytes."""

    def run(self, exercise: Exercise, case: bytes, seed: int = 0) -> Reply: ...


class LocalStudent:
    """The answers in a namespace of this process, as in a notebook."""

    def __init__(self, namespace: dict[str, Any]):
        self.namespace = namespace

    def run(self, exercise: Exercise, case: bytes, seed: int = 0) -> Reply:
        """Run the probe beside the answer. Never raises for what the answer does; printing is kept off the screen."""
        answer = self.namespace.get(exercise.answer)
        if not callable(answer):
            what = f"is {answer!r:.60}" if exercise.answer in self.namespace else "is not defined"
            kind = "error" if exercise.answer in self.namespace else "missing"
            message = f"`{exercise.answer}` {what}; define it as `{exercise.call}` and run its cell"
            return Reply(None, Failure(kind, message))
        screen = _Screen()
        with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen), _own_generators(seed):
            try:
                inputs = wire.decode(case)
                with withheld(exercise.withholds), time_limit(exercise.time_limit_s):
                    artefacts = exercise.run_probe(answer, inputs)
                return Reply(wire.encode(artefacts), None, screen.text())
            except (KeyboardInterrupt, GeneratorExit):
                raise
            except BaseException as error:  # an answer may raise anything, SystemExit too
                return Reply(None, _failure(error, exercise), screen.text())


def _failure(error: BaseException, exercise: Exercise) -> Failure:
    if isinstance(error, (Unusable, WireError)):
        return Failure("unusable", str(error))
    if isinstance(error, WriteItYourself):
        return Failure("withheld", str(error))
    if isinstance(error, TimeLimitReached):
        return Failure("timeout", f"`{exercise.answer}` did not return within {exercise.time_limit_s:g} s; {error}")
    if isinstance(error, NotImplementedError) and not str(error):
        return Failure("error", f"`{exercise.answer}` still raises NotImplementedError; replace that line", _trace(error))
    message = f"`{exercise.answer}` raised {type(error).__name__}: {str(error)[:500]}"
    if isinstance(error, TypeError) and "argument" in str(error):
        message += f". It is called as `{exercise.call}`"
    return Failure("error", message, _trace(error))


def _trace(error: BaseException) -> str:
    """The traceback from the learner's own code on: frames of the course and its judges are left out."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "/course/" not in frame.filename.replace("\\", "/")
    ]
    return "".join(traceback.format_list(frames[-6:]))[-3_000:]


@contextlib.contextmanager
def withheld(names: tuple[str, ...]) -> Iterator[None]:
    """Functions or classes of the library that refuse to work meanwhile, however they were imported before.

    Their code object is exchanged, so a reference taken earlier refuses as well.
    """
    with contextlib.ExitStack() as stack:
        for name in names:
            module, _, attribute = name.rpartition(".")
            target = getattr(importlib.import_module(module), attribute)
            function = inspect.unwrap(target.__init__ if inspect.isclass(target) else target)
            stack.enter_context(_refusing(function, name))
        yield


@contextlib.contextmanager
def _refusing(function: FunctionType, name: str) -> Iterator[None]:
    def refuse(*args: Any, **kwargs: Any) -> None:
        from course.errors import WriteItYourself

        raise WriteItYourself("this exercise asks you to write what the library function does; write this one yourself")

    original = function.__code__
    function.__code__ = refuse.__code__.replace(co_freevars=original.co_freevars, co_name=f"{name} (withheld)")
    try:
        yield
    finally:
        function.__code__ = original


@contextlib.contextmanager
def _own_generators(seed: int) -> Iterator[None]:
    """Seeded generators and gradients switched on inside; outside everything is as before."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


class _Screen(io.TextIOBase):
    """A text stream that keeps the first MAX_PRINTED characters and forgets the rest."""

    def __init__(self) -> None:
        self.kept = ""
        self.lost = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        room = MAX_PRINTED - len(self.kept)
        self.kept += text[:room] if room > 0 else ""
        self.lost += max(0, len(text) - max(0, room))
        return len(text)

    def text(self) -> str:
        return self.kept + (f"\n… and {self.lost:,} characters more" if self.lost else "")


