"""System calls, processes and signals: leaving the sandbox, killing, writing, living on."""

# ruff: noqa: E501  (programs within strings)

from __future__ import annotations

from tests.hostile.attacks import CRASHED, ENDED, ERROR, GRADED, TAMPERED, TIMEOUT, Attack, freeze
from tests.hostile.trial import MARK, REACHED, ROOT

CALLS = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
text = ctypes.create_string_buffer(4096)
def attempt(name, number, *arguments):
    if libc.syscall(number, *arguments) >= 0: print("{REACHED}", name)
"""
LIVES_ON = f"""
import ctypes, os, signal, sys, time
def live_on(name):
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
    ctypes.CDLL(None).prctl(15, b"{MARK}", 0, 0, 0)
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(300)", "{MARK}"])
    time.sleep(300)
"""


def inside(name: str, body: str, statuses: tuple[str, ...] = (GRADED, ERROR), top: str = "", **more: object) -> Attack:
    return Attack(name, freeze(body, top=top), statuses, **more)  # type: ignore[arg-type]


ATTACKS = (
    inside("os._exit leaves no result but its own", "import os\nos._exit(0)", (CRASHED,)),
    inside("os._exit with a code, from a __del__", """
        import os
        class Last:
            def __del__(self): os._exit(3)
        Last()
    """, (CRASHED,)),
    inside("it kills every process that it sees", """
        import os, signal
        for number in (signal.SIGTERM, signal.SIGKILL):
            for target in (-1, 0, os.getppid(), 1, *range(2, 400), -os.getpgrp()):
                try: os.kill(target, number)
                except OSError: pass
        os.abort()
    """, (CRASHED,)),
    inside("atexit functions never run", f"""
        import atexit, os
        atexit.register(lambda: [os.write(number, b"garbage") for number in range(3, 100)])
        atexit.register(lambda: open("{MARK}", "w"))
    """),
    inside("threads that go on are ended with their process", f"""
        import threading, time
        def work():
            while True: time.sleep(0.01)
        for number in range(8): threading.Thread(target=work, name="{MARK}").start()
    """, (GRADED, *ENDED)),
    inside("detached children are ended with their sandbox", f"""
        if os.fork() == 0:
            live_on("{MARK}")
    """, (GRADED, *ENDED), top=LIVES_ON),
    inside("detached children are ended when the answer crashes", f"""
        if os.fork() == 0: live_on("{MARK}")
        time.sleep(0.1)
        os._exit(1)
    """, (CRASHED,), top=LIVES_ON),
    inside("it becomes another program, which holds on to everything", f"""
        import os, sys
        for number in range(3, 100):
            try: os.set_inheritable(number, True)
            except OSError: pass
        os.execv(sys.executable, [sys.executable, "-c", "import os; os.system('echo PASSED; echo x >&3; echo x >&4')", "{MARK}"])
    """, ENDED),
    inside("a segmentation fault is a crash", "import ctypes\nctypes.string_at(0)", (CRASHED,)),
    inside("a stack that overflows is a crash", """
        import sys
        sys.setrecursionlimit(10**9)
        class Deep:
            def __repr__(self): return repr(self)
        def deep(x): return [deep(x)]
        repr(Deep()), deep(0)
    """, (CRASHED, ERROR)),
    inside("an aborted process is a crash", "import os\nos.abort()", (CRASHED,)),
    inside("every file is closed", """
        import os
        os.closerange(0, 4096)
    """, (CRASHED,)),
    inside("builtins are deleted", """
        import builtins
        for name in list(vars(builtins)):
            if name not in ("delattr", "builtins"): vars(builtins).pop(name)
    """, (ERROR, CRASHED, TAMPERED, GRADED)),
    inside("a tracer rewrites the probe's frames", """
        import sys, threading
        def trace(frame, event, argument):
            try:
                for key in list(frame.f_locals): frame.f_locals[key] = True
            except Exception: pass
            return trace
        threading.settrace(trace)
        sys.settrace(trace)
        sys.setprofile(trace)
        sys._getframe(1).f_trace = trace
    """, (GRADED, ERROR, *ENDED)),
    inside("system calls that watch, mount, load and reconfigure are refused", """
        attempt("ptrace", 101, 16, 1, 0, 0)
        attempt("process_vm_readv", 310, 1, text, 1, text, 1, 0)
        attempt("process_vm_writev", 311, 1, text, 1, text, 1, 0)
        attempt("mount", 165, b"none", b"/tmp", b"tmpfs", 0, 0)
        attempt("umount", 166, b"/proc", 2)
        attempt("pivot_root", 155, b"/tmp", b"/tmp")
        attempt("chroot", 161, b"/tmp")
        attempt("unshare", 272, 0x10000000)
        attempt("unshare net", 272, 0x40000000)
        attempt("setns", 308, 0, 0)
        attempt("bpf", 321, 5, text, 120)
        attempt("perf_event_open", 298, text, 0, -1, -1, 0)
        attempt("userfaultfd", 323, 1)
        attempt("io_uring_setup", 425, 8, text)
        attempt("keyctl", 250, 0, -3, 1)
        attempt("add_key", 248, b"user", b"x", b"y", 1, -3)
        attempt("memfd_create", 319, b"x", 0)
        attempt("memfd_secret", 447, 0)
        attempt("shmget", 29, 0, 4096, 0o1777)
        attempt("msgget", 68, 0, 0o1777)
        attempt("semget", 64, 0, 1, 0o1777)
        attempt("mq_open", 240, b"x", 66, 0o777, 0)
        attempt("clone of a user namespace", 56, 0x10000011, 0, 0, 0, 0)
        attempt("clone3", 435, text, 88)
        attempt("name_to_handle_at", 303, -100, b"/", text, text, 0)
        attempt("open_by_handle_at", 304, 0, text, 0)
        attempt("init_module", 175, text, 8, b"")
        attempt("kexec_load", 246, 0, 0, 0, 0)
        attempt("swapon", 167, b"/tmp/x", 0)
        attempt("settimeofday", 164, text, 0)
        attempt("sethostname", 170, b"x", 1)
        attempt("personality", 135, 0x40000)
        attempt("quotactl", 179, 0, 0, 0, 0)
        attempt("syslog", 103, 3, text, 100)
        attempt("acct", 163, b"/tmp/x")
        attempt("iopl", 172, 3)
        attempt("fsopen", 430, b"tmpfs", 0)
        attempt("open_tree", 428, -100, b"/", 1)
        attempt("mount_setattr", 442, -100, b"/", 0, text, 32)
        attempt("fanotify_init", 300, 0, 0)
        attempt("pidfd_getfd", 438, 0, 0, 0)
        attempt("lookup in the other table of system calls", 0x40000000 + 39)
        print("system calls")
    """, top=CALLS, says="system calls"),
    inside("rights that were given up are not had again", """
        attempt("setuid", 105, 0)
        attempt("setresuid", 117, 0, 0, 0)
        attempt("setgroups", 116, 1, text)
        attempt("capset", 126, (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6))
        attempt("mknod of a disk", 133, b"disk", 0o60666, 0x0801)
        attempt("ambient capability", 157, 47, 2, 21, 0, 0)
        attempt("seccomp off", 157, 22, 0, 0, 0, 0)
        attempt("no_new_privs off", 157, 38, 0, 0, 0, 0)
        attempt("priority", 141, 0, 0, -20)
        attempt("raised limit", 160, 6, (ctypes.c_uint64 * 2)(2**20, 2**20))
        print("rights")
    """, top=CALLS, says="rights"),
    inside("the processor's other ways into the kernel are shut", """
        import mmap
        code = b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3"  # mov eax, 20; int 0x80; ret: getpid of a 32-bit program
        page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
        page.write(code)
        print("REACHED", ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))())
    """, (CRASHED, ERROR), top=CALLS),
    inside("a program with another user's rights gains none", f"""
        import os, subprocess
        for program in ("/usr/bin/su", "/usr/bin/passwd", "/usr/bin/newgrp", "/usr/bin/bwrap", "/usr/bin/mount", "/usr/bin/unshare"):
            if os.path.exists(program):
                words = [program, "--unshare-user", "--bind", "/", "/", "id"] if "bwrap" in program else [program, "-r", "id"]
                done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=1)
                if b"uid=0" in done.stdout: print("{REACHED}", program, done.stdout)
        print("programs")
    """, says="programs"),
    inside("no network, no name service, no socket of another kind", f"""
        import socket
        for family in range(2, 46):
            for kind in (1, 2, 3, 5):
                try: print("{REACHED}", family, socket.socket(family, kind))
                except OSError: pass
        for call in (
            lambda: socket.create_connection(("127.0.0.1", 22), 0.2), lambda: socket.getaddrinfo("example.org", 80),
            lambda: socket.gethostbyname("localhost"),
        ):
            try: print("{REACHED}", call())
            except OSError: pass
        print("network")
    """, says="network"),
    inside("a unix socket leads nowhere", f"""
        import os, socket
        for path in ("\\0bus", "/run/docker.sock", "/var/run/docker.sock", "/run/systemd/private", "/tmp/.X11-unix/X0",
                     "/run/dbus/system_bus_socket", "\\0/tmp/.X11-unix/X0", "/tmp/.s.PGSQL.5432"):
            try:
                socket.socket(socket.AF_UNIX).connect(path)
                print("{REACHED}", path)
            except OSError: pass
        print("unix")
    """, says="unix"),
    inside("only its own folders take a file", f"""
        import os
        here = {str(ROOT)!r}
        took = []
        for folder in ("/", "/tmp", "/home", "/home/learner", "/dev", "/dev/shm", "/dev/pts", "/proc", "/usr", "/etc", "/var",
                       "/var/tmp", "/run", "/root", "/lib", here, here + "/course", here + "/course/exercises",
                       here + "/course/grading", os.path.dirname(os.__file__), os.path.dirname(os.path.dirname(__import__("torch").__file__))):
            try:
                with open(folder + "/{MARK}", "w") as stream: stream.write("x")
                took.append(folder)
            except OSError: pass
            try: os.mkdir(folder + "/{MARK}-folder")
            except OSError: pass
            try: os.symlink("/etc/passwd", folder + "/{MARK}-link")
            except OSError: pass
        if not set(took) <= {{"/tmp", "/home/learner", "/dev/shm"}}: print("{REACHED}", took)
        print("writable", took)
    """, says="writable"),
    inside("what one answer leaves, the next does not find", f"""
        import os
        for folder in ("/tmp", "/home/learner", "/dev/shm", "/dev"):
            found = [name for name in os.listdir(folder) if "{MARK}" in name]
            if found: print("{REACHED}", folder, found)
        print("empty")
    """, says="empty"),
    inside("the course and Python's libraries are not changed for the next", """
        import os, sys, torch, course
        for module in list(sys.modules.values()):
            for path in (getattr(module, "__file__", None),):
                if path and path.startswith("/"):
                    try: open(path, "a").write("# changed"); print("REACHED", path)
                    except OSError: pass
                    try: os.chmod(path, 0o777); print("REACHED chmod", path)
                    except OSError: pass
        try: os.rename(torch.__file__, "/tmp/x"); print("REACHED rename")
        except OSError: pass
        print("unchanged")
    """, says="unchanged", statuses=(GRADED, TIMEOUT)),
    inside("terminals of others are out of reach", f"""
        import fcntl, os, pty, termios
        for number in range(3):
            try: fcntl.ioctl(number, termios.TIOCSTI, b"x"); print("{REACHED} TIOCSTI")
            except OSError: pass
        try: print("pty", pty.openpty())
        except OSError: pass
        print("terminals", os.listdir("/dev/pts"))
    """, says="terminals"),
    inside("signals of the alarm are blocked, and it loops", """
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        while True: pass
    """, (TIMEOUT,), slow=True),
    inside("the alarm's handler is taken away, and it sleeps", """
        import signal, time
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
        time.sleep(1000)
    """, (TIMEOUT,), slow=True),
    inside("it stops itself and its children", """
        import os, signal
        if os.fork() == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(0, signal.SIGSTOP)
        signal.pause()
    """, (TIMEOUT,)),
)  # fmt: skip
