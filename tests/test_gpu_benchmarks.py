"""The benchmarks for a GPU, tried on the CPU with a small model: that their code runs, not what it measures."""

import subprocess
import sys

import pytest
import torch

from tests.benchmarks import gpu, gpu_throughput
from tests.conftest import ROOT


def test_the_throughput_of_a_small_model_is_measured_on_a_cpu():
    small = ["--device", "cpu", "--model", "resnet18", "--size", "32", "--batch-size", "4", "--steps", "1"]
    figure = gpu_throughput.measure(*small, "--turns", "1", "--compile", "no")
    assert figure.value > 0 and figure.bar == "0.97"
    assert [note.split(":")[0] for note in figure.notes][-1] == "gpu_throughput from JPEG files"
    assert sum("pictures/s" in note for note in figure.notes) == 4


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("name", ["gpu_throughput", "gpu"])
def test_without_a_gpu_one_line_says_that_nothing_was_run(name):
    done = subprocess.run([sys.executable, "-m", "tests.benchmarks", name], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1 and "not run" in done.stdout


def test_the_whole_gpu_trial_runs_in_small_on_a_cpu(monkeypatch, home):
    for variable in ("COURSE_DATA", "COURSE_LIVE"):  # which it sets
        monkeypatch.setenv(variable, "")
    figure = gpu.measure("--small", "--notebooks")
    assert figure.value == 0, figure.notes
