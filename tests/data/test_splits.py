import csv

import numpy as np
import pytest
from PIL import Image

from course.data.duplicates import find_duplicates
from course.data.splits import split_pictures
from course.errors import DataError


def fill(folder, counts, seed=0):
    """That many different pictures for each class, in one folder per class."""
    rng = np.random.default_rng(seed)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(folder / name / f"{number}.png")
    return folder


def paths(splits):
    return [path for part in splits.named().values() for path in part.paths]


def test_class_folders_are_split_in_three_without_a_picture_in_two(tmp_path):
    splits = split_pictures(fill(tmp_path, {"cat": 20, "dog": 10}), seed=1)
    assert splits.classes == ("cat", "dog")
    assert splits.test.counts() == {"cat": 4, "dog": 2}
    assert splits.validation.counts() == {"cat": 3, "dog": 2}
    assert len(set(paths(splits))) == len(paths(splits)) == 30
    assert not find_duplicates(splits.train, splits.test)
    assert repr(splits) == "19 training, 5 validation, 6 test pictures; classes cat, dog"


def test_nothing_is_written_and_a_seed_draws_the_same_pictures(tmp_path):
    before = sorted(fill(tmp_path, {"cat": 5, "dog": 5}).rglob("*"))
    assert paths(split_pictures(tmp_path, seed=2)) == paths(split_pictures(tmp_path, seed=2))
    assert paths(split_pictures(tmp_path, seed=2)) != paths(split_pictures(tmp_path, seed=3))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("held", ["test", "val", "Validation"])
def test_one_folder_beside_train_is_the_test_set(tmp_path, held):
    fill(tmp_path / "train", {"cat": 10, "dog": 10})
    fill(tmp_path / held, {"cat": 4, "dog": 4}, seed=1)
    splits = split_pictures(tmp_path)
    assert {path.parents[1].name for path in splits.test.paths} == {held}
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (16, 4, 8)


def test_three_folders_are_taken_as_they_are_and_labels_follow_the_training_classes(tmp_path):
    fill(tmp_path / "train", {"ant": 3, "bee": 3, "cat": 3})
    fill(tmp_path / "val", {"ant": 2, "cat": 2}, seed=1)
    fill(tmp_path / "test", {"bee": 2, "cat": 2}, seed=2)
    splits = split_pictures(tmp_path)
    assert splits.test.classes == ("ant", "bee", "cat")
    assert splits.test.labels.tolist() == [1, 1, 2, 2]
    assert [label for _, label in splits.validation] == [0, 0, 2, 2]


def test_a_table_is_split_and_a_subset_takes_another_transform(tmp_path):
    fill(tmp_path, {"cat": 6, "dog": 6})
    rows = [(path.relative_to(tmp_path), path.parent.name) for path in sorted(tmp_path.rglob("*.png"))]
    with (tmp_path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    splits = split_pictures(tmp_path / "table.csv", transform=lambda picture: picture.size)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (8, 2, 2)
    changed = splits.train.with_transform(lambda picture: "changed")
    assert (splits.train[0][0], changed[0][0], changed.paths) == ((16, 12), "changed", splits.train.paths)
    assert splits.train.subset([3, 0]).paths == [splits.train.paths[3], splits.train.paths[0]]


def test_what_cannot_be_split_is_named(tmp_path):
    with pytest.raises(DataError, match=r"fewer than 3 pictures.*dog \(2\)"):
        split_pictures(fill(tmp_path / "few", {"cat": 5, "dog": 2}))
    fill(tmp_path / "apart" / "train", {"cat": 4, "dog": 4})
    fill(tmp_path / "apart" / "test", {"cat": 2, "wolf": 2})
    with pytest.raises(DataError, match=r"classes that .* has not: wolf"):
        split_pictures(tmp_path / "apart")
    fill(tmp_path / "untrained" / "test", {"cat": 2, "dog": 2})
    with pytest.raises(DataError, match="no train"):
        split_pictures(tmp_path / "untrained")
