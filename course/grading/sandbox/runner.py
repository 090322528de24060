"""A learner's answer, run where it can reach nothing: the runner behind a sandbox.

One warm process with torch and the course loaded stands behind bubblewrap: no network, no file but Python's own and
the probes of the exercises, a cleared environment. For each exercise it forks a child with its own user, pid, mount,
ipc and network namespaces, an unprivileged user, no capability, a seccomp filter and limits on time, memory, processes
and files. Only JSON and safetensors come back, and whatever does is taken for what an attacker wrote.

What this does *not* protect against: a hole in the Linux kernel or in bubblewrap; side channels of a shared processor
(timing, caches); another answer's grade being slowed by load, as processor time is shared; a learner who reads the
course's library, which is installed in the sandbox, and hands in a copy of its code; two learners who hand in the same
code. Answers see the inputs that they are judged on, and could keep them only if they could reach a place to keep them
in. The level "container" has no namespaces: there an answer runs as an unprivileged user within limits and behind the
filter, but sees the file system and the processes of its container, which must hold one submission alone and be thrown
away after it. The level "trusted" protects against accidents only.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from course.errors import MachineBusy, SandboxMissing, WireError
from course.grading.sandbox import bubblewrap, protocol
from course.grading.sandbox.limits import ALONE, Limits
from course.grading.sandbox.probes import write_probes
from course.judging.definitions import TOTAL_LIMIT_S
from course.judging.dependencies import Statement
from course.judging.exercise import Exercise
from course.judging.results import FINAL, Failure, Reply
from course.judging.timelimit import PATIENCE

START_S = 120.0  # importing torch on a cold disk
GRACE_S = 2.0  # of computing, between a limit that the child keeps, which speaks, and ours, which kills
ASK_S = 0.5  # how often to ask how long an answer has computed, once it may have been too long


class MachineryFailure(Exception):
    """The sandbox itself failed, not an answer: to be tried again, never scored."""


class Sandbox:
    """A warm process at one level of isolation, which runs one exercise at a time. A context manager.

    `private` are folders that must not be seen inside even where they lie below Python's own. Raises SandboxMissing
    with the reason and the remedy where the level cannot be had.
    """

    def __init__(self, level: str = "sandbox", *, limits: Limits | None = None, private: Sequence[Path] = ()) -> None:
        if level == "container":
            _check_container()
        self.level, self.limits = level, limits or Limits()
        self._private = tuple(private)
        self._start()

    def _start(self) -> None:
        # The probes are files until they are imported; a grader that is killed leaves none behind.
        with tempfile.TemporaryDirectory(prefix="course-probes-") as folder:
            probes = Path(folder)
            probes.chmod(0o755)
            write_probes(probes)
            self._open(probes)
            self._control.settimeout(START_S)
            try:
                ready = self._control.recv(5)
            except TimeoutError:
                ready = b""
        if ready != b"ready":
            said = self._said()
            self.close()
            raise SandboxMissing(f"the process behind the sandbox did not start: {said or 'it said nothing'}")
        self._control.settimeout(None)

    def _open(self, probes: Path) -> None:
        around = bubblewrap.command(probes, self._private) if self.level == "sandbox" else []
        self._control, theirs = socket.socketpair()
        python = [sys.executable, "-P", "-m", "course.grading.sandbox.zygote", str(theirs.fileno()), self.level]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        with theirs:
            self._process = subprocess.Popen(
                [*around, *python],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env=bubblewrap.environment() | ({} if around else self._without_bubblewrap(probes)),
                cwd="/",
            )

    def _without_bubblewrap(self, probes: Path) -> dict[str, str]:
        user = {"COURSE_BECOME": str(ALONE)} if self.level == "container" else {}
        return {"COURSE_PROBES": str(probes), "HOME": "/tmp", "TMPDIR": "/tmp", **user}

    def _said(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._log.seek(0)
        return self._log.read()[-2_000:].decode("utf-8", "replace").strip()

    def restart(self) -> None:
        """A new warm process instead of one that failed."""
        self.close()
        self._start()

    @property
    def pid(self) -> int:
        """The process that was started: bubblewrap, or the warm one itself."""
        return self._process.pid

    @contextlib.contextmanager
    def child(self) -> Iterator[_Child]:
        """A fresh child for one exercise; ended for certain when the block is left."""
        leash, guard_end = socket.socketpair()
        conversation, child_end = socket.socketpair()
        try:
            with guard_end, child_end:
                message = json.dumps(asdict(self.limits)).encode()
                socket.send_fds(self._control, [message], [guard_end.fileno(), child_end.fileno()])
        except OSError as error:
            leash.close()
            conversation.close()
            raise MachineryFailure(f"the warm process is gone ({error})") from error
        with leash, conversation:
            yield _Child(leash, conversation)

    def close(self) -> None:
        """End the warm process and everything in it."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._log.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Child:
    """The two sockets to one child: the conversation with what may be the answer, the leash to its guard."""

    def __init__(self, leash: socket.socket, conversation: socket.socket) -> None:
        self.leash, self.conversation = leash, conversation
        self.deadline = 0.0  # by the clock; until `allow` is called, it is kept to the second
        self._allowed_s: float | None = None
        self._since = 0.0, 0.0, 0.0  # the clock, what it had computed, what it had waited for a processor
        self._heard = b""
        self.has_slept = False  # when its time was over, it had computed for less

    def allow(self, seconds: float) -> None:
        """From now on, let the child compute or sleep for so long; what the machine gives to others is not counted."""
        self._allowed_s, self._since = seconds, (time.monotonic(), *(self._used_s() or (0.0, 0.0)))
        self.deadline = time.monotonic() + seconds

    def extend(self, seconds: float) -> None:
        """Let it compute for so much longer."""
        assert self._allowed_s is not None
        self._allowed_s += seconds
        self.deadline += seconds

    def _used_s(self) -> tuple[float, float] | None:
        """What the guard says that the child has computed, and waited for a processor; None if it has ended."""
        with contextlib.suppress(OSError):
            self.leash.sendall(b"?")
        said = self._hear(60.0)
        if "computed_s" in said:
            return said["computed_s"], said["queued_s"]
        self._heard = json.dumps(said).encode() + b"\n" + self._heard  # its end, which `ending` asks for
        return None

    def _hear(self, wait_s: float) -> dict[str, Any]:
        """The next line from the guard. Raises MachineryFailure if there is none, TimeoutError if it takes longer."""
        self.leash.settimeout(wait_s)
        try:
            while b"\n" not in self._heard:
                part = self.leash.recv(4096)
                if not part:
                    raise MachineryFailure("the guard of an answer is gone")
                self._heard += part
            line, _, self._heard = self._heard.partition(b"\n")
            return json.loads(line)
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:
            raise MachineryFailure(f"the guard of an answer is gone ({error})") from error

    def _must_end(self) -> bool:
        """Whether the time is over: False puts the deadline off. Raises MachineBusy where it can't be told."""
        if self._allowed_s is None:
            return True
        self.deadline = time.monotonic() + ASK_S
        used = self._used_s()
        if used is None:
            return False
        clock_s, computed_s, queued_s = (
            now - before for now, before in zip((time.monotonic(), *used), self._since, strict=True)
        )
        self.has_slept = computed_s < self._allowed_s
        if not self.has_slept or clock_s - computed_s - queued_s >= self._allowed_s:
            return True
        if clock_s >= PATIENCE * self._allowed_s:
            self.ending(kill=True)
            raise MachineBusy(f"this machine is too busy: in {clock_s:.0f} s it gave {computed_s:.1f} s to an answer")
        return False

    def wait_by_the_clock(self, seconds: float) -> None:
        """From now on, wait for so long, whatever the child does."""
        self._allowed_s, self.deadline = None, time.monotonic() + seconds

    def send(self, message: bytes) -> None:
        self.conversation.settimeout(PATIENCE * GRACE_S)
        with contextlib.suppress(OSError):  # `ending` finds out why the other side hung up
            self.conversation.sendall(message)

    def read(self, count: int) -> bytes:
        """Exactly so many bytes before the deadline. Raises TimeoutError, or EOFError where they end before."""
        parts: list[bytes] = []
        while count:
            left = max(0.0, self.deadline - time.monotonic())
            if not select.select([self.conversation], [], [], left)[0]:
                if self._must_end():
                    raise TimeoutError
                continue
            try:
                part = self.conversation.recv(min(count, 2**20))
            except ConnectionError as error:
                raise EOFError from error
            if not part:
                raise EOFError
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def wait_until_confined(self) -> None:
        """Return when the child is ready for an answer. Raises MachineryFailure with its reason where it is not."""
        self.wait_by_the_clock(START_S)
        said = b""
        with contextlib.suppress(EOFError, TimeoutError):
            said = self.read(1)
            if said == b"k":
                return
            while len(said) < 1000:
                said += self.read(1)
        self.ending(kill=True)
        raise MachineryFailure(f"the child of an exercise could not be confined: {said[1:].decode(errors='replace')}")

    def ending(self, *, kill: bool) -> dict[str, Any]:
        """How the child ended, in the guard's words. Raises MachineryFailure if the guard is silent."""
        for wait_s in (GRACE_S, 60.0):
            if kill:
                with contextlib.suppress(OSError):
                    self.leash.sendall(b"k")
            try:
                said = self._hear(wait_s)
            except TimeoutError:  # an answer that hung up, and lives on
                kill = True
                continue
            if said["failure"]:
                raise MachineryFailure(said["failure"])
            return said
        raise MachineryFailure("the guard of an answer did not say how it ended")


class SandboxedRunner:
    """The answers of one notebook behind a sandbox; a fresh child for each exercise. See `judging.runner.Runner`."""

    def __init__(self, sandbox: Sandbox, statements: Sequence[Statement], total_s: float = TOTAL_LIMIT_S) -> None:
        self.sandbox, self._total_s = sandbox, total_s
        self._cells = list(dict.fromkeys(statement.cell for statement in statements))
        number = {cell: index for index, cell in enumerate(self._cells)}
        self._statements = [(number[one.cell], one.index, one.essential) for one in statements]

    def run(self, exercise: Exercise, cases: Sequence[bytes], seed: int = 0) -> list[Reply]:
        """One reply per case; a single one, "tampered", if anything came back that the course does not write.

        Raises MachineBusy or MachineryFailure where no reply can be had, which is never the answer's fault.
        """
        with self.sandbox.child() as child:
            request = {
                "exercise": exercise.id,
                "seed": seed,
                "cases": len(cases),
                "cells": self._cells,
                "statements": self._statements,
                "total_s": self._total_s,
            }
            child.wait_until_confined()
            child.send(protocol.pack(request))
            try:
                return self._replies(child, exercise, cases)
            except (WireError, UnicodeError) as error:
                child.ending(kill=True)
                return [_tampered(str(error))]

    def _replies(self, child: _Child, exercise: Exercise, cases: Sequence[bytes]) -> list[Reply]:
        replies: list[Reply] = []
        child.allow(1.5 * self._total_s + GRACE_S)  # half for the answer's own cell
        for case in cases:
            child.send(protocol.pack({}, case))
            child.extend(exercise.time_limit_s + GRACE_S)
            try:
                replies.append(protocol.unpack_reply(child.read))
            except TimeoutError:
                child.ending(kill=True)
                return [*replies, Reply(None, _too_long(exercise, child.has_slept))]
            except EOFError:
                return [*replies, Reply(None, self._crashed(exercise, child.ending(kill=False)))]
            failure = replies[-1].failure
            if failure and failure.kind in FINAL:
                child.ending(kill=True)
                return replies
            child.allow(0.0)
        return replies if _is_over(child) else [_tampered("more came back than was asked for")]

    def _crashed(self, exercise: Exercise, said: dict[str, Any]) -> Failure:
        name, limits = f"`{exercise.answer}`", self.sandbox.limits
        if said["ended"] == "memory":
            return Failure("crashed", f"{name} took more than {limits.memory_mib:,} MiB of memory, and was ended")
        killed = said["exit"] == -signal.SIGKILL and not said["ended"] and said["cpu_s"] < limits.cpu_s - 1
        if killed and self.sandbox.level == "sandbox":  # no answer can kill the first process of its namespace
            raise MachineryFailure("an answer was killed from outside; is the machine out of memory?")
        what = f"by signal {-said['exit']}" if said["exit"] < 0 else f"with exit code {said['exit']}"
        return Failure(
            "crashed",
            f"the process of {name} ended {what} before it returned; it must not leave Python, as os._exit does",
        )


def _check_container() -> None:
    """Raise SandboxMissing with the remedy where the level container can't run an answer."""
    if os.getuid() != 0:
        raise SandboxMissing("the level container gives up root's rights for each answer; run it as root")
    if closed := bubblewrap.closed_to_others():
        raise SandboxMissing(
            f"answers run as an unprivileged user, who may not enter {closed}, where this Python lies: "
            f"install Python where everybody can read it, or chmod go+rx {closed}"
        )


def _is_over(child: _Child) -> bool:
    """True when nothing follows the last reply, and the child has ended."""
    child.wait_by_the_clock(GRACE_S)
    try:
        child.read(1)
    except EOFError:
        child.ending(kill=False)
        return True
    except TimeoutError:
        child.ending(kill=True)
        return True
    child.ending(kill=True)
    return False


def _tampered(what: str) -> Reply:
    return Reply(None, Failure("tampered", f"something else than an answer came back from its process: {what}"))


def _too_long(exercise: Exercise, has_slept: bool) -> Failure:
    why = "does it sleep, or wait for something?" if has_slept else "is there an endless loop?"
    return Failure("timeout", f"`{exercise.answer}` did not return within {exercise.time_limit_s:g} s; {why}")
