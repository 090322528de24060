"""What this machine has, what is wrong with it, and the command that fixes it: `course doctor`."""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from course.cli import environments
from course.errors import CourseError
from course.extras import DISTRIBUTION, python_command
from course.runtime import choose_device, choose_precision, choose_profile, environment, home

OK, WARNING, PROBLEM, NOT_NEEDED = "ok", "warning", "problem", "not needed"
ALWAYS_SHOWN = ("torch", "torchvision", "timm", "transformers", "anywidget", "jupyterlab")
HUBS = ("huggingface.co", "download.pytorch.org")
NETWORK_TIMEOUT_S = 3.0
NEWEST_PYTHON = (3, 13)
_CONTAINER = "course doctor --print-dockerfile > Dockerfile"
# The quick profile stores about 200 MB of features and weights, besides the installed packages.
DISK_ENOUGH_MIB, DISK_MIN_MIB = 2048, 200


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    `status` is "ok", "warning" (the quick profile runs), "problem" (it doesn't) or "not needed".
    """

    name: str
    status: str
    found: str
    fix: str = ""


def diagnose() -> list[Finding]:
    """The findings of `course doctor`, in the order they are shown. A failing check is a finding, not an exception."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python, _packages, _torch, _gpu, _weights, _kernel, _forms, _disk, _network, _full_profile, _sandbox,
    )  # fmt: skip
    return [finding for check in checks for finding in check()]


def as_json(findings: list[Finding]) -> str:
    """The findings as a JSON list, to attach to a bug report or a question."""
    return json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    found = f"{version} at {sys.executable}, {environments.python_environment()}"
    if sys.version_info[:2] > NEWEST_PYTHON:
        found += f"; the course is tested up to {'.'.join(map(str, NEWEST_PYTHON))}"
        yield Finding("python", WARNING, found, "conda env create -f environment.yml")
    elif environments.is_externally_managed():
        yield Finding("python", WARNING, found, environments.new_environment_command())
    else:
        yield Finding("python", OK, found)


def _packages() -> Iterator[Finding]:
    """The most important packages, and any other that is missing or too old."""
    from packaging.requirements import Requirement

    try:
        yield Finding("course", OK, f"{metadata.version(DISTRIBUTION)}, {environments.installation()}")
        wanted = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or []]
    except metadata.PackageNotFoundError:
        fix = f"{python_command()} -m pip install -e {environments.COURSE.parent}"
        yield Finding("course", WARNING, environments.installation(), fix)
        wanted = [Requirement(name) for name in ALWAYS_SHOWN]
    for requirement in wanted:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        fix = f'{python_command()} -m pip install "{requirement}"'
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Finding(requirement.name, PROBLEM, "not installed", fix)
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield Finding(requirement.name, PROBLEM, f"{version}, but the course needs {requirement.specifier}", fix)
        elif requirement.name in ALWAYS_SHOWN:
            yield Finding(requirement.name, OK, version)


def _torch() -> Iterator[Finding]:
    """Whether torch and torchvision, which are installed, can be imported together."""
    for name in ("torch", "torchvision"):
        try:
            importlib.import_module(name)
        except Exception as error:  # a broken binary raises ImportError, OSError or RuntimeError
            fix = f"{python_command()} -m pip install --force-reinstall torch torchvision"
            yield Finding(f"import {name}", PROBLEM, f"{type(error).__name__}: {error}", fix)
            return


def _gpu() -> Iterator[Finding]:
    try:
        import torch

        device, why = choose_device()
        precision, _ = choose_precision(device)
        free, total = torch.cuda.mem_get_info() if device == "cuda" else (0, 0)
    except Exception as error:  # a broken torch is reported above; a driver may fail in any way
        yield Finding("gpu", WARNING, f"cannot be queried: {error}", "nvidia-smi")
        return
    if device == "cuda":
        memory = f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
        yield Finding("gpu", OK, f"{why}, {memory}, trains in {precision}")
    elif device == "cpu" and shutil.which("nvidia-smi"):
        build = torch.version.cuda
        found = f"nvidia-smi is installed, but torch {torch.__version__} finds no GPU"
        fix = "nvidia-smi" if build else "follow https://pytorch.org/get-started/locally for a CUDA build of torch"
        yield Finding("gpu", WARNING, found, fix)
    else:
        yield Finding("gpu", OK, f"{why}: {device}, which the quick profile is made for")


def _weights() -> Iterator[Finding]:
    try:
        from course.models import weights
    except Exception as error:  # torch cannot be imported
        yield Finding("weights", PROBLEM, f"cannot be checked without torch ({type(error).__name__})")
        return
    for name, bundled in weights.BUNDLED.items():
        try:
            path = weights.weights_path(name)
        except (CourseError, OSError) as error:
            yield Finding(f"weights {name}", PROBLEM, str(error).split("; run:")[0], bundled.reinstall_command)
        else:
            yield Finding(f"weights {name}", OK, f"sha256 {bundled.sha256[:8]}… as published, {path}")


def _kernel() -> Iterator[Finding]:
    """Whether the kernel `python3`, which every notebook names, is the Python that has the course."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    install = f"{python_command()} -m ipykernel install --sys-prefix"
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        yield Finding("kernel python3", PROBLEM, "not installed", install)
        return
    program = spec.argv[0]
    # Jupyter itself replaces a bare name with the Python that it runs in.
    is_bare_name = program in ("python", "python3", f"python3.{sys.version_info[1]}")
    if is_bare_name or Path(program).absolute().parent == Path(sys.executable).absolute().parent:
        yield Finding("kernel python3", OK, sys.executable)
        return
    fix = f"{python_command()} -m jupyter kernelspec remove -f python3 && {install}"
    yield Finding("kernel python3", PROBLEM, f"{spec.resource_dir} starts {program}, not {sys.executable}", fix)


def _forms() -> Iterator[Finding]:
    """Whether the JupyterLab that `course lab` starts finds the extension that draws the forms of the notebooks."""
    if environment() in ("Colab", "Kaggle") or importlib.util.find_spec("anywidget") is None:
        return  # they bring their own; that the package is missing is reported above
    from jupyter_core.paths import jupyter_path
    from jupyterlab_server.config import get_federated_extensions

    found = get_federated_extensions(jupyter_path("labextensions")).get("anywidget")
    if found:
        yield Finding("forms", OK, f"JupyterLab finds the extension of anywidget in {found['ext_path']}")
        return
    unseen = (
        "JupyterLab does not find the extension of anywidget, so questions have no buttons and are answered by typing"
    )
    fix = f"{python_command()} -m pip install --force-reinstall --no-deps anywidget"
    yield Finding("forms", WARNING, unseen, fix)


def _disk() -> Iterator[Finding]:
    folder = home()
    elsewhere = "export COURSE_HOME=/a/folder/you/can/write"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x" * 4096)
        free_mib = shutil.disk_usage(folder).free // 2**20
    except OSError as error:
        found = f"{folder} cannot be written ({error.strerror}): features and progress are not saved"
        yield Finding("disk", WARNING, found, elsewhere)
        return
    found = f"{free_mib / 1024:.1f} GiB free in {folder}"
    if free_mib < DISK_MIN_MIB:
        yield Finding("disk", PROBLEM, found, elsewhere)
    elif free_mib < DISK_ENOUGH_MIB:
        yield Finding("disk", WARNING, f"{found}, not much for the full profile", elsewhere)
    else:
        yield Finding("disk", OK, found)


def _network() -> Iterator[Finding]:
    """Whether the hubs can be reached, through a proxy if one is set: a warning only if the profile here needs them."""
    from course.data import downloads

    proxy = getproxies().get("https")
    address = urlsplit(proxy if proxy and "://" in proxy else f"http://{proxy}") if proxy else None
    hosts = [(address.hostname or "", address.port or 3128)] if address else [(hub, 443) for hub in HUBS]
    reachable = downloads.reachable_hosts(hosts, NETWORK_TIMEOUT_S)
    unreachable = [host for host, _ in hosts if host not in reachable]
    names = ", ".join(host for host, _ in hosts)
    if not unreachable:
        yield Finding("network", OK, f"{'the proxy ' if proxy else ''}{names} can be reached")
        return
    found = f"{', '.join(unreachable)} cannot be reached"
    why = _full_profile_reason()
    if why:
        fix = 'write PROFILE = "quick" into the first code cell of a notebook'
        yield Finding("network", WARNING, f"{found}; the profile here is full ({why}) and may need it", fix)
    else:
        yield Finding("network", NOT_NEEDED, f"{found}; the quick profile, which is the one here, needs no network")


def _full_profile_reason() -> str:
    """Why PROFILE = "auto" means full on this machine, or nothing if it means quick."""
    try:
        profile, why = choose_profile("auto", choose_device()[0])
    except Exception as error:  # a broken torch is reported above; COURSE_PROFILE may name no profile
        return f"{error}" if isinstance(error, CourseError) else ""
    return why.partition(";")[0] if profile == "full" else ""


def _full_profile() -> Iterator[Finding]:
    """How many of the full profile's downloads are there. The quick profile needs none."""
    try:
        from course.zoo import full_profile

        with redirect_stdout(io.StringIO()):  # a line about a damaged copy would break the JSON
            missing = [item for item in full_profile.DOWNLOADS if not item.is_there()]
    except Exception as error:  # a broken torch is reported above; COURSE_DATA may not be a folder
        yield Finding("full profile", WARNING, f"{error}", "course fetch --list")
        return
    if not missing:
        yield Finding("full profile", OK, "everything is downloaded")
        return
    size = sum(item.megabytes for item in missing)
    found = f"{len(missing)} of {len(full_profile.DOWNLOADS)} downloads missing ({size:,.0f} MB)"
    if full_profile.marker_path().exists():
        names = ", ".join(item.name for item in missing)
        found = (
            f"{found}: {names}, though they were downloaded before; notebooks will download them again, or stop "
            "without a network"
        )
        yield Finding("full profile", WARNING, found, "course fetch --profile full")
    else:
        yield Finding(
            "full profile", NOT_NEEDED, f"{found}; only the full profile needs them: course fetch --profile full"
        )


def _sandbox() -> Iterator[Finding]:
    """Whether submissions can be run safely: checked only where the grader is installed."""
    if importlib.util.find_spec("sqlalchemy") is None:
        yield Finding("sandbox", NOT_NEEDED, "not checked: only instructors need it, with the extra grade")
        return
    if sys.platform != "linux":
        yield Finding("sandbox", WARNING, "only instructors need it, and it needs Linux")
        return
    program = shutil.which("bwrap")
    if program is None:
        yield Finding(
            "sandbox",
            WARNING,
            "bubblewrap is not installed; only instructors need it",
            "sudo apt-get install bubblewrap",
        )
        return
    command = [program, "--unshare-all", "--ro-bind", "/", "/", "true"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
        failure = run.stderr.strip() if run.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        failure = str(error)
    if failure:
        found = f"bubblewrap may not create namespaces ({failure.splitlines()[-1]}); only instructors need it"
        yield Finding("sandbox", WARNING, found, "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0")
    else:
        yield _self_test(program)


def _self_test(program: str) -> Finding:
    """Whether known attacks on the sandbox fail."""
    try:
        from course.grading.sandbox.self_test import breaches

        found = breaches()
    except Exception as error:  # a broken torch is reported above
        return Finding("sandbox", WARNING, f"{program} runs, but {error}; only instructors need it", _CONTAINER)
    if found:
        return Finding(
            "sandbox", PROBLEM, f"an answer could {', '.join(found)}: don't grade on this machine", _CONTAINER
        )
    return Finding("sandbox", OK, f"{program} runs, and known attacks on it fail")
