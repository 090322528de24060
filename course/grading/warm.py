"""What runs behind the sandbox: a warm process that has imported everything, and a fresh child of it an exercise.

python -m course.grading.warm CONTROL LEVEL

The warm process imports and forks, nothing else: no tensor is computed before the fork (thread pools don't survive it)
and no judge, secret or submission ever reaches it. Over the socket CONTROL come the limits of one exercise and two
sockets: the leash, on which the guard of the child listens for its end, and the conversation, which the child reads
itself. The guard stays outside what it guards; the child becomes the first process of its own namespaces.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from course.errors import WireError
from course.exercises import nb00_start_here  # noqa: F401  with it torch, and what the exercises share
from course.grading import confine, talk
from course.grading.confine import Limits
from course.judging import definitions
from course.judging.definitions import Statement
from course.judging.exercise import find_exercise, notebook_numbers, exercises_of
from course.judging.student import LocalStudent

# What learners import beside the course: seconds each, which a child would pay again and again.
PRELOADED = (
    *("matplotlib.pyplot", "numpy", "PIL.Image", "safetensors.torch", "timm", "torchvision.transforms.v2", "tqdm.auto"),
    *("course.training", "course.features", "course.experiments", "course.plots", "course.widgets", "course.lora"),
    *("course.pretraining", "course.data.emoji", "course.data.pictures", "IPython.display", "sklearn.linear_model"),
)
LOOK_S = 0.05  # how often a guard looks at the memory


def main(control: socket.socket, level: str) -> None:
    """Import, say so, then fork a guard for each message until the other side closes."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):  # the answers that need it will say so
            importlib.import_module(name)
    for number in notebook_numbers():
        exercises_of(number)
    gc.freeze()
    control.sendall(b"ready")
    while True:
        message, sockets, _, _ = socket.recv_fds(control, 4096, 2)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            limits = Limits(**json.loads(message))
            _guard(socket.socket(fileno=sockets[0]), socket.socket(fileno=sockets[1]), limits, level)
        for number in sockets:
            os.close(number)
        os.waitpid(pid, 0)


def _guard(leash: socket.socket, conversation: socket.socket, limits: Limits, level: str) -> None:
    """Start the child, wait for its end, or end it, and say on the leash how it ended. Never returns."""
    said: dict[str, Any] = {"failure": "", "ended": ""}
    try:
        os.setsid()
        if os.getuid() == 0:
            confine.become(confine.NOBODY)
        if level == "sandbox":
            confine.enter_namespaces()
        child = os.fork()
        if child == 0:
            leash.close()
            _child(conversation, limits, level)
        conversation.close()
        said["ended"] = _watch(child, leash, limits)
        _, status = os.waitpid(child, 0)
        said["signal"] = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        said["exit"] = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
    except OSError as error:  # of the machinery: the child has not run yet
        said["failure"] = f"{type(error).__name__}: {error}"
    with contextlib.suppress(OSError):
        leash.sendall(json.dumps(said).encode())
    os._exit(0)


def _watch(child: int, leash: socket.socket, limits: Limits) -> str:
    """Wait for the child's end; kill it for too much memory, or when the leash says so or is let go. Says why."""
    ended = os.pidfd_open(child)
    base_mib = 0.0
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(leash, select.POLLIN)
    why = ""
    while True:
        ready = {number for number, _ in poll.poll(LOOK_S * 1000)}
        if ended in ready:
            return why
        held_mib = confine.memory_mib(child)
        base_mib = base_mib or held_mib
        if leash.fileno() in ready:
            why = "asked"
        elif held_mib - base_mib > limits.memory_mib:
            why = "memory"
        if why:
            os.kill(child, signal.SIGKILL)
            poll.unregister(leash)
            select.select([ended], [], [])
            return why


def _child(conversation: socket.socket, limits: Limits, level: str) -> None:
    """Confine this process, then run the probes of one exercise beside its answer. Never returns."""
    try:
        confine.die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        confine.close_all_but(conversation.fileno())
        confine.limit_resources(limits)
        if level == "sandbox":
            confine.mount_private_folders(limits)
            confine.drop_rights()
        elif level == "container":
            confine.drop_rights_of_a_plain_user()
        conversation.sendall(b"k")
        _answer(conversation)
    finally:
        os._exit(0)


def _answer(conversation: socket.socket) -> None:
    stream = conversation.makefile("rb")
    request, _ = talk.unpack(stream.read)
    cases = []
    for _ in range(request["cases"]):
        cases.append(talk.unpack(stream.read)[1])
    statements = [Statement(request["cells"][cell], index) for cell, index in request["statements"]]
    student = LocalStudent(definitions.execute(statements))
    exercise = find_exercise(request["exercise"])
    for case in cases:
        reply = student.run_case(exercise, case, request["seed"])
        conversation.sendall(talk.pack_reply(reply))


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
