import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import OxfordIIITPet

from course.data import downloads, pet_files
from course.data.pet_files import fetch_pets, pets_folder
from course.data.pets import Pets, PetScenes
from course.data.scenes import VOID
from course.errors import BadMask, BadPicture, DataError, DownloadFailed, NoNetwork, UnknownName
from tests.loopback import serving
from tests.standins import BREEDS, archives_of, lay_out_pets


@pytest.fixture
def by_hand(home, tmp_path, monkeypatch) -> Path:
    """Pets in a folder laid out by hand."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "by-hand"))
    return lay_out_pets(tmp_path / "by-hand")


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> dict[str, bytes]:
    """The two archives that the authors publish, with small pictures in them."""
    return archives_of(lay_out_pets(tmp_path_factory.mktemp("published")))


@pytest.fixture
def server(home, archives, monkeypatch):
    """A server of the archives, at the addresses and with the md5s that torchvision knows."""
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setattr(downloads, "WAIT_S", 0.01)
    with serving() as server:
        server.files = dict(archives)
        known = tuple((server.url(name), hashlib.md5(content).hexdigest()) for name, content in archives.items())
        monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", known)
        yield server


def test_pictures_and_labels_are_those_that_torchvision_reads(by_hand):
    pets = Pets("train")
    theirs = OxfordIIITPet(by_hand.parent, "trainval")
    assert pets.classes == tuple(theirs.classes) == ("Abyssinian", "American Bulldog", "Bengal", "Beagle")
    assert pets.labels.tolist() == [label for _, label in theirs]
    assert len(pets) == len(theirs) == 16 and len(Pets("test")) == 16
    x, y = pets[3]
    assert x.shape == (3, 224, 224) and x.dtype == torch.float32 and 0 <= x.min() < x.max() <= 1
    assert y == theirs[3][1]
    middle = np.asarray(theirs[3][0].crop((6, 0, 42, 36)).resize((224, 224), Image.Resampling.BICUBIC)) / 255
    assert np.abs(middle - x.permute(1, 2, 0).numpy()).mean() < 0.02


def test_a_transform_gets_a_square_rgb_picture_of_the_size(by_hand):
    picture, _ = Pets("train", size=32, transform=lambda picture: picture)[0]
    assert (picture.mode, picture.size) == ("RGB", (32, 32))


def test_a_draw_has_so_many_of_each_breed_and_a_smaller_one_is_part_of_it(by_hand):
    small, large = (Pets("train", per_class=count, seed=1) for count in (2, 3))
    assert small.counts() == dict.fromkeys(small.classes, 2)
    assert set(small.paths) < set(large.paths)
    assert Pets("train", per_class=2, seed=2).paths != small.paths
    assert [path.name.rpartition("_")[0] for path in small.paths[::2]] == list(BREEDS)
    assert not {path.name for path in large.paths} & {path.name for path in Pets("test").paths}


def test_the_fingerprint_changes_with_what_is_shown(by_hand):
    pets = [
        Pets("train"),
        Pets("test"),
        Pets("train", size=64),
        Pets("train", per_class=2),
        Pets("train", transform=str),
    ]
    assert len({data.fingerprint for data in pets}) == 5
    before = pets[0].fingerprint
    assert Pets("train").fingerprint == before
    pets[0].paths[0].write_bytes(b"other")
    assert Pets("train").fingerprint != before


@pytest.mark.parametrize("per_class", [0, 5, -1])
def test_more_than_there_are_is_impossible(by_hand, per_class):
    with pytest.raises(DataError, match=rf"per_class={per_class} is impossible: .*'Abyssinian'.* ask for 1 to 4"):
        Pets("train", per_class=per_class)
    with pytest.raises(DataError, match="count=17 is impossible: the test split has 16"):
        PetScenes("test", count=17)


def test_another_split_is_unknown(by_hand):
    with pytest.raises(UnknownName, match="did you mean 'train'"):
        Pets("trainval")


def test_a_scene_has_the_trimaps_mask_and_a_box_around_the_pet(by_hand):
    scenes = PetScenes("train", size=48)
    picture, mask, boxes, labels = scenes[0]
    trimap = np.array(Image.open(by_hand / "annotations" / "trimaps" / "Abyssinian_1.png"))
    assert (picture.mode, picture.size, mask.shape, mask.dtype) == ("RGB", (48, 48), (48, 48), np.uint8)
    middle = mask[6:42]  # pictures of 48 x 36 leave bars of 6 above and below
    assert (mask[:6] == VOID).all() and (mask[42:] == VOID).all()
    assert ((middle == 1) == (trimap == 1)).all()
    assert ((middle == 0) == (trimap == 2)).all()
    assert ((middle == VOID) == (trimap == 3)).all()
    rows, columns = np.nonzero(mask == 1)
    assert boxes.tolist() == [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]
    assert boxes.dtype == torch.float32 and labels.tolist() == [1]
    assert np.asarray(picture)[:6].max() == 0


def test_cats_are_1_and_dogs_2(by_hand):
    scenes = PetScenes("test", size=32)
    assert scenes.classes == ("cat", "dog")
    assert [int(scenes[i].labels[0]) for i in range(0, 16, 4)] == [1, 2, 1, 2]
    assert set(np.unique(scenes[4].mask)) == {0, 2, VOID}


def test_a_count_draws_scenes_of_every_kind_by_the_seed(by_hand):
    some = PetScenes("train", count=8, size=32, transform=lambda scene: int(scene.labels[0]))
    assert len(some) == 8 and {some[i] for i in range(8)} == {1, 2}
    assert some.fingerprint != PetScenes("train", count=8, size=32, seed=1).fingerprint


def test_a_trimap_that_does_not_fit_is_named(by_hand):
    path = by_hand / "annotations" / "trimaps" / "Abyssinian_1.png"
    trimap = np.array(Image.open(path))
    for wrong in (trimap[:-1], np.where(trimap == 3, 7, trimap).astype(np.uint8)):
        Image.fromarray(wrong).save(path)
        with pytest.raises(BadMask, match=r"Abyssinian_1\.png"):
            PetScenes("train")[0]
    Image.fromarray(np.full_like(trimap, 2)).save(path)
    with pytest.raises(DataError, match=r"Abyssinian_1\.png shows no pet"):
        PetScenes("train")[0]
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(BadPicture, match=r"Abyssinian_1\.png is missing, damaged or truncated"):
        PetScenes("train")[0]


def test_a_picture_that_is_cut_off_is_named_when_it_is_asked_for(by_hand):
    path = by_hand / "images" / "Abyssinian_1.jpg"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(BadPicture, match=r"Abyssinian_1\.jpg is damaged or truncated"):
        Pets("train")[0]


def test_annotations_that_are_no_annotations_are_said(by_hand):
    (by_hand / "annotations" / "trainval.txt").write_text("Abyssinian_1 one\n")
    with pytest.raises(DataError, match=r"annotations cannot be read .*course fetch --only pets"):
        Pets("train")


def test_a_folder_laid_out_by_hand_is_used_and_nothing_is_written(by_hand, home):
    by_hand.chmod(0o555)
    assert pets_folder() == by_hand.parent
    Pets("train")[0]
    assert not home.exists()
    by_hand.chmod(0o755)


def test_a_folder_by_hand_that_lacks_files_is_named_and_not_used(by_hand, monkeypatch, capsys):
    monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", (("http://127.0.0.1:9/images.tar.gz", ""),))
    (by_hand / "images" / "Bengal_2.jpg").unlink()
    with pytest.raises(NoNetwork, match="quick"):
        Pets("train")
    assert f"{by_hand} is not used: 1 of the files listed in trainval.txt are missing: Bengal_2.jpg" in (
        capsys.readouterr().out
    )


def test_the_archives_are_fetched_and_unpacked_once_and_taken_away(server, home):
    assert len(Pets("train")) == 16
    assert len(PetScenes("test")) == 16
    assert server.asked == [None, None]
    left = {path.name for path in (home / "data").iterdir() if path.suffix != ".lock"}
    assert left == {"oxford-iiit-pet"}
    assert len(OxfordIIITPet(home / "data", "test", target_types="segmentation")) == 16


def test_archives_that_were_cut_or_changed_on_the_way_are_mended(server):
    server.faults = ["cut", "cut", "", "tamper"]
    assert len(Pets("train")) == 16


def test_an_archive_of_another_content_is_never_unpacked(server, home):
    server.files["images.tar.gz"] = b"<html>"
    with pytest.raises(DownloadFailed, match="a web page"):
        Pets("train")
    assert not (home / "data" / "oxford-iiit-pet").exists()


def test_unpacking_that_was_killed_is_done_again(server, home):
    half = home / "data" / ".oxford-iiit-pet.part" / "images"
    half.mkdir(parents=True)
    (half / "leftover.jpg").write_bytes(b"half")
    assert len(Pets("train")) == 16
    assert not half.parent.exists() and not (home / "data" / "oxford-iiit-pet" / "images" / "leftover.jpg").exists()


@pytest.mark.parametrize("name", ["images/Bengal_2.jpg", "annotations/trimaps/Bengal_2.png", "annotations/list.txt"])
def test_a_file_of_ours_that_was_cut_off_later_is_fetched_again(server, home, name, capsys):
    path = fetch_pets() / "oxford-iiit-pet" / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert len(Pets("train")) == 16
    assert path.read_bytes() == content
    assert f"is not used: {name} is missing or truncated" in capsys.readouterr().out


def test_two_notebooks_that_want_them_at_once_fetch_them_once(server):
    with ThreadPoolExecutor(2) as pool:
        assert [len(pets) for pets in pool.map(Pets, ["train", "test"])] == [16, 16]
    assert server.asked == [None, None]


def test_without_fetching_what_is_not_there_is_a_missing_file(server):
    with pytest.raises(FileNotFoundError):
        pets_folder(fetch=False)
    assert server.asked == []


def test_torchvision_still_has_the_addresses_and_md5s_that_the_fetching_relies_on():
    names = [url.rpartition("/")[2] for url, md5 in OxfordIIITPet._RESOURCES if len(md5) == 32]
    assert names == ["images.tar.gz", "annotations.tar.gz"]
    assert pet_files.FOLDER == "oxford-iiit-pet"
