"""The benchmarks for a GPU, tried on the CPU with a small model: that their code runs, not what it measures."""

import subprocess
import sys

import pytest
import torch

from tests.benchmarks import gpu
from tests.conftest import ROOT


@pytest.mark.slow
def test_the_whole_gpu_trial_runs_in_small_on_a_cpu(monkeypatch, home):
    for variable in ("COURSE_DATA", "COURSE_LIVE"):  # which it sets
        monkeypatch.setenv(variable, "")
    figure = gpu.measure("--small", "--notebooks")
    assert figure.value == 0, figure.notes
    throughput = next(row for row in figure.notes if row.startswith("| throughput |"))
    assert throughput.count("pictures/s") == 5 and "(bar 0.97)" in throughput and "(bar 0.9)" in throughput


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("name", ["gpu_throughput", "gpu"])
def test_without_a_gpu_one_line_says_that_nothing_was_run(name):
    done = subprocess.run([sys.executable, "-m", "tests.benchmarks", name], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1 and "not run" in done.stdout
