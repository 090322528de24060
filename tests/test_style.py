"""Ruff and the type checker, over everything that is written by hand."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

TOOLS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
}


@pytest.mark.parametrize("command", TOOLS.values(), ids=TOOLS)
def test_a_checker_finds_nothing(command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
