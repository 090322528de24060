"""Chapter 05 runs on a learner's own folder: every cell twice, no claim fails, and the folder stays as it was."""

import pytest

from tests.benchmarks.own_folder import FOLDERS, draw_shapes, problems


@pytest.mark.slow
@pytest.mark.parametrize("name", ["2 classes, 20 pictures", "3 classes"])
def test_chapter_05_runs_on_a_small_folder(name):
    assert problems(FOLDERS[name]) == []


def test_drawn_shapes_are_a_folder_per_class(tmp_path):
    folder = draw_shapes(tmp_path, [3, 2])
    assert [len(list(inside.iterdir())) for inside in sorted(folder.iterdir())] == [3, 2]
