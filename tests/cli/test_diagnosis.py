import importlib.util
import json
import os
import shutil
import socket
import sys
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from course.cli import diagnosis, environments
from course.data import downloads
from course.errors import SandboxMissing
from course.models import weights

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs shell scripts")


def only(findings):
    (finding,) = findings
    return finding


def kernelspec(folder: Path, program: str) -> None:
    folder = folder / "kernels" / "python3"
    folder.mkdir(parents=True)
    argv = [program, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "x", "language": "python"}))


def a_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_a_machine_that_runs_these_tests_has_no_problem_and_all_is_looked_at(home, attacks):
    findings = diagnosis.diagnose()
    assert [finding for finding in findings if finding.status == diagnosis.PROBLEM] == []
    names = {finding.name for finding in findings}
    assert names >= {"python", "course", "torch", "torchvision", "timm", "transformers", "anywidget", "jupyterlab"}
    assert names >= {"gpu", "disk", "network", "kernel python3", "sandbox"}
    assert names >= {f"weights {name}" for name in weights.BUNDLED}
    assert json.loads(diagnosis.as_json(findings))[0]["name"] == "python"


def test_a_package_missing_or_too_old_is_a_problem_with_the_command_that_mends_it(monkeypatch):
    wanted = ["torch>=999", "no-such-package-of-ours>=1", 'pytest>=999; extra == "test"', "numpy>=1"]
    monkeypatch.setattr(metadata, "requires", lambda name: wanted)
    problems = {finding.name: finding for finding in diagnosis._packages() if finding.status == diagnosis.PROBLEM}
    assert problems.keys() == {"torch", "no-such-package-of-ours"}
    assert problems["torch"].fix.endswith('-m pip install "torch>=999"')
    assert "not installed" in problems["no-such-package-of-ours"].found


def test_a_torchvision_that_does_not_load_is_a_problem(monkeypatch):
    def broken(name):
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist")
        return sys.modules.get(name)

    monkeypatch.setattr(importlib, "import_module", broken)
    finding = only(diagnosis._torch())
    assert finding.status == diagnosis.PROBLEM and "torchvision::nms" in finding.found
    assert "torch torchvision" in finding.fix


@pytest.mark.parametrize(
    "change, said", [({"sha256": "0" * 64}, "damaged"), ({"package": "no_such_package_of_ours"}, "not installed")]
)
def test_weights_corrupt_or_missing_are_a_problem_that_pip_mends(monkeypatch, change, said):
    good = weights.BUNDLED["efficientnet_lite0"]
    monkeypatch.setattr(weights, "BUNDLED", {"efficientnet_lite0": replace(good, **change)})
    finding = only(diagnosis._weights())
    assert finding.status == diagnosis.PROBLEM and said in finding.found
    assert finding.fix == good.reinstall_command


def test_a_kernel_of_another_python_is_a_problem(tmp_path, monkeypatch):
    kernelspec(tmp_path, "/opt/other/bin/python")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    finding = only(diagnosis._kernel())
    assert finding.status == diagnosis.PROBLEM and "/opt/other/bin/python" in finding.found
    assert "ipykernel install" in finding.fix


@pytest.mark.parametrize("program", ["python", "python3", sys.executable])
def test_a_kernel_of_this_python_is_fine(tmp_path, monkeypatch, program):
    kernelspec(tmp_path, program)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert only(diagnosis._kernel()).status == diagnosis.OK


def test_a_home_that_cannot_be_written_is_a_warning(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "file"))
    finding = only(diagnosis._disk())
    assert finding.status == diagnosis.WARNING and "COURSE_HOME" in finding.fix


@pytest.mark.parametrize("free_mib, status", [(50, "problem"), (500, "warning"), (50_000, "ok")])
def test_free_disk_space_is_judged(home, monkeypatch, free_mib, status):
    usage = shutil.disk_usage("/")._replace(free=free_mib * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert only(diagnosis._disk()).status == status
    assert list(home.iterdir()) == [], "nothing is left behind"


def test_network_is_what_the_proxy_or_the_hubs_answer(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(diagnosis, "getproxies", lambda: {"https": f"http://{address}"})
        assert only(diagnosis._network()).status == diagnosis.OK
        monkeypatch.setattr(diagnosis, "getproxies", lambda: {"https": address})
        assert only(diagnosis._network()).status == diagnosis.OK


def test_a_network_that_is_missing_is_a_warning_only_where_the_full_profile_is_the_one(home, monkeypatch):
    monkeypatch.setattr(diagnosis, "getproxies", dict)
    monkeypatch.setattr(downloads, "reachable_hosts", lambda hosts, timeout_s: set())
    finding = only(diagnosis._network())
    assert (finding.status, finding.fix) == (diagnosis.NOT_NEEDED, "")
    assert finding.found.endswith("the quick profile, which is the one here, needs no network")
    monkeypatch.setenv("COURSE_PROFILE", "full")
    finding = only(diagnosis._network())
    assert finding.status == diagnosis.WARNING and "the profile here is full (set by COURSE_PROFILE)" in finding.found
    assert finding.fix == 'write PROFILE = "quick" into the first code cell of a notebook'


def test_a_silent_network_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(diagnosis, "getproxies", dict)
    monkeypatch.setattr(diagnosis, "HUBS", ("127.0.0.1",))
    monkeypatch.setattr(diagnosis, "NETWORK_TIMEOUT_S", 0.05)
    monkeypatch.setattr(downloads, "_try_connect", lambda *place: time.sleep(5))
    started = time.monotonic()
    assert "cannot be reached" in only(diagnosis._network()).found
    assert time.monotonic() - started < 2


@pytest.fixture
def attacks(monkeypatch):
    """What the attacks on the sandbox come to here, instead of running them; test_grading_proof runs them."""
    from course.grading.sandbox import self_test

    def come_to(found):
        def breaches():
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(self_test, "breaches", breaches)

    come_to([])
    return come_to


def test_without_the_grader_the_sandbox_is_nothing_to_fix_and_nothing_is_attacked(monkeypatch, attacks):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    attacks(AssertionError("attacked"))
    assert only(diagnosis._sandbox()).status == diagnosis.NOT_NEEDED


@POSIX
@pytest.mark.parametrize(
    "script, status, said",
    [
        (None, "warning", "bubblewrap is not installed"),
        ("exit 0", "ok", "bwrap runs, and known attacks on it fail"),
        ("echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1", "warning", "Permission denied"),
    ],
)
def test_sandbox_is_tried_not_only_found(tmp_path, monkeypatch, attacks, script, status, said):
    monkeypatch.setattr(sys, "platform", "linux")
    if script:
        a_program(tmp_path / "bin", "bwrap", script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    finding = only(diagnosis._sandbox())
    assert (finding.status, bool(finding.fix)) == (status, status != "ok")
    assert said in finding.found


@POSIX
@pytest.mark.parametrize(
    "found, status, said",
    [
        (["mount", "write to /usr"], "problem", "an answer could mount, write to /usr: don't grade on this machine"),
        (SandboxMissing("the sandbox cannot run an answer: no clone"), "warning", "cannot run an answer: no clone"),
        (ImportError("libtorch.so"), "warning", "libtorch.so"),
    ],
)
def test_a_sandbox_that_does_not_hold_is_a_problem_and_a_container_the_remedy(
    tmp_path, monkeypatch, attacks, found, status, said
):
    monkeypatch.setattr(sys, "platform", "linux")
    a_program(tmp_path / "bin", "bwrap", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    attacks(found)
    finding = only(diagnosis._sandbox())
    assert finding.status == status and said in finding.found
    assert "--print-dockerfile" in finding.fix


def test_elsewhere_than_on_linux_a_sandbox_is_no_problem_and_nothing_is_attacked(monkeypatch, attacks):
    monkeypatch.setattr(sys, "platform", "darwin")
    attacks(AssertionError("attacked"))
    finding = only(diagnosis._sandbox())
    assert finding.status == diagnosis.WARNING and "Linux" in finding.found


@POSIX
def test_a_gpu_that_torch_does_not_find_is_a_warning(tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert only(diagnosis._gpu()).status == diagnosis.OK
    a_program(tmp_path / "bin", "nvidia-smi", "exit 0")
    finding = only(diagnosis._gpu())
    assert finding.status == diagnosis.WARNING and finding.fix


def test_a_python_newer_than_the_tested_ones_is_a_warning(monkeypatch):
    monkeypatch.setattr(diagnosis, "NEWEST_PYTHON", (3, 10))
    assert only(diagnosis._python()).status == diagnosis.WARNING


def test_a_system_python_that_pip_leaves_alone_is_a_warning_with_the_lines_that_make_an_environment(
    monkeypatch, tmp_path
):
    (tmp_path / "EXTERNALLY-MANAGED").write_text("[externally-managed]")
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(environments, "environment", lambda: "Jupyter")
    finding = only(diagnosis._python())
    assert finding.status == diagnosis.WARNING and "system Python" in finding.found and "-m venv .venv" in finding.fix


@pytest.mark.parametrize(
    ("prefix", "base", "hosted", "said"),
    [
        ("{tmp}/x", "/usr", "Jupyter", "virtual environment"),
        ("{tmp}/course", "{tmp}/course", "Jupyter", "conda environment course"),
        ("{tmp}/x", "{tmp}/x", "Jupyter", "Python without a virtual environment"),
        ("{tmp}/x", "{tmp}/x", "Colab", "Colab"),
        ("{tmp}/course", "/usr", "Kaggle", "Kaggle"),
    ],
)
def test_each_kind_of_environment_is_named(monkeypatch, tmp_path, prefix, base, hosted, said):
    (tmp_path / "course" / "conda-meta").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", prefix.format(tmp=tmp_path))
    monkeypatch.setattr(sys, "base_prefix", base.format(tmp=tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(environments, "environment", lambda: hosted)
    assert environments.python_environment() == said


@pytest.mark.parametrize(
    ("direct_url", "said"),
    [
        ('{"url": "file:///a", "dir_info": {"editable": true}}', "a clone, editable"),
        ('{"url": "file:///a.whl", "archive_info": {}}', "from a wheel"),
        (None, "from a wheel"),
    ],
)
def test_how_the_course_was_installed_is_named(monkeypatch, direct_url, said):
    class Installed:
        def read_text(self, name):
            return direct_url

    monkeypatch.setattr(metadata, "distribution", lambda name: Installed())
    assert environments.installation().startswith(f"{said}, at ")


def test_a_course_that_may_only_be_read_says_where_notebooks_can_go(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert environments.installation().endswith("course lab --to FOLDER puts your notebooks elsewhere")


def test_the_extension_that_draws_forms_is_looked_for_where_jupyterlab_looks(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *names: [str(tmp_path.joinpath(*names))])
    finding = only(diagnosis._forms())
    assert (
        finding.status == diagnosis.WARNING
        and "are answered by typing" in finding.found
        and finding.fix.endswith(" anywidget")
    )
    (tmp_path / "labextensions" / "anywidget").mkdir(parents=True)
    package = {"name": "anywidget", "version": "0.9.0", "jupyterlab": {"_build": {"load": "static/remoteEntry.js"}}}
    (tmp_path / "labextensions" / "anywidget" / "package.json").write_text(json.dumps(package))
    assert only(diagnosis._forms()).status == diagnosis.OK
