"""The full profile of the notebooks runs from end to end; `tests/full_profile.py` says what stands in for downloads."""

import nbformat
import pytest

from course.claims import FAILS, HOLDS
from tests import full_profile
from tests.conftest import ROOT

# On one core 02 takes half a minute. `python -m tests.full_profile NOTEBOOK` runs 04, which takes five times as long.
CHAPTERS = ("02",)


def claims(lines: list[str]) -> list[str]:
    """What was claimed, whether it held or not."""
    said = [line for line in lines if line.startswith((HOLDS, FAILS))]
    return [line.removeprefix(HOLDS).removeprefix(FAILS) for line in said]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_full_profile_of_a_chapter_runs_every_cell_on_pets(chapter, tmp_path):
    (path,) = (ROOT / "solutions").glob(f"{chapter}_*.ipynb")
    lines = full_profile.printed(full_profile.run(path, tmp_path))
    assert any("profile full (asked for)" in line for line in lines)
    assert "100 pictures to learn from, 100 other things to be tested on" in lines, "ten pets of each of ten breeds"
    stored = full_profile.printed(nbformat.read(path, as_version=4))
    assert claims(lines) == claims(stored), "every claim is made in both profiles"
    assert not any("fetching" in line for line in lines)
