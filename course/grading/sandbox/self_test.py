"""The sandbox attacked from inside, to see that it holds on this machine; and a container for where it can't be had."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import course
from course.errors import SandboxMissing
from course.grading.sandbox.runner import MachineryFailure, Sandbox, SandboxedRunner
from course.judging import wire
from course.judging.definitions import Statement
from course.judging.exercise import find_exercise

EXERCISE = "02-freeze-backbone"  # any: its answer is replaced by the attacks
ENVIRONMENT = "COURSE_GRADER_ONLY"

# Runs inside, and says what it could do. `PATH` is a file of the grader, `NUMBER` its process.
_ATTACKS = """
def freeze(module):
    import ctypes, os, signal, socket, struct
    libc, done = ctypes.CDLL(None, use_errno=True), []

    def tries(name, attack):
        try:
            if attack() is not False:
                done.append(name)
        except BaseException:
            pass

    def call(name, *arguments):
        return getattr(libc, name)(*arguments) == 0

    def write(path):
        with open(path, "w") as file:
            file.write("x")

    def connect(family, address):
        with socket.socket(family) as one:
            one.settimeout(1)
            one.connect(address)

    def others():
        return any(int(name) != os.getpid() for name in os.listdir("/proc") if name.isdigit())

    tries("read a file of the grader", lambda: open(PATH).read())
    tries("read the judges of an exercise", lambda: "@exercise.judge" in open(FREEZE).read())
    tries("read the grader's environment", lambda: "COURSE_GRADER_ONLY" in os.environ)
    tries("see other processes", others)
    tries("signal the grader", lambda: os.kill(NUMBER, 0))
    tries("write to the course", lambda: write(FREEZE + ".new"))
    tries("write to /usr", lambda: write("/usr/course-was-here"))
    tries("open a socket to the machine", lambda: connect(socket.AF_INET, ("127.0.0.1", 1)))
    tries("open a network socket", lambda: socket.socket(socket.AF_INET).close())
    tries("trace a process", lambda: call("ptrace", 0, 0, 0, 0))
    tries("mount", lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None))
    tries("make namespaces", lambda: call("unshare", 0x10000000))
    tries("become root", lambda: os.setuid(0))
    tries("keep more than its memory", lambda: bytearray(2**32))
    tries("fill the disk", lambda: open("big", "wb").truncate(2**33))
    raise RuntimeError("could: " + "; ".join(done) + ".")
"""


def breaches() -> list[str]:
    """What an answer can do on this machine that it must not be able to; empty when the sandbox holds.

    Raises SandboxMissing where there is none, and where it cannot run an answer at all.
    """
    os.environ[ENVIRONMENT] = "secret"
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("secret")
            file.flush()
            return _attack(Path(file.name))
    finally:
        del os.environ[ENVIRONMENT]


def _attack(file: Path) -> list[str]:
    exercise = find_exercise(EXERCISE)
    judges = Path(course.__file__).resolve().parent / "exercises" / "nb02_freeze_the_backbone" / "freeze_backbone.py"
    constants = f"PATH, FREEZE, NUMBER = {str(file)!r}, {str(judges)!r}, {os.getpid()}"
    case = exercise.judges[0].case.inputs(exercise.id, "proof")
    with Sandbox() as sandbox:
        runner = SandboxedRunner(sandbox, [Statement(constants, 0), Statement(_ATTACKS, 0)])
        try:
            (reply,) = runner.run(exercise, [wire.encode(case)])
        except MachineryFailure as error:
            raise SandboxMissing(f"the sandbox cannot run an answer: {error}") from error
    said = re.search(r"could: (.*)\.", reply.failure.message if reply.failure else "")
    if said is None:
        raise SandboxMissing(f"the attacks on the sandbox did not run: {reply.failure or reply.printed}")
    return [part for part in said[1].split("; ") if part]


DOCKERFILE = """\
# A container in which answers can be graded where this machine itself has no sandbox. In the folder of the clone, of
# which it takes the library and the solutions, and no submissions or grades that lie there:
#   docker build -t course-grader .
#   docker run --rm --security-opt seccomp=unconfined --security-opt apparmor=unconfined \\
#     -v "$PWD/submissions:/submissions:ro" -v "$PWD/grades:/grades" course-grader grade /submissions --out /grades
# Docker's own filter forbids the namespaces that the sandbox is made of, hence the two options; the sandbox within
# has a stricter filter. `docker run ... course-grader doctor` proves it there.
FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/*
WORKDIR /course
COPY pyproject.toml README.md LICENSE ./
COPY course course
COPY solutions solutions
RUN pip install --no-cache-dir -e ".[grade]"
ENTRYPOINT ["course"]
CMD ["doctor"]
"""
