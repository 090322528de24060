"""Memory, processes, files, output and time."""

# ruff: noqa: E501  (programs within strings)

from __future__ import annotations

from tests.hostile.attacks import CRASHED, ENDED, ERROR, GRADED, TAMPERED, TIMEOUT, Attack, freeze

ANY = (GRADED, ERROR, *ENDED)


def using(name: str, body: str, statuses: tuple[str, ...], **more: object) -> Attack:
    return Attack(name, freeze(body), statuses, **more)  # type: ignore[arg-type]


ATTACKS = (
    using("an endless loop", "while True: pass", (TIMEOUT,)),
    using("a loop that swallows every exception", """
        import time
        while True:
            try:
                while True: time.sleep(0.01)
            except BaseException:
                continue
    """, (TIMEOUT,)),
    using("a loop in C, which no signal interrupts", "sum(range(10**12))", (TIMEOUT,), slow=True),
    using("a regular expression without end", "import re\nre.match('(a|a)*$', 'a' * 60 + 'b')", (TIMEOUT,)),
    using("a number of a thousand million digits", "10 ** 10**10", (TIMEOUT, ERROR, CRASHED), slow=True),
    using("a matrix product of hours", "import torch\nx = torch.ones(8000, 8000)\nfor _ in range(1000): x @ x", (TIMEOUT,), slow=True),
    using("an input() that waits", "input()", (ERROR, TIMEOUT)),
    using(
        "a process whose name is no text",
        """
        import ctypes, os, time
        for name in (b"\\xff\\xfe", b"\\rRssAnon: z kB", b"\\x85VmPTE: -1 kB", b"RssAnon:", b") R 1 1"):
            if os.fork() == 0:
                ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
                time.sleep(0.2)
                os._exit(0)
            ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
            time.sleep(0.1)
    """,
        ANY,
    ),
    using(
        "it lowers its own limits until the kernel kills it",
        """
        import resource, signal
        signal.setitimer(signal.ITIMER_REAL, 0)
        for limit in (resource.RLIMIT_CPU, resource.RLIMIT_RTTIME):
            try:
                resource.setrlimit(limit, (1, 1))
            except (OSError, ValueError):
                pass
        while True: pass
    """,
        (TIMEOUT, CRASHED),
        slow=True,
    ),
    using(
        "it lowers the limits on files and processes of whoever comes next",
        """
        import os, resource
        for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_STACK):
            for process in (0, 1, os.getppid()):
                try:
                    resource.prlimit(process, limit, (0, 0))
                except (OSError, ValueError):
                    pass
    """,
        ANY,
    ),
    using("a fork bomb", """
        import os
        while True:
            try: os.fork()
            except OSError: pass
    """, ENDED, slow=True),
    using("a thread bomb", """
        import threading, time
        while True:
            try: threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
            except RuntimeError: break
        while True: time.sleep(1)
    """, (TIMEOUT, CRASHED), slow=True),
    using("64 processes that work at once", """
        import os
        for _ in range(70):
            try:
                if os.fork() == 0: break
            except OSError: break
        while True: pass
    """, ENDED, slow=True),
    using("3 GB in one piece", "x = bytearray(3 * 2**30)\nprint(len(x))", (ERROR, CRASHED)),
    using("3 GB as a tensor", "import torch\ntorch.ones(3 * 2**28)", (ERROR, CRASHED)),
    using("memory piece by piece, whatever is raised", """
        kept = []
        while True:
            try: kept.append(bytearray(b"x") * 2**24)
            except MemoryError: kept.append(kept)
    """, (TIMEOUT, CRASHED)),
    using("3 GB in twenty children", """
        import os, time
        for _ in range(20):
            if os.fork() == 0:
                kept = bytearray(b"x") * (150 * 2**20)
                time.sleep(1000)
        time.sleep(1000)
    """, (CRASHED, TIMEOUT)),
    using("3 GB of memory that is shared with children", """
        import mmap, os, time
        for _ in range(20):
            kept = mmap.mmap(-1, 150 * 2**20)
            if os.fork() == 0:
                for place in range(0, len(kept), 4096): kept[place] = 1
                time.sleep(1000)
        time.sleep(1000)
    """, (CRASHED, ERROR)),
    using("1.5 GiB of shared memory that no process holds any more", """
        import mmap
        kept = []
        for _ in range(12):
            kept.append(mmap.mmap(-1, 128 * 2**20))
            for place in range(0, len(kept[-1]), 4096): kept[-1][place] = 1
            kept[-1].madvise(mmap.MADV_DONTNEED)
        print("REACHED", sum(map(len, kept)) // 2**20, "MiB")
    """, (CRASHED, ERROR, TIMEOUT)),
    using("1.5 GiB of the shared zeros", """
        import mmap, os
        kept, zero = [], os.open("/dev/zero", os.O_RDWR)
        for _ in range(12):
            kept.append(mmap.mmap(zero, 128 * 2**20))
            for place in range(0, len(kept[-1]), 4096): kept[-1][place] = 1
            kept[-1].madvise(mmap.MADV_DONTNEED)
        print("REACHED", sum(map(len, kept)) // 2**20, "MiB")
    """, (CRASHED, ERROR, TIMEOUT)),
    using("page tables of terabytes that are only read", """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        start = libc.mmap(None, 2**40, 1, 0x4022, -1, 0)
        if start in (None, 2**64 - 1): raise MemoryError
        for place in range(0, 2**40, 2**21): ctypes.c_ubyte.from_address(start + place).value
        print("REACHED", 2**40 // 2**21 * 4 // 1024, "MiB of page tables")
    """, (CRASHED, ERROR, TIMEOUT)),
    using("a hundred million characters", """
        for _ in range(100): print("x" * 1_000_000)
        import os, sys
        for _ in range(100): os.write(1, b"x" * 1_000_000); os.write(2, b"x" * 1_000_000)
    """, (GRADED,), says="characters more"),
    using("a hundred million characters in one line", "print('\\u202e<b>\\x1b[2J' * 20_000_000)", (GRADED, ERROR, CRASHED)),
    using("a million files", """
        import os
        made = 0
        for folder in ("/tmp", ".", "/dev/shm"):
            try:
                for number in range(1_000_000): open(f"{folder}/{number}", "w").close(); made += 1
            except OSError: continue
        print("files", made)
        if made > 3 * 8192: print("REACHED")
    """, (GRADED, TIMEOUT)),
    using("a full disk", """
        import os
        written = 0
        for folder in ("/tmp", ".", "/dev/shm"):
            try:
                for number in range(100):
                    with open(f"{folder}/{number}", "wb", buffering=0) as stream:
                        while True: written += stream.write(b"x" * 2**20)
            except OSError: continue
        print("written", written)
    """, (GRADED, TIMEOUT, ERROR, CRASHED)),
    using("one file beyond every limit", """
        with open("big", "wb", buffering=0) as stream:
            while True: stream.write(b"x" * 2**20)
    """, (ERROR,)),
    using("every file number taken", """
        import os
        while True: os.open(os.devnull, os.O_RDONLY)
    """, (ERROR, CRASHED, TAMPERED)),
    using("folders without end", """
        import os
        while True:
            os.mkdir("d"); os.chdir("d")
    """, (ERROR, TIMEOUT)),
    using("full pipes and sockets in sixty children", """
        import os, socket, time
        for _ in range(60):
            if os.fork() == 0:
                kept = []
                try:
                    while True:
                        pair = socket.socketpair(); kept.append(pair); pair[0].setblocking(False)
                        try:
                            while True: pair[0].send(b"x" * 65536)
                        except BlockingIOError: pass
                except OSError: pass
                time.sleep(1000)
        time.sleep(0.2)
    """, ANY),
    using("timers, watches and locks by the thousand", """
        import ctypes, fcntl, os
        libc = ctypes.CDLL(None, use_errno=True)
        made = sum(libc.syscall(222, 1, 0, ctypes.byref(ctypes.c_int())) == 0 for _ in range(100_000))
        locks = open("locks", "w")
        for place in range(100_000): fcntl.lockf(locks, fcntl.LOCK_EX, 1, 2 * place)
        print("timers", made)
    """, ANY),
)  # fmt: skip
