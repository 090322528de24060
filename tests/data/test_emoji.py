"""The bundled emoji: balanced, split by object, the same draw in every style, and as the dataset card says."""

import hashlib
import importlib.util
import re
from importlib import resources
from pathlib import Path

import pytest
import torch

from course.data import emoji
from course.data.emoji import CLASSES, STYLES, Emoji, object_picture
from course.errors import DataError, UnknownName


@pytest.fixture(scope="module")
def train() -> Emoji:
    return Emoji("train", size=16)


def test_the_asset_has_the_recorded_hash():
    asset = resources.files("course.data").joinpath("assets/emoji.zip").read_bytes()
    assert hashlib.sha256(asset).hexdigest() == emoji.ASSET_SHA256


def test_every_object_is_drawn_in_every_style_and_nothing_else_is_in_the_asset():
    rows, pictures = emoji.read_asset()
    assert set(pictures) == {f"{style}/{row['code']}" for style in STYLES for row in rows}


def test_names_and_code_points_are_unique():
    rows, _ = emoji.read_asset()
    assert len({row["name"] for row in rows}) == len({row["code"] for row in rows}) == len(rows)


def test_the_dataset_card_gives_the_counts_of_the_asset():
    rows, _ = emoji.read_asset()
    card = re.findall(r"^ *([a-z][a-z ]*?) +(\d+) +(\d+)$", Emoji.__doc__ or "", re.MULTILINE)
    counted = [
        (name, *(str(sum(r["class"] == name and r["split"] == split for r in rows)) for split in ("train", "test")))
        for name in CLASSES
    ]
    total = ("all", *(str(sum(row["split"] == split for row in rows)) for split in ("train", "test")))
    assert card == [*counted, total]


def test_every_class_has_at_least_15_training_objects_and_about_40_percent_are_for_testing():
    rows, _ = emoji.read_asset()
    for name in CLASSES:
        splits = [row["split"] for row in rows if row["class"] == name]
        assert splits.count("train") >= 15
        assert 0.35 <= splits.count("test") / len(splits) <= 0.45


def test_no_object_is_in_both_splits():
    assert not set(Emoji("train", size=8).objects) & set(Emoji("test", style="noto", size=8).objects)


def test_look_alikes_are_on_one_side_of_the_split():
    rows, _ = emoji.read_asset()
    split = {row["name"]: row["split"] for row in rows}
    for family in (["dog", "dog face", "poodle"], ["cat", "cat face", "black cat"], ["bus", "oncoming bus"]):
        assert len({split[name] for name in family}) == 1


def test_training_is_balanced_and_counts_says_so(train):
    counts = train.counts()
    assert list(counts) == list(CLASSES)
    assert len(set(counts.values())) == 1
    assert sum(counts.values()) == len(train)


def test_the_test_split_is_whole():
    rows, _ = emoji.read_asset()
    assert set(Emoji("test", size=8).objects) == {row["name"] for row in rows if row["split"] == "test"}


def test_per_class_draws_exactly_that_many_and_smaller_draws_are_part_of_larger_ones():
    small, large = (Emoji("train", size=8, per_class=k, seed=3) for k in (5, 10))
    assert set(small.counts().values()) == {5}
    assert set(small.objects) < set(large.objects)
    assert len(set(large.objects)) == 100


def test_the_seed_decides_the_draw_and_the_style_does_not():
    first = Emoji("train", size=8, per_class=3, seed=0)
    assert first.objects == Emoji("train", style="twemoji", size=8, per_class=3, seed=0).objects
    assert first.objects != Emoji("train", size=8, per_class=3, seed=1).objects


def test_a_sample_is_a_float_tensor_in_the_unit_interval_with_its_label(train):
    picture, label = train[5]
    assert picture.shape == (3, 16, 16)
    assert picture.dtype == torch.float32
    assert 0 <= picture.min() < picture.max() <= 1
    assert label == int(train.labels[5])
    assert train.labels.dtype == torch.int64


def test_the_background_is_the_same_in_every_style():
    for style in STYLES:
        data = Emoji("test", style=style, size=32, per_class=2, transform=lambda picture: picture.getpixel((0, 0)))
        corners = [data[index][0] for index in range(len(data))]
        assert corners.count(emoji.BACKGROUND) > len(data) / 2  # a few drawings reach into the corner


def test_a_transform_gets_an_rgb_picture_and_cannot_change_the_next_reading():
    def blacken(picture):
        before = picture.getpixel((8, 8))
        picture.paste((0, 0, 0), (0, 0, *picture.size))
        return picture.mode, picture.size, before

    data = Emoji("test", size=16, per_class=1, transform=blacken)
    assert data[0] == data[0]
    assert data[0][0][:2] == ("RGB", (16, 16))


def test_the_fingerprint_changes_with_style_size_selection_and_transform_and_with_nothing_else():
    def fingerprint(**changes):
        options = {"split": "test", "style": "fluent", "size": 8, "per_class": 2, "seed": 0, "transform": None}
        options.update(changes)
        return Emoji(options.pop("split"), **options).fingerprint

    changes = [{"style": "noto"}, {"size": 9}, {"per_class": 1}, {"seed": 1}, {"split": "train"}, {"transform": str}]
    prints = [fingerprint(), *(fingerprint(**change) for change in changes)]
    assert len(set(prints)) == len(prints)
    assert fingerprint() == prints[0]


def test_wrong_names_are_refused_with_the_nearest_ones():
    with pytest.raises(UnknownName, match="twemoji"):
        Emoji("train", style="twemojis")
    with pytest.raises(UnknownName, match="train"):
        Emoji("training")
    with pytest.raises(UnknownName, match="dog face"):
        object_picture("dog fase")


@pytest.mark.parametrize("per_class", [0, -1, 1000])
def test_an_impossible_per_class_says_how_many_there_are(per_class, train):
    smallest = min(train.counts().values())
    with pytest.raises(DataError, match=f"has {smallest} objects"):
        Emoji("train", per_class=per_class)


@pytest.mark.parametrize("size", [0, 7, 96.0, "96"])
def test_an_impossible_size_is_refused(size):
    with pytest.raises(DataError, match="size="):
        Emoji("train", size=size)


def test_an_object_is_drawn_with_transparency_at_the_size_asked_for():
    for style in STYLES:
        picture = object_picture("dog face", style=style, size=48)
        assert (picture.mode, picture.size) == ("RGBA", (48, 48))
        assert picture.getchannel("A").getextrema() == (0, 255)


def test_an_unreadable_asset_says_how_to_install_it_again(tmp_path, monkeypatch):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "emoji.zip").write_bytes(b"cut off")
    monkeypatch.setattr(emoji.resources, "files", lambda package: tmp_path)
    with pytest.raises(DataError, match="install the course again"):
        emoji.read_asset.__wrapped__()


@pytest.fixture(scope="module")
def builder():
    path = Path(emoji.__file__).with_name("assets") / "build_emoji.py"
    spec = importlib.util.spec_from_file_location("build_emoji", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_build_script_writes_the_same_bytes_for_the_same_pictures(builder, tmp_path):
    rows, contents = emoji.read_asset()
    pictures: dict[str, dict[str, Path]] = {}
    for style in STYLES:
        for row in rows[:5]:
            path = tmp_path / f"{style}-{row['code']}.png"
            path.write_bytes(contents[f"{style}/{row['code']}"])
            pictures.setdefault(style, {})[row["code"]] = path
    for name in ("one.zip", "two.zip"):
        builder.write_zip(tmp_path / name, rows[:5], pictures)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_the_build_script_and_the_library_name_the_same_classes_and_styles(builder):
    assert tuple(builder.CLASSES) == CLASSES
    assert tuple(builder.FOLDERS) == STYLES


def test_the_build_script_ignores_variation_selectors(builder):
    assert builder.plain_code("1F577-FE0F") == "1f577"
