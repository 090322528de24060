"""An answer behind the sandbox gives what it gives in a notebook; whatever it does to its process has a name."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from course.grading.sandbox import runner as machinery
from course.grading.sandbox.limits import Limits
from course.grading.sandbox.runner import MachineryFailure, Sandbox, SandboxedRunner
from course.judging import wire
from course.judging.answers import find_answers, read_notebook
from course.judging.definitions import Statement, execute
from course.judging.dependencies import plan_of
from course.judging.exercise import exercises_of, find_exercise
from course.judging.expectations import expect_close
from course.judging.runner import LocalRunner
from tests.conftest import ROOT, needs_a_container, needs_program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")

FREEZE = find_exercise("02-freeze-backbone")
CASE = wire.encode(FREEZE.judges[0].case.inputs(FREEZE.id, "sandbox"))
MEMORY_MIB = 256


def processes_below(first):
    """The processes that descend from one, by their parents' numbers."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(entry)] = int(Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
    below = {first}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return below - {first}


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(holds, seconds=10):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    """A folder of modules that tell on themselves, should anybody import them."""
    folder = tmp_path_factory.mktemp("evil")
    for name in ("sitecustomize", "usercustomize", "torch", "course", "conftest", "json"):
        (folder / f"{name}.py").write_text("import sys\nsys.evil = True\nraise SystemExit(66)\n")
    return folder


@pytest.fixture(scope="module")
def sandbox(evil, tmp_path_factory):
    """One for all tests, started in a hostile place; nothing of it may be left when it is closed."""
    needs_program("bwrap")
    before, files = os.getcwd(), tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_SECRET_OF_THE_GRADER", "do-not-tell")
        for name in ("PYTHONPATH", "PYTHONUSERBASE"):
            patch.setenv(name, str(evil))
        patch.setenv("PYTHONSTARTUP", str(evil / "torch.py"))
        patch.setattr(tempfile, "tempdir", str(files))
        os.chdir(evil)
        try:
            one = Sandbox(limits=Limits(memory_mib=MEMORY_MIB))
        finally:
            os.chdir(before)
    with one:
        yield one
        everyone = {one.pid, *processes_below(one.pid)}
    assert len(everyone) > 1
    assert wait_for(lambda: not any(map(is_alive, everyone))), "a process is left"
    assert list(files.iterdir()) == []


@pytest.fixture
def short(monkeypatch):
    """The grader's own patience, cut short."""
    monkeypatch.setattr(machinery, "GRACE_S", 0.5)
    return replace(FREEZE, time_limit_s=0.5)


def answer(*lines):
    """A cell that answers the exercise with these lines."""
    return "def freeze(module):\n" + "".join(f"    {line}\n" for text in lines for line in text.strip("\n").split("\n"))


def run(sandbox, source, *, cases=1, exercise=FREEZE, seed=0, before=(), total_s=1.0):
    statements = [Statement(text, 0) for text in (*before, source)]
    return SandboxedRunner(sandbox, statements, total_s).run(exercise, [CASE] * cases, seed)


def only(replies):
    (reply,) = replies
    return reply


def said(sandbox, *lines):
    """What an answer prints that does this."""
    reply = only(run(sandbox, answer(*lines, "module.requires_grad_(False)")))
    assert reply.failure is None, reply.failure
    return reply.printed


def works(sandbox):
    return only(run(sandbox, answer("module.requires_grad_(False)"))).failure is None


# What it gives is what it gives in a notebook.

ANSWERS = {
    "right": answer("for parameter in module.parameters():\n    parameter.requires_grad_(False)", "return module"),
    "wrong": answer("pass"),
    "prints": answer("print('é 😀', module)", "import sys\nprint('err', file=sys.stderr)"),
    "prints much": answer("print('x' * 10**6)"),
    "warns": answer("import warnings\nwarnings.warn('careful', stacklevel=1)"),
    "draws": answer("import random, torch\nprint(random.random(), torch.rand(2))"),
    "raises": answer("print('before')", "return 1 / 0"),
    "raises far below": answer("import torch\ntorch.stack([torch.zeros(1), torch.zeros(2)])"),
    "exits": answer("import sys\nsys.exit(3)"),
    "interrupts": answer("raise KeyboardInterrupt"),
    "not written": answer("raise NotImplementedError"),
    "withheld": answer("from course.models import freeze\nfreeze(module)"),
    "another call": "def freeze(): pass\n",
    "no function": "freeze = 3\n",
    "not there": "def thaw(module): pass\n",
    "in no Python": "def freeze(module) return\n",
    "surrogates": answer("raise ValueError('\\ud800')"),
}


@pytest.mark.parametrize("source", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_reply_is_the_one_that_the_answer_gives_in_a_notebook(sandbox, source):
    try:
        statements = [Statement(source, 0)] if compile(source, "cell", "exec") else []
    except SyntaxError:
        statements = []
    made = execute(statements)
    here = LocalRunner(made.namespace, made.not_run).run(FREEZE, [CASE, CASE], 5)
    there = SandboxedRunner(sandbox, statements).run(FREEZE, [CASE, CASE], 5)
    for one, other in zip(here, there, strict=True):
        assert (other.failure, other.printed) == (_unaccented(one.failure), one.printed)
        if one.artefacts:  # the order of a file's tensors may differ, and the threads that summed
            expect_close(wire.decode(other.artefacts), wire.decode(one.artefacts), tried="the same answer")


def _unaccented(failure):
    """Without lone surrogates, which do not travel."""
    return failure and replace(failure, message=failure.message.encode("utf-8", "replace").decode())


@pytest.mark.parametrize("exercise", exercises_of("02"), ids=lambda exercise: exercise.id)
def test_the_reference_answers_give_the_same_artefacts(sandbox, exercise):
    (path,) = (ROOT / "solutions").glob("02_*.ipynb")
    cells = read_notebook(path)
    (found,) = (found for found in find_answers(cells) if found.exercise is exercise)
    statements = plan_of(cells, found).needed
    cases = [wire.encode(judge.case.inputs(exercise.id, "same")) for judge in exercise.judges]
    here = LocalRunner(execute(statements).namespace).run(exercise, cases, 3)
    there = SandboxedRunner(sandbox, statements).run(exercise, cases, 3)
    for one, other in zip(here, there, strict=True):
        expect_close(wire.decode(other.artefacts), wire.decode(one.artefacts), tried="the same answer")
        assert one.printed == other.printed


def test_each_exercise_begins_anew(sandbox):
    leave = ["import torch, builtins, os", "torch.equal = builtins.pow = None", "open('left', 'w').write('x')"]
    assert only(run(sandbox, answer(*leave))).failure is None
    look = (
        "import os, torch, builtins\nprint(torch.equal is None, pow is None, os.listdir('.'), os.listdir('/dev/shm'))"
    )
    assert said(sandbox, look) == "False False [] []\n"


# How it ends.

BLOCKS = """
import signal, os
signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
while True:
    try:
        os.read(0, 1)
    except BaseException:
        pass
"""


def test_an_answer_that_cannot_be_interrupted_is_ended(sandbox, short):
    started = time.monotonic()
    reply = only(run(sandbox, answer(BLOCKS), exercise=short, cases=3))
    assert (reply.failure.kind, reply.artefacts) == ("timeout", None)
    assert "`freeze` did not return within 0.5 s" in reply.failure.message
    assert time.monotonic() - started < 15
    assert works(sandbox)


def test_a_definition_that_cannot_be_interrupted_is_ended(sandbox, short):
    before = ["def block():" + BLOCKS.replace("\n", "\n    "), "blocked = block()"]
    assert only(run(sandbox, answer("return blocked"), exercise=short, before=before)).failure.kind == "timeout"
    assert works(sandbox)


def test_the_replies_before_the_end_are_kept_and_none_comes_after(sandbox, short):
    source = answer("global calls\ncalls += 1", "if calls == 2:" + BLOCKS.replace("\n", "\n    "))
    replies = run(sandbox, source, exercise=short, cases=4, before=["calls = 0"])
    assert [reply.failure and reply.failure.kind for reply in replies] == [None, "timeout"]


ENDS = {
    "segfault": ("import ctypes\nctypes.string_at(1)", "by signal 11"),
    "abort": ("import os\nos.abort()", "by signal"),
    "exit at once": ("import os\nos._exit(0)", "with exit code 0"),
    "exit with a code": ("import os\nos._exit(7)", "with exit code 7"),
    "every file closed": ("import os\nos.closerange(0, 65536)", "with exit code 0"),
    "another kind of system call": (
        "import ctypes, mmap\ncode = mmap.mmap(-1, 4096, flags=2 | 32, prot=7)\n"
        "code.write(bytes.fromhex('b801000000cd80c3'))\n"
        "ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()",
        "by signal 31",
    ),
}


@pytest.mark.parametrize(("lines", "words"), ENDS.values(), ids=ENDS.keys())
def test_an_answer_that_ends_its_process_has_crashed(sandbox, lines, words):
    if "cd80" in lines and os.uname().machine != "x86_64":
        pytest.skip("machine code of x86-64")
    reply = only(run(sandbox, answer(lines), cases=2))
    assert reply.failure.kind == "crashed" and words in reply.failure.message
    assert works(sandbox)


def test_no_answer_can_kill_its_own_process_which_would_look_like_the_machines_fault(sandbox):
    lines = """
    import os, signal
    for pid in (os.getpid(), 0, -1):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    print("alive")
    """
    assert said(sandbox, "if True:" + lines) == "alive\n"


def test_what_an_answer_leaves_running_ends_with_it(sandbox):
    before = processes_below(sandbox.pid)
    source = """
    import os, signal, time
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
            if os.fork() == 0:
                time.sleep(600)
            time.sleep(600)
    """
    assert only(run(sandbox, answer("if True:" + source))).failure is None
    assert wait_for(lambda: processes_below(sandbox.pid) == before)


THREAD = """
import threading, time
kept = []
threading.Thread(target=lambda: kept.append(bytearray(2**29))).start()
time.sleep(1)
assert kept
"""
FORKS = """
import os, sys, time
for _ in range(6):
    if os.fork() == 0:
        hold()
time.sleep(60)
"""
HOLDS = "import time\nx = bytearray(b'1') * (100 * 2**20)\ntime.sleep(60)"
HOGS = {
    "a list": "x = []\nwhile True: x.append(bytearray(2**20))",
    "a tensor": "import torch\nx = torch.ones(2**29)",
    "a thread": THREAD,
    "forks": FORKS.replace("hold()", f"exec({HOLDS!r})"),
    "programs": FORKS.replace("hold()", f"os.execv(sys.executable, [sys.executable, '-SE', '-c', {HOLDS!r}])"),
    "shared memory": "import mmap\nmmap.mmap(-1, 2**30)",
    "the zero device": "import mmap, os\nmmap.mmap(os.open('/dev/zero', os.O_RDWR), 2**30)",
    "a file": "with open('big', 'wb') as file:\n    for _ in range(600): file.write(bytes(2**20))",
    "files": "for i in range(10**5): open(str(i), 'w').close()",
}


@pytest.mark.parametrize(("name", "lines"), HOGS.items(), ids=HOGS.keys())
def test_memory_and_disk_are_limited(sandbox, name, lines):
    failure = only(run(sandbox, answer(lines))).failure
    assert failure.kind == ("crashed" if name in ("forks", "programs") else "error"), failure
    if failure.kind == "crashed":
        assert f"took more than {MEMORY_MIB} MiB of memory" in failure.message
    assert works(sandbox)


def test_honest_forks_that_share_their_memory_are_not_counted_twice(sandbox):
    lines = """
    import os, time
    pids = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            time.sleep(0.5)
            os._exit(0)
        pids.append(pid)
    print([os.waitpid(pid, 0)[1] for pid in pids])
    """
    assert said(sandbox, "if True:" + lines) == f"{[0] * 8}\n"


def test_processes_are_limited(sandbox, monkeypatch):
    monkeypatch.setattr(sandbox, "limits", replace(sandbox.limits, processes=16))
    lines = """
    import os, time
    made = 0
    try:
        while made < 1000:
            if os.fork() == 0:
                time.sleep(60)
            made += 1
    except OSError as error:
        print(made < 17, error.errno)
    """
    assert said(sandbox, "if True:" + lines) == "True 11\n"
    assert works(sandbox)


# What it says on its own.

FIND = """
import os, stat, socket, struct, json
found = [fd for fd in range(3, 1024) if _is_socket(fd)]
pipe = socket.socket(fileno=os.dup(found[0]))
"""
IS_SOCKET = """
def _is_socket(fd):
    import os, stat
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False
"""
FRAME = "lambda words, blob=b'': struct.pack('>II', len(words), len(blob)) + words + blob"
FORGED = {
    "garbage": "pipe.sendall(b'\\xff' * 100)",
    "text": "pipe.sendall(b'{\"score\": 3}' * 100)",
    "a frame too large": "pipe.sendall(struct.pack('>II', 2**31, 2**31))",
    "400 MB": "pipe.sendall(struct.pack('>II', 10, 400 * 2**20))\nfor _ in range(400): pipe.sendall(bytes(2**20))",
    "no JSON": f"pipe.sendall(({FRAME})(b'nonsense'))",
    "no reply": f"pipe.sendall(({FRAME})(b'[]'))",
    "a score": f'pipe.sendall(({FRAME})(b\'{{"score": 3, "printed": "", "failure": null}}\'))',
    "a failure of the grader's": f"pipe.sendall(({FRAME})(json.dumps({{'printed': '', 'not_run': [], 'failure': {{"
    "'kind': 'crashed', 'message': '', 'traceback': '', 'undefined': '', 'lacks': ''}}).encode()))",
    "artefacts that are none": (
        f'pipe.sendall(({FRAME})(b\'{{"printed": "", "not_run": [], "failure": null}}\', b"\\0" * 99))'
    ),
    "a reply too many": """
from course.grading.sandbox import protocol
from course.judging import wire
from course.judging.results import Reply
pipe.sendall(protocol.pack_reply(Reply(wire.encode({'requires_grad': {}}))))
""",
}


@pytest.mark.parametrize("lines", FORGED.values(), ids=FORGED.keys())
def test_what_the_course_does_not_write_is_tampering(sandbox, lines):
    reply = only(run(sandbox, answer(FIND, lines), before=[IS_SOCKET.strip()]))
    assert reply.failure.kind == "tampered" and reply.artefacts is None, reply
    assert works(sandbox)


def test_half_a_frame_is_a_timeout_or_a_crash(sandbox, short):
    half = "pipe.sendall(struct.pack('>II', 1000, 0) + b'{')\n"
    before = [IS_SOCKET.strip()]
    assert only(run(sandbox, answer(FIND, half, "os._exit(0)"), before=before)).failure.kind == "crashed"
    replies = run(sandbox, answer(FIND, half, BLOCKS), before=before, exercise=short)
    assert only(replies).failure.kind == "timeout"


def test_a_reply_forged_for_each_case_beside_the_real_ones_is_one_too_many(sandbox):
    lines = FORGED["a reply too many"]
    assert only(run(sandbox, answer(FIND, lines), cases=3, before=[IS_SOCKET.strip()])).failure.kind == "tampered"


def test_a_case_comes_when_the_one_before_is_answered(sandbox):
    lines = """
    import gc, socket
    try:
        pipe.recv(100, socket.MSG_DONTWAIT)
    except BlockingIOError:
        print("nothing waits")
    import ctypes
    print(sum(b"7351" * 8 in x for x in gc.get_objects() if isinstance(x, bytes)))
    """
    secret = wire.encode({**wire.decode(CASE), "secret": "7351" * 8})
    runner = SandboxedRunner(
        sandbox, [Statement(text, 0) for text in (IS_SOCKET.strip(), answer(FIND, "if True:" + lines))]
    )
    first, second = runner.run(FREEZE, [CASE, secret])
    assert first.printed == "nothing waits\n0\n" and second.failure is None


# What it sees.


def test_nothing_of_the_graders_environment_is_seen(sandbox):
    seen = said(sandbox, "import os, sys\nprint(sorted(os.environ), hasattr(sys, 'evil'), sys.argv, os.getcwd())")
    assert "COURSE_SECRET_OF_THE_GRADER" not in seen and "PYTHONPATH" not in seen and "STARTUP" not in seen
    assert "False" in seen and seen.strip().endswith("/home/learner")


def test_it_is_alone_and_nobody(sandbox):
    seen = said(
        sandbox,
        "import os, socket",
        "print(os.getpid(), os.getuid(), os.getgroups() in ([], [65534]), socket.gethostname(), os.listdir('/proc'))",
        "import ctypes\nprint(ctypes.CDLL(None).prctl(39, 0, 0, 0, 0))",  # PR_GET_NO_NEW_PRIVS
    )
    assert seen == "1 1000 True sandbox []\n1\n"


WALK = """
import os
def writable(folder):
    try:
        with open(os.path.join(folder, '.probe'), 'w'): pass
        os.remove(os.path.join(folder, '.probe'))
        return True
    except OSError:
        return False
found = []
for folder, inner, _ in os.walk('/'):
    if writable(folder):
        found.append(folder)
    if folder.count('/') > 4:
        inner.clear()
print(sorted(found))
"""


def test_only_its_own_folders_can_be_written_to(sandbox):
    assert said(sandbox, WALK) in (
        "['/dev/shm', '/home/learner', '/tmp']\n",
        "['/dev/shm', '/home/learner']\n",  # where Python is below /tmp
    )


def test_no_judge_solution_or_test_is_there(sandbox):
    folders = [str(ROOT / name) for name in ("course/exercises", "solutions", "tests", "notebooks", ".git")]
    lines = f"""
    import os, sys
    walked = [part for place in {folders!r} for part in os.walk(place)]
    found = [os.path.join(folder, name) for folder, _, names in walked for name in names]
    print([path for path in found if not path.startswith({folders[0]!r}) or ".judge(" in open(path).read()])
    from course.judging.exercise import exercises_of, notebook_numbers
    print([one.judges for number in notebook_numbers() for one in exercises_of(number) if one.judges])
    """
    assert said(sandbox, "if True:" + lines) == "[]\n[]\n"


def test_there_is_no_network(sandbox):
    lines = """
    import ctypes, errno, os, socket
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, 40):
        try:
            socket.socket(family, socket.SOCK_DGRAM)
            print("made", family)
        except PermissionError:
            pass
    one, other = socket.socketpair()
    print("a pair")
    """
    assert said(sandbox, "if True:" + lines) == "a pair\n"


# When the machinery itself fails; these come last.


def test_an_answers_process_killed_from_outside_is_no_fault_of_the_answer(sandbox):
    before = processes_below(sandbox.pid)

    def kill():
        wait_for(lambda: processes_below(sandbox.pid) - before)
        time.sleep(0.3)
        for pid in processes_below(sandbox.pid) - before:
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(MachineryFailure, match="killed from outside"):
        run(sandbox, answer("import time\ntime.sleep(20)"))
    killer.join()
    assert works(sandbox), "the warm process is still there"


def test_a_warm_process_that_was_killed_is_a_failure_of_the_machinery_and_starts_again(sandbox):
    os.kill(sandbox.pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(MachineryFailure):
            run(sandbox, answer("pass"))
    sandbox.restart()
    assert works(sandbox)


def test_a_python_elsewhere_works_too_and_private_folders_below_it_are_empty(monkeypatch):
    """In a venv on the other side of /tmp than this one, reached through a link."""
    needs_program("bwrap")
    place = Path(tempfile.mkdtemp(dir="/var/tmp" if Path(sys.prefix).is_relative_to("/tmp") else "/tmp"))
    try:
        place.chmod(0o755)
        venv = place / "real"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        (packages,) = venv.glob("lib/python*/site-packages")
        (packages / "ours.pth").write_text("\n".join([p for p in sys.path if "site-packages" in p] + [str(ROOT)]))
        (venv / "submissions").mkdir()
        (venv / "submissions" / "another.ipynb").write_text("secret")
        (place / "link").symlink_to(venv)
        monkeypatch.setattr(sys, "executable", str(place / "link" / "bin" / "python"))
        monkeypatch.setattr(sys, "prefix", str(place / "link"))
        with Sandbox(private=[venv / "submissions"]) as elsewhere:
            seen = said(elsewhere, LOOK.format(real=str(venv), link=str(place / "link")))
        assert seen == f"{place / 'link'}\n[] []\nrefused\n"
    finally:
        shutil.rmtree(place)


LOOK = """
import os, sys
print(sys.prefix)
print(os.listdir({real!r} + "/submissions"), os.listdir({link!r} + "/submissions"))
try:
    open({real!r} + "/submissions/left", "w")
except OSError:
    print("refused")
"""


DAEMON = """
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp('sleep', ['sleep', '600.7351'])
    os._exit(0)
"""


def test_in_a_container_an_answer_is_nobody_and_leaves_nothing_running():
    needs_a_container()
    with Sandbox("container", limits=Limits(memory_mib=MEMORY_MIB)) as contained:
        assert works(contained)
        seen = said(
            contained,
            "import os, socket, site\nprint(os.getuid() not in (0, 1000), os.getgroups())",
            "try: socket.socket(socket.AF_INET)\nexcept PermissionError: print('no network')",
            f"try: open({str(ROOT / 'course' / 'x')!r}, 'w')\nexcept OSError: print('read-only')",
            "print(os.path.dirname(site.getusersitepackages()).startswith('/tmp/.local'), 'PATH_OF' in os.environ)",
        )
        assert seen == "True []\nno network\nread-only\nFalse False\n"
        before = processes_below(contained.pid)
        assert only(run(contained, answer(DAEMON))).failure is None
        assert processes_below(contained.pid) == before
        assert wait_for(lambda: not _any_command("600.7351")), "a detached process lives on"


def _any_command(word):
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if word in Path("/proc", entry, "cmdline").read_text():
                return True
        except OSError:
            continue
    return False
