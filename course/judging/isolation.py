"""What a learner's code runs in: seeded, with gradients, printing kept, no input. Outside, everything is as it was."""

from __future__ import annotations

import builtins
import contextlib
import getpass
import io
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from course.errors import NobodyTypes
from course.runtime import kernel

MAX_PRINTED = 2_000  # characters kept of what an answer prints


@contextlib.contextmanager
def own_generators(seed: int) -> Iterator[None]:
    """Seeded generators (Python's, numpy's, torch's) inside; outside they continue as if nothing had run."""
    states = random.getstate(), np.random.get_state()
    # Seeding a GPU that nobody has used yet would start it, so only those in use are kept.
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        random.seed(seed)
        np.random.seed(seed)
        torch.default_generator.manual_seed(seed)
        for device in devices:
            torch.cuda.default_generators[device].manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


@contextlib.contextmanager
def plain_torch() -> Iterator[None]:
    """Gradients on, float32, the CPU and one thread inside, whatever the notebook has set; outside as before."""
    dtype, device, threads = torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads()
    on_cpu = contextlib.nullcontext() if device.type == "cpu" else torch.device("cpu")
    with torch.inference_mode(False), torch.enable_grad(), on_cpu:
        try:
            torch.set_default_dtype(torch.float32)
            if threads != 1:
                torch.set_num_threads(1)
            yield
        finally:
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            torch.set_default_dtype(dtype)
            if device.type == "cpu" and torch.get_default_device() != device:
                torch.set_default_device(None)


class Screen(io.TextIOBase):
    """A text stream that keeps the first MAX_PRINTED characters and forgets the rest."""

    def __init__(self) -> None:
        self.kept = ""
        self.lost = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        room = max(0, MAX_PRINTED - len(self.kept))
        self.kept += text[:room]
        self.lost += max(0, len(text) - room)
        return len(text)

    def show_warning(self, message: Any, category: type[Warning], *where: Any, **options: Any) -> None:
        self.write(f"{category.__name__}: {message}\n")

    def text(self) -> str:
        return self.kept + (f"\n… and {self.lost:,} characters more" if self.lost else "")


@contextlib.contextmanager
def captured() -> Iterator[Screen]:
    """What is printed inside, warnings too, goes to the `Screen`. A warning never raises in here.

    Asking for input does (see `nobody_types`). The streams themselves are diverted as well: a logging handler made in
    an earlier cell still holds them.
    """
    screen = Screen()
    with contextlib.ExitStack() as stack:
        for stream in {id(stream): stream for stream in (sys.stdout, sys.stderr)}.values():
            stack.enter_context(_diverted(stream, screen))
        stack.enter_context(contextlib.redirect_stdout(screen))
        stack.enter_context(contextlib.redirect_stderr(screen))
        stack.enter_context(nobody_types())
        stack.enter_context(warnings.catch_warnings())
        warnings.showwarning = screen.show_warning
        # A notebook may have turned warnings into errors; the judges would meet them too.
        warnings.simplefilter("default")
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        yield screen


@contextlib.contextmanager
def nobody_types() -> Iterator[None]:
    """Whatever asks for input inside raises NobodyTypes: JupyterLab would wait for it, and run no other cell."""
    before, shell = (builtins.input, getpass.getpass, sys.stdin), kernel()
    builtins.input, getpass.getpass, sys.stdin = _refusal("input"), _refusal("getpass"), _NoKeyboard()
    with contextlib.ExitStack() as stack:
        if shell is not None:  # an earlier cell may have given the kernel's own input() another name
            asked = vars(shell).get("_input_request")
            shell._input_request = _refusal("input")
            stack.callback(_restore, shell, "_input_request", asked)
        try:
            yield
        finally:
            builtins.input, getpass.getpass, sys.stdin = before


def _refusal(name: str) -> Callable[..., Any]:
    def refuse(*args: Any, **options: Any) -> None:
        raise NobodyTypes(
            f"your code called {name}(), which waits for somebody to type; take the value as an argument, or write it "
            "into the code"
        )

    return refuse


class _NoKeyboard(io.TextIOBase):
    """A standard input that refuses to be read."""

    read = readline = _refusal("sys.stdin.read")


@contextlib.contextmanager
def _diverted(stream: Any, screen: Screen) -> Iterator[None]:
    attributes = getattr(stream, "__dict__", {})
    before = attributes.get("write")
    try:
        stream.write = screen.write
    except AttributeError:  # a stream written in C takes no attribute
        yield
        return
    try:
        yield
    finally:
        _restore(stream, "write", before)


def _restore(owner: Any, attribute: str, before: Any) -> None:
    """Set the attribute to what the owner itself had, or leave it to its class again if that was None."""
    if before is None:
        delattr(owner, attribute)
    else:
        setattr(owner, attribute, before)
