"""What a process gives up before it runs a learner's code: its user, its view of the machine, its rights, its limits.

Linux system calls through the C library; Python wraps few of them. Each raises OSError where the kernel refuses.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import struct
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from course.grading.sandbox import seccomp
from course.grading.sandbox.limits import Limits

# linux/sched.h, linux/mount.h, linux/prctl.h
_CLONE_NEWPID = 0x20000000
_NEW_NAMESPACES = 0x10000000 | 0x20000 | 0x40000000 | 0x08000000 | 0x04000000  # user, mount, network, ipc, uts
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_RDONLY = 2, 4, 8, 1
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_SECCOMP = 1, 4, 24, 22
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522

INSIDE_UID = 1000  # what the answer believes to be
_libc = ctypes.CDLL(None, use_errno=True)


class PidNamespaces:
    """Gives the next child of this process a pid namespace of its own. Needs CAP_SYS_ADMIN where it stands."""

    def __init__(self) -> None:
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def renew(self) -> None:
        """The next child will be the first process, and the only one in sight, of a new namespace."""
        _call("setns", self._own, _CLONE_NEWPID)  # the kernel gives no second one otherwise
        _call("unshare", _CLONE_NEWPID)


def become(uid: int) -> None:
    """Go on as this user for good: no groups, no way back. Needs the rights of root."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _call("prctl", _PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self would belong to root, and uid_map stay closed


def enter_namespaces() -> None:
    """User, mount, network, ipc and host-name namespaces of this process alone; in them it has every capability."""
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", _NEW_NAMESPACES)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{INSIDE_UID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{INSIDE_UID} {gid} 1")


def mount_private_folders(limits: Limits, writable: Sequence[str]) -> None:
    """Empty writable folders of limited size, the first to work in, and nothing in /proc to look at."""
    size = f"size={limits.tmp_mib}m,nr_inodes={limits.files},mode=1777"
    for folder in (*writable, "/dev/shm"):
        _mount("tmpfs", folder, _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, size)
    _mount("tmpfs", "/proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC | _MS_RDONLY, "size=4k")
    os.chdir(writable[0])


def limit_resources(limits: Limits) -> None:
    """Limits that the kernel keeps for this process and those it starts."""
    mib = 2**20
    most_bytes = limits.memory_mib * mib
    for what, most in (
        (resource.RLIMIT_DATA, _bytes("VmData") + most_bytes),  # an allocation beyond fails politely, inside Python
        (resource.RLIMIT_AS, _bytes("VmSize") + most_bytes + 4096 * mib),  # stacks and libraries take room, not memory
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, limits.file_mib * mib),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file that is too large: OSError, not death


def drop_rights() -> None:
    """No capability, none to be had again, and no system call that an answer has no use for."""
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    capability = 0
    while _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _call("capset", header, bytes(24))
    _filter_system_calls()


def drop_rights_of_a_plain_user() -> None:
    """As `drop_rights`, for a process without capabilities."""
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _filter_system_calls()


def die_with_parent() -> None:
    """End when the parent ends."""
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def close_all_but(keep: int) -> None:
    """Close every file but this one; input and output lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        if number != keep:
            os.dup2(nowhere, number)
    os.closerange(3, keep)
    os.closerange(max(keep + 1, 3), resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def holds_over(mib: float, first: int) -> bool:
    """True when a process and all below it hold more memory than that; what several of them share counts once.

    Counts anonymous and shared memory and page tables; files that are mapped, such as torch's own, are nobody's.
    """
    everyone = [first, *_descendants(first)]
    if sum(map(held_mib, everyone)) <= mib:  # takes no time, and counts what a fork shares for each
        return False
    return any(held > mib for held in accumulate(map(_share_mib, everyone)))


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            children = Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
            for child in map(int, children):
                found += [child, *_descendants(child)]
    except OSError:  # it ended meanwhile
        pass
    return found


def used_s(first: int) -> tuple[float, float]:
    """The seconds that a process and all below it have computed, and those that they have waited for a processor.

    The second is infinite where the system does not count them.
    """
    everyone = [first, *_descendants(first)]
    return sum(map(_computed_s, everyone)), sum(map(_queued_s, everyone))


def _computed_s(pid: int) -> float:
    """With what its children had computed that have ended."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:  # it ended meanwhile
        return 0.0
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")


def _queued_s(pid: int) -> float:
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile, or nobody counts
        return total / 1e9 if os.path.exists("/proc/self/schedstat") else math.inf
    except (OSError, ValueError, IndexError):
        return math.inf
    return total / 1e9


def held_mib(pid: int) -> float:
    """MiB that one process holds, what it shares with its parent too."""
    return _read_mib(f"/proc/{pid}/status", "RssAnon", "RssShmem", "VmPTE")


def _share_mib(pid: int) -> float:
    """MiB that one process holds, of each page its part among those that share it."""
    try:
        return _read_mib(f"/proc/{pid}/smaps_rollup", "Pss_Anon", "Pss_Shmem") + _read_mib(
            f"/proc/{pid}/status", "VmPTE"
        )
    except OSError:  # not allowed to look
        return held_mib(pid)


def _read_mib(path: str, *names: str) -> float:
    """The sum of these lines of a file in /proc; 0 for a process that has ended."""
    try:
        lines = Path(path).read_bytes().split(b"\n")  # a process may call itself anything, but for a line's end
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    held = dict(line.split(b":", 1) for line in lines if b":" in line)
    return sum(int(held.get(name.encode(), b"0 kB").split()[0]) for name in names) / 1024


def _bytes(what: str) -> int:
    """A size of this process, as /proc calls it."""
    status = Path("/proc/self/status").read_text()
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"{what}:")), 0)


def _filter_system_calls() -> None:
    program = seccomp.program()
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    _call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0)


def _mount(kind: str, target: str, flags: int, options: str) -> None:
    _call("mount", b"none", target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
