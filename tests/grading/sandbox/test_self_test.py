"""The proof that the sandbox holds: empty where it does, and not where it doesn't."""

import os
import re
import sys

import pytest

from course.errors import SandboxMissing
from course.grading.sandbox import self_test
from course.grading.sandbox.runner import MachineryFailure, Sandbox, SandboxedRunner
from course.judging.results import Failure, Reply
from tests.conftest import ROOT, needs_program

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
# Without a sandbox these would do harm, as root most of all.
HARMFUL = r'"(write to .*|mount|make namespaces|become root|keep more than its memory|fill the disk)"'


@LINUX
def test_the_sandbox_of_this_machine_holds():
    needs_program("bwrap")
    assert self_test.breaches() == []
    assert self_test.ENVIRONMENT not in os.environ


@LINUX
def test_where_there_is_no_sandbox_the_same_attacks_get_through(monkeypatch):
    lines = self_test._ATTACKS.splitlines()
    harmless = [line for line in lines if not re.search(rf"^    tries\({HARMFUL}", line)]
    assert len(lines) - len(harmless) == 7, "the attacks have changed: look at them again"
    monkeypatch.setattr(self_test, "_ATTACKS", "\n".join(harmless))
    monkeypatch.setattr(self_test, "Sandbox", lambda: Sandbox("trusted"))
    found = self_test.breaches()
    assert {"read a file of the grader", "read the judges of an exercise", "see other processes"} <= set(found)
    assert {"signal the grader", "open a network socket"} <= set(found)


class NoSandbox:
    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


@pytest.fixture
def saying(monkeypatch):
    """Makes the attacked process say this, without one."""

    def say(reply):
        def run(self, exercise, cases, seed=0):
            assert cases and os.environ[self_test.ENVIRONMENT]
            if isinstance(reply, Exception):
                raise reply
            return [reply]

        monkeypatch.setattr(self_test, "Sandbox", NoSandbox)
        monkeypatch.setattr(SandboxedRunner, "run", run)

    return say


def test_what_the_attacks_could_do_is_listed(saying):
    saying(Reply(None, Failure("error", "`freeze` raised RuntimeError: could: mount; write to /usr.")))
    assert self_test.breaches() == ["mount", "write to /usr"]
    saying(Reply(None, Failure("error", "`freeze` raised RuntimeError: could: .")))
    assert self_test.breaches() == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"artefacts", None, "could: ."),  # it returned, which the attacks don't
        Reply(None, Failure("timeout", "did not return")),
        Reply(None, Failure("crashed", "ended by signal 9")),
        Reply(None, Failure("tampered", "something else came back")),
        Reply(None, Failure("error", "`freeze` raised ImportError: no ctypes")),
        MachineryFailure("the child of an exercise could not be confined"),
    ],
)
def test_attacks_that_did_not_run_prove_nothing(saying, reply):
    saying(reply)
    with pytest.raises(SandboxMissing):
        self_test.breaches()
    assert self_test.ENVIRONMENT not in os.environ, "whatever happens"


def test_the_dockerfile_brings_bubblewrap_and_says_how_to_prove_it():
    assert "bubblewrap" in self_test.DOCKERFILE and 'ENTRYPOINT ["course"]' in self_test.DOCKERFILE
    assert self_test.DOCKERFILE.isascii() and self_test.DOCKERFILE.count("\nFROM ") == 1


def test_the_dockerfile_takes_what_grading_needs_of_the_clone_and_nothing_that_lies_beside_it():
    copied = [line.split()[1:-1] for line in self_test.DOCKERFILE.splitlines() if line.startswith(("COPY", "ADD"))]
    names = [name for names in copied for name in names]
    assert names == ["pyproject.toml", "README.md", "LICENSE", "course", "solutions"]
    assert all((ROOT / name).exists() for name in names)
