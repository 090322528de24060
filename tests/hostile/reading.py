"""Answers that look for judges, solutions, secrets and other learners' work, and show whatever they find."""

# ruff: noqa: E501  (programs within strings)

from __future__ import annotations

import sys
from pathlib import Path

from course.grading.grades import CRASHED, ERROR, GRADED, TIMEOUT
from tests.hostile.attacks import Attack, freeze
from tests.hostile.trial import REACHED, ROOT

# The folders on the way to Python itself: empty but for the next one.
WAY = {parent for place in (sys.prefix, sys.base_prefix, ROOT) for parent in Path(place).resolve().parents}
PLACES = [
    *(
        ROOT / "solutions" / "02_freeze_the_backbone.ipynb",
        ROOT / "solutions" / "hidden" / "nb02_freeze_the_backbone.py",
    ),
    *(ROOT / "tests" / "conftest.py", ROOT / ".git" / "HEAD", ROOT / "notebooks" / "02_freeze_the_backbone.ipynb"),
    *(
        "/etc/passwd",
        "/etc/shadow",
        "/etc/hostname",
        "/etc/hosts",
        "/etc/machine-id",
        "/root/.ssh",
        "/root/.bashrc",
        "/root/.bash_history",
        "/var",
        "/run",
        "/sys",
    ),
    *("/dev/mem", "/dev/kvm", "/dev/sda", "/dev/vda", "/dev/fuse", "/boot", "/opt/course", "/mnt", "/srv", "/media"),
]
PATHS = [path for path in map(Path, PLACES) if path not in WAY]


def looking(name: str, body: str, **more: object) -> Attack:
    return Attack(name, freeze(body), **more)  # type: ignore[arg-type]


ATTACKS = (
    looking("no file beside Python's own can be read", f"""
        import os
        for path in {[str(path) for path in PATHS]!r}:
            try:
                found = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(100)
            except OSError:
                continue
            if found: print("{REACHED}", path, found)
        print("looked")
    """, says="looked"),
    looking("the walk through every folder finds no submission and no gradebook", f"""
        import os
        skipped = ("site-packages", "lib", "lib64", "share", "bin", "include", "python3")
        count = 0
        for folder, folders, files in os.walk("/"):
            folders[:] = [name for name in folders if not name.startswith(skipped)]
            for name in files:
                count += 1
                if name.endswith((".ipynb", ".sqlite", ".sqlite-wal")) or name.startswith("test_"):
                    print("{REACHED}", folder, name)
        print("walked", count)
    """, says="walked", statuses=(GRADED, TIMEOUT)),
    looking("the environment holds nothing of the grader's", """
        import ctypes, os
        environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
        raw = []
        while environ[len(raw)]: raw.append(environ[len(raw)])
        print("environment", sorted(os.environ), raw)
    """, says="environment"),
    looking("no frame and no object of the process is a judge", f"""
        import gc, sys
        from course.judging.exercise import exercises_of, notebook_numbers
        for number in notebook_numbers():
            for exercise in exercises_of(number):
                if exercise.judges: print("{REACHED}", exercise.judges)
        frame, names = sys._getframe(), []
        while frame:
            names += [f"{{frame.f_code.co_name}}.{{key}}" for key in frame.f_locals]
            frame = frame.f_back
        if any("judge" in name.lower() or "expected" in name for name in names): print("{REACHED}", names)
        for thing in gc.get_objects():
            if type(thing).__name__ in ("Judge", "Case", "Outcome", "Result", "Settings", "Gradebook"):
                print("{REACHED}", thing)
        print("frames", len(names))
    """, says="frames"),
    looking("no source in the sandbox holds a judge or an expected value", f"""
        import linecache, pathlib, course.exercises
        texts = {{}}
        for folder in (*course.exercises.__path__, pathlib.Path(course.__file__).parent / "exercises"):
            for path in pathlib.Path(folder).rglob("*.py"): texts[str(path)] = path.read_text()
        for path, text in texts.items():
            text += "".join(linecache.getlines(path))
            if any(word in text for word in (".judge(", "exercise.case", "raise Wrong", "expect(", "expect_close(", "expect_equal(")):
                print("{REACHED}", path, text)
        import re
        print("sources", len(texts), sorted(pathlib.Path(folder).rglob("*.pyc")))
    """, says="sources"),
    looking("the hidden judges cannot be imported", f"""
        import importlib
        for name in ("course_hidden_nb02_freeze_the_backbone", "solutions", "hidden", "tests", "tests.hostile", "nb02_freeze_the_backbone"):
            try: print("{REACHED}", importlib.import_module(name))
            except ImportError: pass
        print("imports")
    """, says="imports"),
    looking("the inputs of a case that is not yet tried are not there", f"""
        import gc, os, sys
        def cases(value):
            return len(value) if isinstance(value, list) and value and isinstance(value[0], bytes) else 0
        frame, most = sys._getframe(), 0
        while frame:
            most = max([most, *map(cases, frame.f_locals.values())])
            frame = frame.f_back
        for thing in gc.get_objects():
            if type(thing).__name__ == "BufferedReader":
                os.set_blocking(thing.fileno(), False)
                most = max(most, 2 if len(thing.peek() or b"") > 1000 else 0)
                os.set_blocking(thing.fileno(), True)
        if most > 1: print("{REACHED} the inputs of", most, "cases")
        print("cases")
    """, says="cases"),
    looking("there is no history of a notebook", f"""
        for name in ("In", "Out", "_ih", "get_ipython", "_"):
            if name in globals(): print("{REACHED}", name, globals()[name])
        print("history")
    """, says="history"),
    looking("/proc is empty", f"""
        import os
        found = os.listdir("/proc")
        for name in ("self/mem", "1/mem", "1/environ", "1/cmdline", "self/fd", "self/maps", "sys/kernel/hostname"):
            try: found.append((name, open("/proc/" + name, "rb").read(64)))
            except OSError: pass
        if found: print("{REACHED}", found)
        print("proc")
    """, says="proc"),
    looking("arguments, host, user and groups are nobody's", f"""
        import os, socket, sys
        print("who", sys.argv, sys.orig_argv, socket.gethostname(), os.uname(), os.getuid(), os.getgid(), os.getgroups())
        if socket.gethostname() != "sandbox" or os.getuid() in (0,): print("{REACHED}")
    """, says="who"),
    looking("but one socket no file is open", f"""
        import os, stat
        found = []
        for number in range(4096):
            try: mode = os.fstat(number).st_mode
            except OSError: continue
            found.append((number, oct(mode)))
            if not stat.S_ISSOCK(mode) and os.fstat(number).st_rdev != os.stat(os.devnull).st_rdev: print("{REACHED}", number)
        sockets = [number for number, mode in found if mode.startswith("0o14")]
        if len(sockets) > 1: print("{REACHED}", sockets)
        print("open", found)
    """, says="open"),
    looking("the strings of the process hold no secret", """
        import gc, re
        found = set()
        def texts(thing, depth=3):
            if isinstance(thing, (str, bytes)): yield thing if isinstance(thing, str) else thing.decode("latin-1")
            elif isinstance(thing, (dict, list, tuple, set, frozenset)) and depth:
                for part in list(thing.items()) if isinstance(thing, dict) else list(thing): yield from texts(part, depth - 1)
        for thing in gc.get_objects():
            for text in texts(thing, 2):
                found.update(re.findall("keep" + "out-[0-9a-f]{8,}", text))
        print("strings", found)
    """, says="strings", statuses=(GRADED, TIMEOUT)),
    looking("the heap that the warm process left holds no secret", """
        import ctypes, re
        libc = ctypes.CDLL(None)
        libc.sbrk.restype = ctypes.c_void_p
        top = libc.sbrk(0)
        found = set()
        for start in range(top - 2**24, top, 4096):
            present = (ctypes.c_ubyte * 1)()
            if libc.mincore(ctypes.c_void_p(start & ~4095), 4096, present) == 0:
                found.update(re.findall(b"keep" b"out-[0-9a-f]{8,}", ctypes.string_at(start & ~4095, 4096)))
        print("heap", found)
    """, says="heap", statuses=(GRADED, CRASHED, TIMEOUT)),
    looking("whoever holds the other end of the socket has no number in here", f"""
        import os, socket, stat, struct
        for number in range(1024):
            try:
                if not stat.S_ISSOCK(os.fstat(number).st_mode): continue
            except OSError: continue
            peer = socket.socket(fileno=os.dup(number)).getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            pid, uid, gid = struct.unpack("iii", peer)
            print("peer", pid, uid, gid)
            if pid: print("{REACHED} the grader's process", pid)
    """, says="peer"),
    looking("what it found is raised as an error, and cut", """
        import os, sys
        raise ValueError(repr(dict(os.environ)) + repr(sys.path) + repr(sys._getframe(1).f_locals) * 100)
    """, statuses=(ERROR,)),
    looking("shared libraries, the clock and the kernel's log tell nothing of others", f"""
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        text = ctypes.create_string_buffer(4096)
        if libc.klogctl(3, text, 4096) > 0: print("{REACHED} the kernel's log")
        for name in ("/dev/kmsg", "/dev/tty", "/dev/console", "/dev/ttyS0", "/dev/input", "/dev/snd", "/dev/dri", "/dev/nvidia0"):
            try: print("{REACHED}", name, os.open(name, os.O_RDONLY | os.O_NONBLOCK))
            except OSError: pass
        print("devices", os.listdir("/dev"))
    """, says="devices"),
)  # fmt: skip
