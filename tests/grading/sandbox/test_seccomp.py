"""The system call filter, read as the kernel reads it: which calls it allows, and which it answers itself."""

import errno
import platform
import re
import struct
from pathlib import Path

import pytest

from course.grading.sandbox import seccomp

AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "i386": 0x40000003, "arm": 0x40000028}
ALLOW, KILL = "allow", "kill"
# Numbers of what Python and torch live by, and of what the filter looks at more closely.
CALLS = {
    "x86_64": {
        "read": 0,
        "write": 1,
        "mmap": 9,
        "mprotect": 10,
        "munmap": 11,
        "ioctl": 16,
        "madvise": 28,
        "dup2": 33,
        "socket": 41,
        "socketpair": 53,
        "clone": 56,
        "fork": 57,
        "execve": 59,
        "exit": 60,
        "kill": 62,
        "futex": 202,
        "openat": 257,
        "prlimit64": 302,
        "getrandom": 318,
        "clone3": 435,
        "setitimer": 38,
    },
    "aarch64": {
        "read": 63,
        "write": 64,
        "mmap": 222,
        "mprotect": 226,
        "munmap": 215,
        "ioctl": 29,
        "madvise": 233,
        "socket": 198,
        "socketpair": 199,
        "clone": 220,
        "execve": 221,
        "exit": 93,
        "kill": 129,
        "futex": 98,
        "openat": 56,
        "prlimit64": 261,
        "getrandom": 278,
        "clone3": 435,
        "setitimer": 103,
    },
}
NAMESPACES = [0x10000000, 0x20000000, 0x40000000, 0x00020000, 0x08000000, 0x04000000, 0x02000000]
THREAD = 0x3D0F00  # what glibc passes to clone for a thread
HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
}
machines = pytest.mark.parametrize("machine", sorted(seccomp.DENIED))


def decoded(machine):
    return list(struct.iter_unpack("HBBI", seccomp.program(machine)))


def decision(machine, number, *arguments, architecture=None):
    """What the kernel does about a call, as it would find out; arguments are of 64 bits."""
    values = [*arguments, *([0] * (6 - len(arguments)))]
    data = struct.pack("<iIQ6Q", number, AUDIT[architecture or machine], 0x7F0000000000, *values)
    steps, place, accumulator = decoded(machine), 0, 0
    while True:
        code, if_true, if_false, value = steps[place]
        place += 1
        if code == 0x20:  # load a word
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif code == 0x54:
            accumulator &= value
        elif code == 0x06:
            return _named(value)
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            place += if_true if holds else if_false


def _named(value):
    kind = value & 0xFFFF0000
    if kind == 0x00050000:
        return errno.errorcode[value & 0xFFFF]
    return {0x7FFF0000: ALLOW, 0x80000000: KILL}[kind]


@machines
def test_the_program_is_one_that_the_kernel_takes(machine):
    steps = decoded(machine)
    assert 0 < len(steps) <= 4096
    for place, (code, if_true, if_false, value) in enumerate(steps):
        assert code in (0x20, 0x54, 0x06, 0x15, 0x35, 0x45)
        if code == 0x20:
            assert value % 4 == 0 and value < 64
        if code in (0x15, 0x35, 0x45):
            assert place + 1 + max(if_true, if_false) < len(steps)
        elif code != 0x06:
            assert place + 1 < len(steps), "it runs off the end"


@machines
def test_every_path_ends_in_an_answer_of_the_four_kinds(machine):
    steps = decoded(machine)
    reached, waiting = set(), [0]
    while waiting:
        place = waiting.pop()
        if place in reached:
            continue
        reached.add(place)
        code, if_true, if_false, value = steps[place]
        if code == 0x06:
            assert _named(value) in (ALLOW, KILL, "EPERM", "ENOSYS")
        else:
            waiting += [place + 1 + if_true, place + 1 + if_false] if code in (0x15, 0x35, 0x45) else [place + 1]
    assert reached == set(range(len(steps))), "there is a step that nothing leads to"


@machines
def test_what_is_denied_fails_with_eperm_whatever_its_arguments(machine):
    for name, number in seccomp.DENIED[machine].items():
        for arguments in ((), (1,), (2**64 - 1,) * 6):
            assert decision(machine, number, *arguments) == "EPERM", name


@machines
def test_no_number_is_denied_twice_under_two_names(machine):
    numbers = list(seccomp.DENIED[machine].values())
    assert len(set(numbers)) == len(numbers)


@machines
def test_what_python_and_torch_live_by_is_allowed(machine):
    for name in CALLS[machine].keys() - {"clone3", "socket"}:
        assert decision(machine, CALLS[machine][name], 3, 1, 0, 2) == ALLOW, name


@machines
def test_limits_can_be_read_and_not_set(machine):
    for new in (1, 2**32, 2**64 - 1):
        assert decision(machine, CALLS[machine]["prlimit64"], 0, 0, new) == "EPERM"
    assert decision(machine, CALLS[machine]["prlimit64"], 0, 0, 0, 2**64 - 1) == ALLOW


@machines
def test_no_filter_of_its_own_can_be_set(machine):
    prctl = {"x86_64": 157, "aarch64": 167}[machine]
    assert decision(machine, prctl, 22, 1) == "EPERM"
    assert decision(machine, prctl, 15, 1) == ALLOW


@machines
def test_threads_and_forks_are_allowed_and_namespaces_are_not(machine):
    clone = CALLS[machine]["clone"]
    assert decision(machine, clone, THREAD) == ALLOW
    assert decision(machine, clone, 0x01200011) == ALLOW  # a fork, as glibc makes it
    for flag in NAMESPACES:
        assert decision(machine, clone, flag) == "EPERM"
        assert decision(machine, clone, flag | THREAD) == "EPERM"
    assert decision(machine, CALLS[machine]["clone3"]) == "ENOSYS"


@machines
def test_sockets_are_unix_sockets(machine):
    socket = CALLS[machine]["socket"]
    assert decision(machine, socket, 1, 1, 0) == ALLOW
    # inet, inet6, netlink, packet, bluetooth, alg, vsock, xdp; and one whose upper half the kernel does not look at
    for family in (0, 2, 10, 16, 17, 31, 38, 40, 44, 2**32 + 2):
        assert decision(machine, socket, family, 1, 0) == "EPERM", family


@machines
def test_memory_is_private_or_of_a_file(machine):
    mmap = CALLS[machine]["mmap"]
    assert decision(machine, mmap, 0, 4096, 3, 0x22) == ALLOW  # private, anonymous
    assert decision(machine, mmap, 0, 4096, 3, 0x01) == ALLOW  # a file, shared
    for flags in (0x21, 0x23, 0x21 | 0x4000, 0x21 | 0x40000, 2**32 + 0x21):
        assert decision(machine, mmap, 0, 4096, 3, flags) == "EPERM"


@machines
@pytest.mark.parametrize("architecture", ["i386", "arm"])
def test_another_kind_of_call_ends_the_process(machine, architecture):
    for number in (0, 1, 11, 102, 200):
        assert decision(machine, number, architecture=architecture) == KILL


def test_the_second_numbering_of_an_x86_kernel_is_denied():
    for number in (0, 1, 101, 165, 435):
        assert decision("x86_64", number | 0x40000000) == "EPERM"
    assert decision("x86_64", -1) == "EPERM"


@machines
def test_numbers_are_those_of_the_systems_headers(machine):
    header = next((path for path in map(Path, HEADERS[machine]) if path.exists()), None)
    if header is None:
        pytest.skip("the kernel's headers are not installed")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    theirs = {name: int(number) for name, number in found}
    ours = seccomp.DENIED[machine] | CALLS[machine]
    known = {name: number for name, number in ours.items() if name in theirs}
    assert known == {name: theirs[name] for name in known}
    assert len(known) > 0.8 * len(ours), "most names should be in the header"


def test_this_machines_kind_is_the_default():
    if not seccomp.is_known():
        pytest.skip("no filter for this kind of processor")
    assert seccomp.program() == seccomp.program(platform.machine())
    assert not seccomp.is_known("riscv64") and seccomp.is_known("x86_64")
