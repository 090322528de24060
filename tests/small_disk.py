"""Python on a disk that fills up: a real file system of 1 MiB, or a limit on the size of files, which acts like one.

The file system is mounted in a namespace of the child alone (Linux); the limit works wherever there is Unix.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

WAYS = ("a file system of 1 MiB", "a limit on the size of files")
_MOUNTED = 'mount -t tmpfs -o size=1024k tmpfs "$1" && exec "$2" -c "$3" "$1"'
_CHILD = """
import contextlib, io, json, os, sys
from pathlib import Path
from course.errors import CourseError

def fill(folder):
    with open(folder / "filler", "wb", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass

def limit():
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

disk, found, names = Path(sys.argv[1]), {}, {}
for name, program in json.load(sys.stdin).items():
    names[name] = {"folder": disk / name, "report": {}}
    (disk / name).mkdir()
    exec(program, names[name])
    names[name]["before"]()
fill(disk) if os.path.ismount(disk) else limit()
for name, its in names.items():
    report, screen = its["report"], io.StringIO()
    try:
        with contextlib.redirect_stdout(screen):
            its["after"]()
    except Exception as error:
        report.update(error=type(error).__name__, of_the_course=isinstance(error, CourseError), message=str(error))
    report["unchanged"] = bool(its["unchanged"]())
    report["left"] = sorted(path.relative_to(disk / name).as_posix() for path in (disk / name).rglob("*"))
    found[name] = {**report, "printed": screen.getvalue()}
print(json.dumps(found))
"""


def on_a_disk_that_fills_up(way: str, folder: Path, programs: dict[str, str], **environment: str) -> dict[str, Any]:
    """What each program reported, each of which has an empty `folder` of its own on the one disk.

    A program defines `before()`, which runs while there is room, `after()`, which runs when there is none, and
    `unchanged()`, whether what was there is as it was. It may write to the dict `report`; there are `error`, `message`
    and `of_the_course` of what `after` raised, what it `printed`, and the files that were `left` at the end.
    """
    folder.mkdir()
    if way == WAYS[0]:
        _need_namespaces()
        inside = ["sh", "-c", _MOUNTED, "sh", str(folder), sys.executable, _CHILD]
        command = ["unshare", "--user", "--map-root-user", "--mount", "--", *inside]
    else:
        pytest.importorskip("resource", reason="needs Unix's limits")
        command = [sys.executable, "-c", _CHILD, str(folder)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    options: dict[str, Any] = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run(command, input=json.dumps(programs), **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _need_namespaces() -> None:
    """Skip where an unprivileged process cannot have a file system of its own; fail in CI on Linux, where it can."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "--", "true"]
    try:
        works = sys.platform == "linux" and subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        works = False
    if not works and os.environ.get("CI") and sys.platform == "linux":
        pytest.fail("this machine is to allow namespaces for the tests")
    if not works:
        pytest.skip("no file system can be mounted for one process here")
