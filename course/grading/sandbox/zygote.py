"""What runs behind the sandbox: a warm process that has imported everything, and a fresh child of it for each exercise.

python -m course.grading.sandbox.zygote CONTROL LEVEL

The warm process imports and forks, nothing else: no tensor is computed before the fork (thread pools don't survive it)
and no judge, secret or submission ever reaches it. Over the socket CONTROL come the limits of one exercise and two
sockets: the leash, on which the warm process listens while it guards the child, and the conversation, which the child
reads itself once it is confined: first process of its own namespaces, unprivileged, within limits.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import math
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import course.exercises
from course.grading.sandbox import confine, protocol
from course.grading.sandbox.limits import ALONE, Limits
from course.judging import definitions
from course.judging.dependencies import Statement
from course.judging.exercise import exercises_of, find_exercise, notebook_numbers
from course.judging.runner import LocalRunner

# What answers and probes use: seconds each, which every child would pay again.
PRELOADED = (
    *("numpy", "numpy.ctypeslib", "PIL.Image", "PIL.ImageFile", "safetensors.torch"),
    *("torch.nn.functional", "torch.utils.data", "torchvision.transforms.v2", "torchvision.transforms.functional"),
    *("course.models.backbones", "course.models.freezing", "course.models.heads", "course.models.parameter_groups"),
    *("course.models.lora", "course.models.pretraining", "course.data.emoji"),
    *("course.training.features", "course.training.loop", "course.training.experiments"),
)
IMPORT_LIMIT_S = 25.0  # of computing, of one statement: an import of something large
LOOK_S = 0.05  # how often the memory is looked at


def main(control: socket.socket, level: str) -> None:
    """Import, say so, then fork and guard a child for each message, until the other side closes."""
    if probes := os.environ.get("COURSE_PROBES"):  # bubblewrap puts them in the place of the exercises itself
        course.exercises.__path__ = [probes]
    for name in PRELOADED:
        importlib.import_module(name)
    for number in notebook_numbers():
        exercises_of(number)
    gc.freeze()
    namespaces = confine.PidNamespaces() if level == "sandbox" else None
    control.sendall(b"ready")
    while True:
        message, sockets, _, _ = socket.recv_fds(control, 4096, 2)
        if not message:
            return
        with socket.socket(fileno=sockets[0]) as leash, socket.socket(fileno=sockets[1]) as conversation:
            said = _guarded(leash, conversation, Limits(**json.loads(message)), level, namespaces)
            _say(leash, said)
            with contextlib.suppress(OSError):
                leash.recv(4096, socket.MSG_DONTWAIT)  # a socket closed with words unread loses its own


def _guarded(
    leash: socket.socket,
    conversation: socket.socket,
    limits: Limits,
    level: str,
    namespaces: confine.PidNamespaces | None,
) -> dict[str, Any]:
    """Start the child, wait for its end, or end it, and say how it ended."""
    try:
        if namespaces:
            namespaces.renew()
        child = os.fork()
    except OSError as error:  # of the machinery: no answer has run
        return {"failure": f"{type(error).__name__}: {error}"}
    if child == 0:
        _child(conversation, limits, level)
    conversation.close()
    why = _watch(child, leash, limits)
    if level == "container":
        _end_all_of(ALONE)
    _, status, used = os.wait4(child, 0)
    cpu_s = used.ru_utime + used.ru_stime
    return {"failure": "", "ended": why, "exit": os.waitstatus_to_exitcode(status), "cpu_s": cpu_s}


def _watch(child: int, leash: socket.socket, limits: Limits) -> str:
    """Wait for the child's end; kill it for too much memory, or when the leash says so or is closed. Says why.

    Whoever holds the leash may also ask how long the child has computed.
    """
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(leash, select.POLLIN)
    most_mib, why = limits.memory_mib + confine.held_mib(os.getpid()), ""
    while not why:
        ready = {number for number, _ in poll.poll(LOOK_S * 1000)}
        if ended in ready:
            break
        if leash.fileno() in ready:
            if leash.recv(1) != b"?":
                why = "asked"
            else:
                computed_s, queued_s = confine.used_s(child)
                _say(leash, {"computed_s": computed_s, "queued_s": queued_s})
        else:
            with contextlib.suppress(OSError, ValueError):  # it ended while it was looked at
                why = "memory" if confine.holds_over(most_mib, child) else ""
    if why:
        os.kill(child, signal.SIGKILL)  # the first process of its namespace: all others in there go with it
        select.select([ended], [], [])
    os.close(ended)
    return why


def _say(leash: socket.socket, words: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the other side has let go
        leash.sendall(json.dumps(words).encode() + b"\n")


def _end_all_of(uid: int) -> None:
    """Kill whatever an answer has left behind where no namespace ends with it."""
    helper = os.fork()
    if helper == 0:
        try:
            confine.become(uid)
            os.kill(-1, signal.SIGKILL)  # every process of this user, except the one that asks
        finally:
            os._exit(0)
    os.waitpid(helper, 0)


def _child(conversation: socket.socket, limits: Limits, level: str) -> None:
    """Confine this process, then run the probes of one exercise beside its answer. Never returns."""
    try:
        try:
            _confine(conversation, limits, level)
        except BaseException as error:  # no answer has run yet, so this is said by us
            conversation.sendall(f"x{type(error).__name__}: {error}".encode())
            return
        conversation.sendall(b"k")
        _answer(conversation)
    finally:
        os._exit(0)


def _confine(conversation: socket.socket, limits: Limits, level: str) -> None:
    os.setsid()
    os.nice(10)  # who guards it, and who grades others, go first
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # the first to go where memory runs out
    confine.close_all_but(conversation.fileno())
    if user := os.environ.get("COURSE_BECOME"):
        confine.become(int(user))
    if level == "sandbox":
        confine.enter_namespaces()
    confine.die_with_parent()
    confine.limit_resources(limits)
    if level == "sandbox":
        confine.mount_private_folders(limits, os.environ["COURSE_WRITABLE"].split(":"))
        confine.drop_rights()
    elif level == "container":
        confine.drop_rights_of_a_plain_user()


def _answer(conversation: socket.socket) -> None:
    stream = conversation.makefile("rb")
    request, _ = protocol.unpack(stream.read)
    statements = [Statement(request["cells"][cell], *which) for cell, *which in request["statements"]]
    total_s = request["total_s"]
    # The grader looks at the clock, from outside.
    made = definitions.execute(statements, limit_s=max(IMPORT_LIMIT_S, total_s / 2), total_s=total_s, patience=math.inf)
    runner = LocalRunner(made.namespace, made.not_run, patience=math.inf)
    exercise = find_exercise(request["exercise"])
    for _ in range(request["cases"]):
        # The next comes when this one is answered: what is printed in a visible case says nothing of a hidden one.
        _, case = protocol.unpack(stream.read)
        reply = runner.run_case(exercise, case, request["seed"])
        conversation.sendall(protocol.pack_reply(reply))


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
