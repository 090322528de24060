"""Where the sandbox cannot be had, reason and remedy are said; where it can, it shows what it must, and no more."""

import os
import site
import sys
from pathlib import Path

import pytest

from course.errors import SandboxMissing
from course.grading.sandbox import bubblewrap, runner
from course.grading.sandbox.runner import Sandbox

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs shell scripts")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="folders are elsewhere")


@pytest.fixture
def linux(tmp_path, monkeypatch):
    """A Linux whose only program is what the test writes; gives the folder of it."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(bubblewrap.seccomp, "is_known", lambda: True)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def a_bwrap(folder, script):
    (folder / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bwrap").chmod(0o755)


def test_without_bubblewrap_the_command_that_installs_it_is_said(linux):
    with pytest.raises(SandboxMissing, match="sudo apt-get install bubblewrap"):
        Sandbox()


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_elsewhere_than_on_linux_the_container_is_named(monkeypatch, system):
    monkeypatch.setattr(sys, "platform", system)
    with pytest.raises(SandboxMissing, match=r"needs Linux; run: course doctor --print-dockerfile > Dockerfile"):
        Sandbox()


def test_on_a_processor_without_a_filter_the_container_is_named(linux, monkeypatch):
    monkeypatch.setattr(bubblewrap.seccomp, "is_known", lambda: False)
    with pytest.raises(SandboxMissing, match=r"no system call filter .* --print-dockerfile"):
        Sandbox()


@POSIX
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1", "Permission denied"),
        ("echo one >&2; echo two >&2; exit 1", r"\(two\)"),
        ("exit 7", "ended with 7"),
    ],
)
def test_a_bubblewrap_that_is_not_allowed_to_is_quoted_with_both_remedies(linux, tmp_path, script, said):
    a_bwrap(linux, script)
    with pytest.raises(SandboxMissing, match=said) as caught:
        bubblewrap.command(tmp_path)
    assert "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in str(caught.value)
    assert "--print-dockerfile" in str(caught.value)


@POSIX
def test_a_warm_process_that_does_not_start_is_quoted_and_leaves_nothing(linux, tmp_path, monkeypatch):
    monkeypatch.setattr(runner.tempfile, "tempdir", str(tmp_path))
    a_bwrap(linux, 'case "$*" in *warm*) echo no such torch >&2; exit 1;; esac')
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    for _ in range(2):
        with pytest.raises(SandboxMissing, match="did not start: no such torch"):
            Sandbox()
    assert [path.name for path in tmp_path.iterdir()] == ["bin"], "the folder of the probes is gone"
    assert len(os.listdir("/proc/self/fd")) <= len(before) + 1 if before else True


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs users")
def test_the_level_container_needs_root(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(SandboxMissing, match="run it as root"):
        Sandbox("container")


def test_nothing_of_the_graders_environment_goes_along(monkeypatch):
    monkeypatch.setenv("COURSE_SECRET_OF_THE_GRADER", "s")
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "LD_PRELOAD", "LD_LIBRARY_PATH", "COURSE_BECOME"):
        monkeypatch.setenv(name, "/evil")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    seen = bubblewrap.environment()
    assert not seen.keys() & {"COURSE_SECRET_OF_THE_GRADER", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "LD_PRELOAD"}
    assert not {"LD_LIBRARY_PATH", "COURSE_BECOME"} & seen.keys()
    assert seen["OMP_NUM_THREADS"] == "1"
    assert seen["PYTHONUSERBASE"] == site.getuserbase(), "below HOME, /tmp at two levels, anybody could plant modules"


def shown(options):
    """(source, place) of each folder of the machine that is mounted inside."""
    return [(options[i + 1], options[i + 2]) for i, option in enumerate(options) if option == "--ro-bind"]


@LINUX
def test_what_is_shown_is_python_the_system_and_the_package_and_never_a_home(tmp_path):
    options = bubblewrap._mounts(tmp_path, [])
    places = {Path(place) for _, place in shown(options)}
    for refused in (Path("/"), Path.home(), Path("/home"), Path("/root"), Path("/tmp"), Path("/etc"), Path("/var")):
        assert refused not in places
    assert all(source == str(Path(place).resolve()) for source, place in shown(options) if source != str(tmp_path))
    assert (str(tmp_path), str(bubblewrap._package() / "exercises")) == shown(options)[-1], "over all that is mounted"
    assert "--bind" not in options


@LINUX
def test_every_folder_that_is_writable_for_the_warm_process_is_remounted_for_its_children(tmp_path):
    options = bubblewrap._mounts(tmp_path, [])
    read_only = {options[i + 1] for i, option in enumerate(options) if option == "--remount-ro"}
    own = options[options.index("COURSE_WRITABLE") + 1].split(":")  # a child lays its own folder over each of these
    made = {options[i + 1] for i, option in enumerate(options) if option in ("--tmpfs", "--dev")} | {"/"}
    assert made - set(own) <= read_only


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """A Python whose folder is reached through a link, and holds what must not be seen."""
    real = tmp_path / "real"
    (real / "lib").mkdir(parents=True)
    (real / "submissions").mkdir()
    (tmp_path / "link").symlink_to(real)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "link"))
    return tmp_path


@LINUX
def test_a_private_folder_below_python_is_empty_wherever_it_is_seen(prefix):
    for private in (prefix / "real" / "submissions", prefix / "link" / "submissions"):
        options = bubblewrap._mounts(prefix / "probes", [private])
        for seen in (prefix / "real" / "submissions", prefix / "link" / "submissions"):
            place = options.index(str(seen))
            assert options[place - 1] == "--tmpfs" and options[place + 1 : place + 3] == ["--remount-ro", str(seen)]
            assert place > options.index(str(prefix / "link")), "over what is mounted, not under it"


@LINUX
def test_a_private_folder_that_is_not_shown_anyway_needs_nothing(prefix, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    without = bubblewrap._mounts(prefix, [])
    assert bubblewrap._mounts(prefix, [tmp_path / "elsewhere", tmp_path / "missing"]) == without


@LINUX
def test_a_clone_below_python_shows_no_solutions_and_no_tests(tmp_path, monkeypatch):
    clone = tmp_path / "prefix" / "src" / "clone"
    for name in ("course", "solutions", "tests", ".git"):
        (clone / name).mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    monkeypatch.setattr(bubblewrap, "_package", lambda: clone / "course")
    options = bubblewrap._mounts(tmp_path, [])
    hidden = {options[i + 1] for i, option in enumerate(options) if option == "--tmpfs"}
    assert {str(clone / name) for name in ("solutions", "tests", ".git")} <= hidden


@LINUX
@pytest.mark.parametrize(("prefix", "writable"), [("/tmp/venv", "/home/learner"), ("/opt/venv", "/home/learner:/tmp")])
def test_a_python_below_tmp_stays_in_sight(tmp_path, monkeypatch, prefix, writable):
    monkeypatch.setattr(bubblewrap, "_python_folders", lambda: [Path(prefix)])
    monkeypatch.setattr(bubblewrap, "_package", lambda: Path(prefix) / "course")
    options = bubblewrap._mounts(tmp_path, [])
    assert options[options.index("COURSE_WRITABLE") + 1] == writable
    assert options.index("/tmp") < options.index(prefix), "the empty /tmp comes first"


@pytest.mark.skipif(getattr(os, "getuid", lambda: 1)() != 0, reason="the level container needs root")
def test_a_python_that_only_its_owner_can_enter_is_refused_in_a_container(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    (closed / "python").mkdir(parents=True)
    closed.chmod(0o700)
    monkeypatch.setattr(bubblewrap, "_python_folders", lambda: [closed / "python"])
    monkeypatch.setattr(bubblewrap, "_package", lambda: Path("/usr"))
    with pytest.raises(SandboxMissing, match=f"chmod go\\+rx {bubblewrap.closed_to_others()}"):
        Sandbox("container")
    monkeypatch.setattr(bubblewrap, "_python_folders", lambda: [Path("/usr/bin")])
    assert bubblewrap.closed_to_others() is None
