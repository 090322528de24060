"""Scenes: exact boxes and masks, deterministic by seed and index, objects split as Emoji's are."""

import numpy as np
import pytest
import torch
from PIL import Image

from course.data import scenes as module
from course.data.backgrounds import KINDS, background
from course.data.emoji import CLASSES, STYLES, read_asset
from course.data.scenes import MIN_VISIBLE, Scene, Scenes, box_around, codes_by_class, sprite
from course.errors import DataError, UnknownName


@pytest.fixture(scope="module")
def some():
    return [*Scenes("train", 60, styles=STYLES, seed=4)]


def equal(a: Scene, b: Scene) -> bool:
    same_arrays = np.array_equal(a.picture, b.picture) and np.array_equal(a.mask, b.mask)
    return same_arrays and torch.equal(a.boxes, b.boxes) and torch.equal(a.labels, b.labels)


def test_a_scene_has_the_promised_kinds_and_shapes(some):
    for scene in some:
        assert scene.picture.mode == "RGB"
        assert scene.picture.size == (128, 128)
        assert (scene.mask.dtype, scene.mask.shape) == (np.uint8, (128, 128))
        assert (scene.boxes.dtype, scene.labels.dtype) == (torch.float32, torch.int64)
        assert scene.boxes.shape == (len(scene.labels), 4)
        assert 1 <= len(scene.labels) <= 5


def test_the_same_seed_and_index_give_the_same_scene_in_any_order_and_any_count():
    forward = Scenes("train", 6, seed=3)
    longer = Scenes("train", 60, seed=3)
    for index in (5, 0, 3):
        assert equal(forward[index], longer[index])
        assert equal(forward[index], forward[index])
    assert equal(forward[-1], forward[5])


@pytest.mark.parametrize("other", [Scenes("train", 4, seed=1), Scenes("test", 4)])
def test_another_seed_or_split_gives_other_scenes(other):
    assert not any(equal(a, b) for a, b in zip(Scenes("train", 4), other, strict=True))


def test_a_loop_over_scenes_ends():
    assert len([*Scenes("test", 3)]) == 3
    with pytest.raises(IndexError, match="no scene 3"):
        Scenes("test", 3)[3]


def test_boxes_hold_all_pixels_of_their_class_and_touch_their_object_on_every_side(some):
    for scene in some:
        outside = scene.mask.copy()
        for (x1, y1, x2, y2), label in zip(scene.boxes.int().tolist(), scene.labels.tolist(), strict=True):
            assert 0 <= x1 < x2 <= 128
            assert 0 <= y1 < y2 <= 128
            inside = scene.mask[y1:y2, x1:x2] == label
            for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
                assert edge.any()
            outside[y1:y2, x1:x2][inside] = 0
        assert not outside.any()
        assert set(np.unique(scene.mask)) - {0} == set(scene.labels.tolist())


def test_masks_are_exact(monkeypatch):
    """On a black background, with white objects, the picture shows what the mask says."""
    monkeypatch.setattr(module, "background", lambda rng, size: np.zeros((size, size, 3), np.uint8))
    original = sprite.__wrapped__

    def white(*arguments):
        made = original(*arguments)
        return made._replace(
            premultiplied=np.broadcast_to((255 - made.transparency) * 255 + 127, made.premultiplied.shape)
        )

    monkeypatch.setattr(module, "sprite", white)
    for scene in Scenes("train", 20, styles=STYLES):
        pixels = np.asarray(scene.picture)[..., 0]
        alone = len(scene.labels) == 1
        assert (pixels[scene.mask > 0] >= 128).all()
        # Two see-through edges on each other may be lighter than a half; one alone never is.
        assert (pixels[scene.mask == 0] < (128 if alone else 192)).all()


def test_an_object_that_is_hidden_is_left_out_of_picture_and_labels(monkeypatch):
    """All objects at one place: the front-most alone stays, but for the rims of larger ones."""
    monkeypatch.setattr(module, "MAX_OVERHANG", 0.0)
    monkeypatch.setattr(module, "codes_by_class", lambda split: [[codes_by_class(split)[0][0]]] * len(CLASSES))
    scenes = Scenes("train", 30, sides=(16,))
    for index, scene in enumerate(scenes):
        for label in scene.labels.tolist():
            area = sprite(scenes._codes[label - 1][0], "fluent", 64, False).area
            assert (scene.mask == label).sum() >= MIN_VISIBLE * area, index
    assert min(len(scene.labels) for scene in scenes) < 5


def test_objects_of_the_test_split_are_never_drawn_in_training_scenes(monkeypatch):
    drawn: dict[str, set[str]] = {"train": set(), "test": set()}
    for split, codes in drawn.items():
        monkeypatch.setattr(module, "sprite", lambda code, *rest, codes=codes: codes.add(code) or sprite(code, *rest))
        for _ in Scenes(split, 150):
            pass
    split_of = {row["code"]: row["split"] for row in read_asset()[0]}
    for split, codes in drawn.items():
        assert {split_of[code] for code in codes} == {split}


def test_all_classes_styles_and_several_objects_occur():
    labels = torch.cat([scene.labels for scene in Scenes("train", 300)])
    counts = torch.bincount(labels, minlength=11)[1:]
    assert counts.min() > 60
    assert 2.8 < len(labels) / 300 < 3.8  # the card says about 3.3


def test_styles_are_used_as_asked():
    assert not equal(Scenes("train", 1, styles=("noto",))[0], Scenes("train", 1, styles=("twemoji",))[0])


def test_a_scene_can_be_of_any_size():
    for size in (8, 33, 200):
        scene = Scenes("train", 1, size=size)[0]
        assert scene.picture.size == (size, size)
        assert scene.mask.shape == (size, size)


def test_transform_gets_the_scene():
    assert Scenes("train", 2, transform=lambda scene: len(scene.boxes))[1] == len(Scenes("train", 2)[1].labels)


def test_fingerprint_changes_with_what_changes_the_scenes():
    same = {Scenes("train", 5).fingerprint, Scenes("train", 5).fingerprint}
    others = [
        Scenes("test", 5),
        Scenes("train", 6),
        Scenes("train", 5, size=64),
        Scenes("train", 5, seed=1),
        Scenes("train", 5, styles=("noto",)),
        Scenes("train", 5, transform=len),
    ]
    assert len(same) == 1
    assert len({other.fingerprint for other in others} - same) == 6


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        (("valid", 3), {}, UnknownName, "split"),
        (("train", 3), {"styles": ("apple",)}, UnknownName, "style"),
        (("train", 3), {"styles": "fluent"}, DataError, "list of styles"),
        (("train", 3), {"styles": ()}, DataError, "list of styles"),
        (("train", -1), {}, DataError, "count=-1"),
        (("train", 2.5), {}, DataError, "count=2.5"),
        (("train", 3), {"seed": -4}, DataError, "seed=-4"),
        (("train", 3), {"size": 4}, DataError, "size=4"),
    ],
)
def test_impossible_scenes_are_refused_with_the_remedy(arguments, options, error, words):
    with pytest.raises(error, match=words):
        Scenes(*arguments, **options)


def test_a_mirrored_sprite_is_the_mirror_image():
    code = codes_by_class("train")[0][0]
    plain, mirrored = (sprite(code, "fluent", 40, flag) for flag in (False, True))
    assert np.array_equal(plain.mask[:, ::-1], mirrored.mask)
    assert np.array_equal(plain.premultiplied[:, ::-1], mirrored.premultiplied)


def test_a_box_is_around_all_true_pixels():
    visible = np.zeros((5, 6), bool)
    visible[1, 2] = visible[3, 4] = True
    assert box_around(visible, 10, 20) == (12, 21, 15, 24)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_background_varies(kind):
    field = kind(np.random.default_rng(0), 64)
    assert field.shape == (64, 64)
    assert field.dtype == np.float32
    assert field.std() > 0.05


def test_backgrounds_are_pictures_that_differ():
    rng = np.random.default_rng(0)
    pictures = [background(rng, 48) for _ in range(8)]
    assert {(picture.dtype, picture.shape) for picture in pictures} == {(np.dtype(np.uint8), (48, 48, 3))}
    assert len({picture.tobytes() for picture in pictures}) == 8
    assert Image.fromarray(pictures[0]).mode == "RGB"


def test_parts_of_the_objects_have_none_in_common_and_are_all_of_them_together():
    first, rest = (Scenes("train", 1, objects=part)._codes for part in ((0.0, 0.8), (0.8, 1.0)))
    for of_class, others, everything in zip(first, rest, codes_by_class("train"), strict=True):
        assert not set(of_class) & set(others)
        assert sorted(of_class + others) == sorted(everything)
    with pytest.raises(DataError, match="without objects"):
        Scenes("train", 1, objects=(0.5, 0.5))


def test_larger_objects_that_hide_each_other_less():
    large = Scenes("train", 30, sides=(16,), min_visible=0.9)
    sides = torch.cat([(scene.boxes[:, 2:] - scene.boxes[:, :2]).amax(1) for scene in large])
    assert sides.median() > 48
    assert large.fingerprint != Scenes("train", 30).fingerprint
    with pytest.raises(DataError, match="sides"):
        Scenes("train", 1, sides=(40,))
