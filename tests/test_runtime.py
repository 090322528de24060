import random
import sys
import types

import numpy as np
import pytest
import torch

from course import runtime
from course.errors import SetupError, UnknownName


@pytest.fixture
def nowhere(home, monkeypatch):
    """No variable and no module says where we are."""
    for name in ("COURSE_PROFILE", "COURSE_LIVE", "CI", "COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    return home


def kernel(monkeypatch, **attributes):
    """A kernel as IPython reports it; nbclient's and JupyterLab's differ in whether they may ask for input."""
    shell = types.SimpleNamespace(kernel=types.SimpleNamespace(**attributes))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))


@pytest.mark.parametrize(
    "requested, variable, place, device, expected",
    [
        ("auto", None, None, "cpu", "quick"),
        ("auto", None, None, "cuda", "quick"),
        ("auto", None, "COLAB_RELEASE_TAG", "cuda", "full"),
        ("auto", None, "KAGGLE_KERNEL_RUN_TYPE", "cuda:0", "full"),
        ("auto", None, "COLAB_RELEASE_TAG", "cpu", "quick"),
        ("auto", "quick", "COLAB_RELEASE_TAG", "cuda", "quick"),
        ("auto", "full", None, "cpu", "full"),
        ("quick", "full", None, "cuda", "quick"),
        ("full", "quick", None, "cpu", "full"),
    ],
)
def test_profile_follows_the_request_then_the_variable_then_the_machine(
    nowhere, monkeypatch, requested, variable, place, device, expected
):
    if variable:
        monkeypatch.setenv("COURSE_PROFILE", variable)
    if place:
        monkeypatch.setenv(place, "1")
    profile, why = runtime.choose_profile(requested, device)
    assert profile == expected
    assert why


def test_auto_is_full_once_the_full_data_was_fetched(nowhere):
    nowhere.mkdir()
    (nowhere / "full-profile").touch()
    assert runtime.choose_profile("auto", "cpu")[0] == "full"


@pytest.mark.parametrize("requested, variable", [("fast", None), ("auto", "quik")])
def test_unknown_profile_is_refused_and_the_known_ones_offered(nowhere, monkeypatch, requested, variable):
    if variable:
        monkeypatch.setenv("COURSE_PROFILE", variable)
    with pytest.raises(UnknownName, match=r"no profile.*(did you mean|choose one of)"):
        runtime.choose_profile(requested, "cpu")


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_asked_for_and_absent_is_said_with_what_to_do(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SetupError, match=r'no CUDA GPU.*device="auto"'):
        runtime.choose_device(device)


def test_an_apple_gpu_asked_for_and_absent_is_said(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SetupError, match="no Apple GPU"):
        runtime.choose_device("mps")


def test_auto_device_is_cuda_then_mps_then_cpu(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    assert runtime.choose_device() == ("cuda", "Tesla T4")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert runtime.choose_device()[0] == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert runtime.choose_device() == ("cpu", "no GPU found")


@pytest.mark.parametrize(
    "capability, expected", [((6, 1), "float32"), ((7, 5), "float16"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")]
)
def test_precision_follows_compute_capability_not_what_the_gpu_reports(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *a, **k: True)  # as a T4 does
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    precision, why = runtime.choose_precision("cuda")
    assert precision == expected
    assert f"{capability[0]}.{capability[1]}" in why


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_precision_without_cuda_is_float32(device):
    assert runtime.choose_precision(device)[0] == "float32"


@pytest.mark.parametrize(
    "variable, ci, may_ask, expected",
    [
        (None, False, True, True),
        (None, False, False, False),
        (None, False, None, False),
        (None, True, True, False),
        ("1", True, None, True),
        ("0", False, True, False),
        ("", False, True, False),
    ],
)
def test_live_is_what_the_variable_says_else_a_kernel_that_may_ask(
    nowhere, monkeypatch, variable, ci, may_ask, expected
):
    if variable is not None:
        monkeypatch.setenv("COURSE_LIVE", variable)
    if ci:
        monkeypatch.setenv("CI", "true")
    if may_ask is not None:
        kernel(monkeypatch, _allow_stdin=may_ask)
    assert runtime.is_live() is expected


@pytest.mark.parametrize(
    "variable, has_kernel, expected",
    [
        ("COLAB_RELEASE_TAG", True, "Colab"),
        ("KAGGLE_KERNEL_RUN_TYPE", True, "Kaggle"),
        ("CI", True, "CI"),
        (None, True, "Jupyter"),
        (None, False, "terminal"),
    ],
)
def test_place_is_where_the_variables_and_the_kernel_say(nowhere, monkeypatch, variable, has_kernel, expected):
    if variable:
        monkeypatch.setenv(variable, "1")
    if has_kernel:
        kernel(monkeypatch)
    assert runtime.environment() == expected


def test_home_is_where_the_variable_says_else_in_the_users_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    assert runtime.home() == tmp_path
    monkeypatch.setenv("COURSE_HOME", "")
    assert runtime.home().name == ".pretrained-course"


def test_the_same_seed_draws_the_same_numbers_from_all_three_generators():
    def draw(seed):
        runtime.seed_everything(seed)
        return random.random(), np.random.rand(), torch.rand(1).item()

    assert draw(3) == draw(3)
    assert all(one != other for one, other in zip(draw(3), draw(4), strict=True))


def test_a_seed_too_large_for_numpy_is_taken():
    runtime.seed_everything(2**40)


def test_setup_says_the_profile_and_the_device_and_why_in_lines_that_fit_a_narrow_page(nowhere, capsys):
    found = runtime.setup(profile="quick", seed=5, device="cpu")
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    for part in (found.device_reason, found.profile_reason, "Device cpu", "float32", "Profile quick", "seed 5"):
        assert part in said
    assert found.is_full is False
