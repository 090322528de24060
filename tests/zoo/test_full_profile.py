"""The full profile of the notebooks runs from end to end; `tests/full_profile.py` says what stands in for downloads."""

import nbformat
import pytest

from course.notebook.claims import FAILS, HOLDS
from course.zoo.full_profile import DOWNLOADS
from tests import full_profile
from tests.conftest import ROOT

# On one core 02 takes half a minute. `python -m tests.full_profile NOTEBOOK` runs any other, in up to seven minutes.
CHAPTERS = {  # a line that it must print, and how many claims are the quick profile's alone
    "02": ("40 pictures to train on, 60 for validation", 0),  # ten pets of each of ten breeds
    "08": ("the tagger is ahead of the list", 3),  # the last experiment ran
}


def claims(lines: list[str]) -> list[str]:
    """What was claimed, whether it held or not."""
    said = [line for line in lines if line.startswith((HOLDS, FAILS))]
    return [line.removeprefix(HOLDS).removeprefix(FAILS) for line in said]


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_full_profile_of_a_chapter_runs_every_cell_on_stand_ins(chapter, tmp_path):
    (path,) = (ROOT / "solutions").glob(f"{chapter}_*.ipynb")
    lines = full_profile.printed(full_profile.run(path, tmp_path))
    assert any("Profile full (requested)" in line for line in lines)
    expected, of_quick_alone = CHAPTERS[chapter]
    assert any(line.endswith(expected) for line in lines)
    stored = full_profile.printed(nbformat.read(path, as_version=4))
    assert set(claims(lines)) <= set(claims(stored)) and len(claims(stored)) - len(claims(lines)) == of_quick_alone
    assert not any("fetching" in line for line in lines)


def test_everything_to_be_fetched_is_for_a_chapter_and_has_a_stand_in():
    chapters = [path.name[:2] for path in (ROOT / "solutions").glob("*.ipynb")]
    assert {name for chapter in chapters for name in full_profile.needs(chapter)} == {item.name for item in DOWNLOADS}
    known = {"pets", *full_profile.CHECKPOINTS, *full_profile.KERAS, *full_profile.REPOSITORIES}
    assert known == {item.name for item in DOWNLOADS}
    assert (
        full_profile.needs("00") == [] and "resnet50" in full_profile.needs("05") and "gpt2" in full_profile.needs("09")
    )
