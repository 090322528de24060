"""A seccomp filter: which system calls an answer may not make, as the program that the kernel runs before each call.

Denied calls fail with EPERM, as they do for a program without rights, so that a library that tries one can continue.
"""

from __future__ import annotations

import errno
import platform
import struct

# linux/audit.h, linux/seccomp.h, linux/bpf_common.h
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AND = 0x54
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _THIRD_ARGUMENT, _FOURTH_ARGUMENT = 0, 4, 16, 32, 40
_X32 = 0x40000000  # the other numbering of an x86-64 kernel
_NAMESPACES = 0x7E020080  # CLONE_NEW*: user, pid, network, mount, ipc, uts, cgroup, time
_AF_UNIX = 1
_PR_SET_SECCOMP = 22
_SHARED_ANONYMOUS = 0x21  # MAP_SHARED and MAP_ANONYMOUS: memory that is counted for no process and stays when unused

# arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h
DENIED = {
    "x86_64": {
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "pidfd_getfd": 438,
        "process_madvise": 440, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "open_tree": 428,
        "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
        "unshare": 272, "setns": 308, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
        "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "io_setup": 206,
        "setrlimit": 160, "seccomp": 317,
        "keyctl": 250, "add_key": 248, "request_key": 249,
        "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
        "memfd_create": 319, "memfd_secret": 447, "shmget": 29, "shmat": 30, "msgget": 68, "semget": 64,
        "mq_open": 240, "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304,
        "swapon": 167, "swapoff": 168, "reboot": 169, "settimeofday": 164, "clock_settime": 227, "adjtimex": 159,
        "clock_adjtime": 305, "sethostname": 170, "setdomainname": 171, "acct": 163, "quotactl": 179,
        "quotactl_fd": 443, "syslog": 103, "personality": 135, "vhangup": 153, "nfsservctl": 180,
        "lookup_dcookie": 212, "ioperm": 173, "iopl": 172, "modify_ldt": 154, "uselib": 134, "sysfs": 139,
    },
    "aarch64": {
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "pidfd_getfd": 438,
        "process_madvise": 440, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "open_tree": 428,
        "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
        "unshare": 97, "setns": 268, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
        "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "io_setup": 0,
        "setrlimit": 164, "seccomp": 277,
        "keyctl": 219, "add_key": 217, "request_key": 218,
        "kexec_load": 104, "kexec_file_load": 294, "init_module": 105, "finit_module": 273, "delete_module": 106,
        "memfd_create": 279, "memfd_secret": 447, "shmget": 194, "shmat": 196, "msgget": 186, "semget": 190,
        "mq_open": 180, "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265,
        "swapon": 224, "swapoff": 225, "reboot": 142, "settimeofday": 170, "clock_settime": 112, "adjtimex": 171,
        "clock_adjtime": 266, "sethostname": 161, "setdomainname": 162, "acct": 89, "quotactl": 60,
        "quotactl_fd": 443, "syslog": 116, "personality": 92, "vhangup": 58, "nfsservctl": 42, "lookup_dcookie": 18,
    },
}  # fmt: skip
_SPECIAL = {
    "x86_64": {"clone": 56, "clone3": 435, "socket": 41, "mmap": 9, "prctl": 157, "prlimit64": 302},
    "aarch64": {"clone": 220, "clone3": 435, "socket": 198, "mmap": 222, "prctl": 167, "prlimit64": 261},
}


def is_known(machine: str = "") -> bool:
    """True where there is a filter for this machine's kind of processor."""
    return (machine or platform.machine()) in DENIED


def program(machine: str = "") -> bytes:
    """The filter for this kind of processor, as the array of instructions that prctl(PR_SET_SECCOMP) takes."""
    machine = machine or platform.machine()
    special = _SPECIAL[machine]
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, _ARCHITECTURES[machine], 1, 0),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _NUMBER),
        *((_step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, _ERRNO | errno.EPERM)) if machine == "x86_64" else ()),
        # glibc makes threads with clone3, whose flags lie in memory that a filter can't read; without it, with clone.
        *_deny(special["clone3"], errno.ENOSYS),
        *(step for number in DENIED[machine].values() for step in _deny(number, errno.EPERM)),
        # Limits that the kernel keeps by SIGKILL, and its strictest filter: an answer that sets them for itself would
        # seem to have been killed by somebody else.
        _step(_EQUAL, special["prctl"], 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_EQUAL, _PR_SET_SECCOMP, 0, 1),
        _step(_RETURN, _ERRNO | errno.EPERM),
        _step(_RETURN, _ALLOW),
        _step(_EQUAL, special["prlimit64"], 0, 6),
        _step(_LOAD, _THIRD_ARGUMENT),
        _step(_EQUAL, 0, 0, 2),
        _step(_LOAD, _THIRD_ARGUMENT + 4),
        _step(_EQUAL, 0, 1, 0),
        _step(_RETURN, _ERRNO | errno.EPERM),
        _step(_RETURN, _ALLOW),
        _step(_EQUAL, special["mmap"], 0, 4),
        _step(_LOAD, _FOURTH_ARGUMENT),
        _step(_AND, _SHARED_ANONYMOUS),
        _step(_EQUAL, _SHARED_ANONYMOUS, 8, 0),
        _step(_RETURN, _ALLOW),
        _step(_EQUAL, special["clone"], 0, 3),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_ANY_BIT, _NAMESPACES, 4, 0),
        _step(_RETURN, _ALLOW),
        _step(_EQUAL, special["socket"], 0, 3),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_EQUAL, _AF_UNIX, 1, 0),
        _step(_RETURN, _ERRNO | errno.EPERM),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(steps)


def _deny(number: int, code: int) -> tuple[bytes, bytes]:
    return _step(_EQUAL, number, 0, 1), _step(_RETURN, _ERRNO | code)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
