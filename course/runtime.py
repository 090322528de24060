"""Environment, device, precision and profile, each with its reason; `setup` prints them."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.errors import SetupError, UnknownName

PROFILES = ("auto", "quick", "full")


@dataclass(frozen=True)
class Runtime:
    """What `setup` found: the environment, the device, the precision and the profile, each with its reason."""

    environment: str
    device: str
    device_reason: str
    precision: str
    precision_reason: str
    profile: str
    profile_reason: str
    seed: int

    @property
    def is_full(self) -> bool:
        """True in the full profile: a GPU, the large models and the downloaded data sets."""
        return self.profile == "full"

    def __str__(self) -> str:
        return (
            f"Profile {self.profile} ({self.profile_reason})\n"
            f"Device {self.device} ({self.device_reason}), {self.precision}, seed {self.seed}, in {self.environment}"
        )


def setup(profile: str = "auto", seed: int = 0, *, device: str = "auto") -> Runtime:
    """The `Runtime` of this session, which is printed; all random generators are seeded.

    `profile` is "auto", "quick" or "full"; "auto" may be overridden by the variable COURSE_PROFILE.
    `device` is "auto" or a torch device ("cpu", "cuda", "cuda:1", "mps").
    Raises UnknownName for another profile and SetupError for a device that is not available.
    """
    seed_everything(seed)
    device, device_reason = choose_device(device)
    precision, precision_reason = choose_precision(device)
    profile, profile_reason = choose_profile(profile, device)
    hide_widget_bars()
    use_one_blas_thread()
    runtime = Runtime(environment(), device, device_reason, precision, precision_reason, profile, profile_reason, seed)
    print(runtime)
    return runtime


def use_one_blas_thread() -> None:
    """Let numpy's and scipy's matrix products use one thread; torch keeps all cores.

    A logistic regression on a few hundred samples takes four times as long with two threads, which mostly wait for
    each other. A variable that is set already decides.
    """
    if "OPENBLAS_NUM_THREADS" in os.environ:
        return
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # for libraries that are loaded from now on
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")


def hide_widget_bars() -> None:
    """In a notebook, turn off the progress bars of Hugging Face's libraries: they are widgets, and break when saved.

    For libraries that are imported from now on. A variable that is set already decides.
    """
    if kernel() is not None:
        for variable in ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
            os.environ.setdefault(variable, "1")


def environment() -> str:
    """One of "Colab", "Kaggle", "CI", "Jupyter" and "terminal"."""
    if "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ:
        return "Colab"
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        return "Kaggle"
    if "CI" in os.environ:
        return "CI"
    return "Jupyter" if kernel() else "terminal"


def is_live() -> bool:
    """True if a person is watching: progress bars and widgets are shown only then.

    COURSE_LIVE=0 or 1 decides if it is set; `CI` means no. Otherwise somebody watches if the kernel may ask for input:
    JupyterLab, VS Code and Colab allow it; nbval, papermill, nbconvert and nbgrader do not.
    """
    if "COURSE_LIVE" in os.environ:
        return os.environ["COURSE_LIVE"] not in ("", "0")
    return "CI" not in os.environ and bool(getattr(kernel(), "_allow_stdin", False))


def can_answer() -> bool:
    """True if somebody watches in a notebook, where widgets work; never in a terminal, even with COURSE_LIVE=1."""
    return is_live() and kernel() is not None


def kernel() -> Any:
    """The Jupyter kernel that runs this code, or None. Imports nothing: without IPython loaded there is no kernel."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None)


def home() -> Path:
    """The folder for cache, downloads and progress: COURSE_HOME, or ~/.pretrained-course."""
    return Path(os.environ.get("COURSE_HOME") or Path.home() / ".pretrained-course")


def seed_everything(seed: int) -> None:
    """Seed the global random generators of Python, numpy and torch."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def choose_device(requested: str = "auto") -> tuple[str, str]:
    """(device, reason): CUDA, otherwise Apple's MPS, otherwise the CPU; or the one requested, if it is available."""
    import torch

    if requested == "auto":
        if torch.cuda.is_available():
            return "cuda", torch.cuda.get_device_name()
        if torch.backends.mps.is_available():
            return "mps", "an Apple GPU"
        return "cpu", "no GPU found"
    kind = torch.device(requested).type
    if kind == "cuda" and not torch.cuda.is_available():
        raise SetupError(
            f"device {requested!r} was requested, but torch {torch.__version__} finds no CUDA GPU; "
            'use device="auto", or in Colab choose Runtime > Change runtime type > GPU'
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise SetupError(f'device {requested!r} was requested, but there is no Apple GPU; use device="auto"')
    return requested, "requested"


def choose_precision(device: str) -> tuple[str, str]:
    """("bfloat16" | "float16" | "float32", reason) for training on this device."""
    import torch

    if not device.startswith("cuda"):
        return "float32", f"half precision pays on CUDA GPUs, not on {device}"
    major, minor = torch.cuda.get_device_capability(device)
    # A T4 (7.5) reports bfloat16 but emulates it, so ask for compute capability 8.0.
    if major >= 8:
        return "bfloat16", f"compute capability {major}.{minor}"
    if major >= 7:
        return "float16", f"compute capability {major}.{minor}, no native bfloat16"
    return "float32", f"compute capability {major}.{minor} has no tensor cores"


def choose_profile(requested: str, device: str) -> tuple[str, str]:
    """("quick" | "full", reason). "auto" is full on a CUDA GPU in Colab or Kaggle, or after `course fetch`."""
    if requested not in PROFILES:
        raise UnknownName.of("profile", requested, PROFILES)
    if requested != "auto":
        return requested, "requested"
    variable = os.environ.get("COURSE_PROFILE", "auto")
    if variable not in PROFILES:
        raise UnknownName.of("profile (COURSE_PROFILE)", variable, PROFILES)
    if variable != "auto":
        return variable, "set by COURSE_PROFILE"
    if device.startswith("cuda") and environment() in ("Colab", "Kaggle"):
        return "full", 'a GPU with a network; PROFILE = "quick" is offline'
    if (home() / "full-profile").exists():
        return "full", 'downloaded before; PROFILE = "quick" is offline'
    return "quick", 'offline; PROFILE = "full" needs a GPU and a network'
