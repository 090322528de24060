"""The command that puts the warm process behind bubblewrap, or the reason why it cannot run here."""

from __future__ import annotations

import importlib.util
import os
import shutil
import site
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from course.errors import SandboxMissing
from course.grading.sandbox import seccomp
from course.grading.sandbox.limits import NOBODY

# What a dynamically linked Python needs beside itself; those that are missing are left out.
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives")
HOME = "/home/learner"  # where a child has a writable folder of its own
CONTAINER = "course doctor --print-dockerfile > Dockerfile, build it, and grade in that container"


def command(probes: Path, private: Sequence[Path] = ()) -> list[str]:
    """bubblewrap with everything up to the program to be run. Raises SandboxMissing with the reason and the remedy.

    `probes` replaces the exercises of the course; `private` are folders that stay empty inside.
    """
    return [*namespaces(), *_mounts(probes, private), "--"]


def namespaces() -> list[str]:
    """bubblewrap with the namespaces and rights that it may give here; as `command`, without what is seen inside."""
    program = _program()
    for user in _ways():
        base = [program, "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-net", "--unshare-ipc"]
        base += ["--unshare-uts", "--hostname", "sandbox", *user]
        tried = subprocess.run(
            [*base, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        if tried.returncode == 0:
            return base
    reason = (tried.stderr.strip() or f"it ended with {tried.returncode}").splitlines()[-1]
    raise SandboxMissing(
        f"bubblewrap may not make namespaces here ({reason}); allow them "
        f"(sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0), or run: {CONTAINER}"
    )


def environment() -> dict[str, str]:
    """What the warm process sees of the environment: nothing of the grader's own. One thread for each library."""
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {
        **dict.fromkeys(threads, "1"),
        "PATH": "/usr/bin:/bin",
        "HOME": HOME,
        "TMPDIR": HOME,
        "USER": "learner",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "COURSE_HOME": f"{HOME}/course",
        "COURSE_EXERCISES": "0",  # those of others are among the probes
        "COURSE_LIVE": "0",
        "COURSE_PROFILE": "quick",
        "MPLBACKEND": "agg",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUSERBASE": site.getuserbase(),  # below HOME anybody may write, and plant a module
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
    }


def _program() -> str:
    if sys.platform != "linux":
        raise SandboxMissing(f"answers of others are run behind bubblewrap, which needs Linux; run: {CONTAINER}")
    if not seccomp.is_known():
        raise SandboxMissing(f"there is no system call filter for this kind of processor; run on x86-64: {CONTAINER}")
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxMissing(
            "answers of others are run behind bubblewrap, which is not installed; run: sudo apt-get install bubblewrap"
        )
    return program


def _ways() -> list[list[str]]:
    """The rights that the warm process keeps, to make a child's namespaces; root's also to make it nobody."""
    # The second right is to see how much memory an answer holds.
    may = ["--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SYS_PTRACE"]
    # As uid 0 of its namespace, which is the caller outside: else bubblewrap puts a second one around the program, in
    # which it may not make namespaces.
    inside = ["--unshare-user", "--uid", "0", "--gid", "0", *may]
    inside += ["--cap-add", "CAP_SETFCAP"]  # needed to map uid 0, in a child's namespace too
    as_root = [*may, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    as_root += ["--cap-add", "CAP_KILL"]  # what became nobody is to be ended
    as_root += ["--setenv", "COURSE_BECOME", str(NOBODY)]
    # Root may be root of a container only, which can make a user namespace and nothing else.
    return [as_root, inside] if os.getuid() == 0 else [inside]


def _mounts(probes: Path, private: Sequence[Path]) -> list[str]:
    folders = [Path(place) for place in SYSTEM if Path(place).exists()]
    folders += [place for place in _python_folders() if not any(place.is_relative_to(other) for other in folders)]
    package = _package()
    if not any(package.is_relative_to(folder) for folder in folders):
        folders.append(package)
    options = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # first: Python itself may lie below /tmp
    options += ["--dev-bind", "/dev/null", "/dev/zero"]  # mapped shared, it is memory that nobody accounts for
    above = {parent for folder in [*folders, Path(HOME)] for parent in folder.parents if parent != Path("/")}
    for folder in sorted(above - {Path("/tmp")}):  # bubblewrap would make them for its own user alone
        options += ["--perms", "0755", "--dir", str(folder)]
    options += ["--tmpfs", HOME]
    for folder in folders:
        options += ["--ro-bind", str(folder.resolve()), str(folder)]
    # These may lie below Python's own folders: a clone within a virtual environment, say.
    for hidden in [*private, package.parent / "solutions", package.parent / "tests", package.parent / ".git"]:
        for place in _seen_at(hidden.resolve(), folders):
            options += ["--tmpfs", place, "--remount-ro", place]
    options += ["--ro-bind", str(probes), str(package / "exercises")]
    options += ["--remount-ro", "/dev"]  # an ordinary user's children own it, and would find there what others left
    # The grader's own code is not a secret; it gives access to nothing.
    if Path("/tmp") in above:  # then a child can't lay its own over it
        options += ["--remount-ro", "/tmp", "--setenv", "COURSE_WRITABLE", HOME]
    else:
        options += ["--setenv", "COURSE_WRITABLE", f"{HOME}:/tmp"]
    return [*options, "--chdir", HOME, "--remount-ro", "/"]


def _seen_at(hidden: Path, folders: Sequence[Path]) -> list[str]:
    """Where a folder would be seen inside, as these are mounted; some are symbolic links, and stand there twice."""
    if not hidden.is_dir():
        return []
    mounted = {folder: folder.resolve() for folder in folders}
    return [
        str(folder / hidden.relative_to(source)) for folder, source in mounted.items() if hidden.is_relative_to(source)
    ]


def _python_folders() -> list[Path]:
    """The folders of this Python: the interpreter, the standard library, what is installed; no project's folder."""
    found = [Path(sys.base_prefix), Path(sys.prefix)]
    for entry in map(Path, filter(None, sys.path)):
        if entry.name in ("site-packages", "dist-packages") and entry.is_dir():
            found.append(entry)
    resolved = [*found, *(folder.resolve() for folder in found)]
    return [folder for folder in dict.fromkeys(resolved) if folder != Path("/")]


def closed_to_others() -> Path | None:
    """The first folder on the way to this Python or the course that only its owner can enter."""
    ways = [[*reversed(folder.parents), folder] for folder in [*_python_folders(), _package()]]
    return next((part for way in ways for part in way if not part.stat().st_mode & stat.S_IXOTH), None)


def _package() -> Path:
    spec = importlib.util.find_spec("course")
    assert spec is not None and spec.origin is not None  # this very package
    return Path(spec.origin).parent
