"""Pictures from files: every kind becomes RGB, and what is no picture is named."""

import contextlib
import io
import random

import numpy as np
import pytest
import torch
from PIL import Image

from course.data.picture_files import open_picture
from course.data.pictures import PictureFolder, check_labels, write_pictures
from course.errors import BadLabels, BadPicture, DataError, EmptyData


def save(picture, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)
    return path


def noise(size=(40, 30), seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def test_a_grey_picture_becomes_rgb(tmp_path):
    picture = open_picture(save(Image.new("L", (4, 3), 100), tmp_path / "grey.png"))
    assert (picture.mode, picture.size, picture.getpixel((0, 0))) == ("RGB", (4, 3), (100, 100, 100))


def test_a_black_and_white_picture_becomes_rgb(tmp_path):
    assert open_picture(save(Image.new("1", (4, 3), 1), tmp_path / "bits.png")).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode, colour", [("RGBA", (200, 0, 0, 0)), ("LA", (0, 0))])
def test_transparent_parts_become_white(tmp_path, mode, colour):
    picture = open_picture(save(Image.new(mode, (4, 3), colour), tmp_path / "alpha.png"))
    assert (picture.mode, picture.getpixel((0, 0))) == ("RGB", (255, 255, 255))


def test_a_half_transparent_red_is_mixed_with_white(tmp_path):
    picture = open_picture(save(Image.new("RGBA", (4, 3), (255, 0, 0, 51)), tmp_path / "half.png"))
    assert picture.getpixel((0, 0)) == (255, 204, 204)


def test_a_palette_picture_gets_its_colours(tmp_path):
    palette = Image.new("RGB", (4, 3), (10, 200, 30)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert open_picture(save(palette, tmp_path / "palette.gif")).getpixel((0, 0)) == (10, 200, 30)


def test_a_transparent_palette_entry_becomes_white(tmp_path):
    palette = Image.new("P", (4, 3), 0)
    palette.putpalette([10, 200, 30])
    assert open_picture(save(palette, tmp_path / "p.png", transparency=0)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_are_scaled_to_eight_not_clipped(tmp_path, suffix):
    values = np.full((3, 4), 257 * 100, dtype=np.uint16)
    values[0, 0] = 65535
    picture = open_picture(save(Image.fromarray(values), tmp_path / f"deep.{suffix}"))
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    assert picture.getpixel((2, 2)) == (100, 100, 100)


def test_floating_point_greys_are_scaled_to_eight_bits(tmp_path):
    picture = open_picture(save(Image.fromarray(np.full((3, 4), 0.2, dtype=np.float32)), tmp_path / "float.tiff"))
    assert picture.getpixel((0, 0)) == (51, 51, 51)


def test_a_cmyk_picture_becomes_rgb(tmp_path):
    picture = open_picture(save(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), tmp_path / "print.jpg"))
    red, green, blue = picture.getpixel((8, 8))
    assert picture.mode == "RGB"
    assert red > 200
    assert max(green, blue) < 60


def test_the_turn_a_camera_noted_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    picture = Image.new("RGB", (40, 20), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 20, 20))
    turned = open_picture(save(picture, tmp_path / "turned.jpg", exif=exif))
    assert turned.size == (20, 40)
    assert turned.getpixel((10, 5))[0] > 200  # the left half is on top


def test_an_open_file_is_read_as_well(tmp_path):
    with save(noise(), tmp_path / "a.png").open("rb") as file:
        assert open_picture(file).size == (40, 30)


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    frames = [Image.new("RGB", (4, 3), colour) for colour in [(255, 0, 0), (0, 0, 255)]]
    path = save(frames[0], tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert open_picture(path).getpixel((0, 0)) == (255, 0, 0)


def test_a_huge_picture_is_refused_by_name_before_it_fills_the_memory(tmp_path, monkeypatch):
    path = save(noise((100, 100)), tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3_000)
    with pytest.raises(BadPicture, match=r"huge\.png is larger than .* make it smaller"):
        open_picture(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_file_that_claims_a_billion_pixels_is_refused_at_once(tmp_path):
    content = bytearray(save(noise(), tmp_path / "bomb.bmp").read_bytes())
    content[18:26] = (40_000).to_bytes(4, "little") * 2  # width and height in the header
    (tmp_path / "bomb.bmp").write_bytes(content)
    with pytest.raises(BadPicture, match="178 megapixels"):
        open_picture(tmp_path / "bomb.bmp")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "tiff"])
def test_a_cut_off_picture_is_refused_by_name(tmp_path, suffix):
    path = save(noise((200, 200)), tmp_path / f"photo.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadPicture, match=rf"photo\.{suffix}"):
        open_picture(path)


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "is empty"),
        (b"just words", "is not a picture"),
        (b"<!DOCTYPE html><p>404", "web page"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
    ],
)
def test_no_picture_at_all_is_refused_with_what_it_is(tmp_path, content, reason):
    path = tmp_path / "cat.jpg"
    path.write_bytes(content)
    with pytest.raises(BadPicture, match=rf"cat\.jpg.*{reason}"):
        open_picture(path)


def test_a_missing_file_and_a_folder_are_bad_pictures(tmp_path):
    with pytest.raises(BadPicture, match="there is no file"):
        open_picture(tmp_path / "none.png")
    with pytest.raises(BadPicture):
        open_picture(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow says what is odd about a TIFF
def test_damaged_bytes_never_raise_anything_but_bad_picture():
    generator = random.Random(0)
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"):
        buffer = io.BytesIO()
        noise().save(buffer, kind)
        for _ in range(30):
            content = bytearray(buffer.getvalue())
            for _ in range(5):
                content[generator.randrange(len(content))] = generator.randrange(256)
            with contextlib.suppress(BadPicture):
                assert open_picture(io.BytesIO(content)).mode == "RGB"


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        save(noise(seed=number), tmp_path / "wasp" / f"{number}.png")
        save(noise(seed=10 + number), tmp_path / "ant" / f"{number}.jpg")
    return tmp_path


def test_classes_are_the_sorted_folder_names_and_labels_follow(folder):
    data = PictureFolder(folder)
    assert data.classes == ("ant", "wasp")
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.counts() == {"ant": 3, "wasp": 3}
    picture, label = data[5]
    assert (picture.shape, picture.dtype, label) == ((3, 30, 40), torch.float32, 1)


def test_unreadable_files_are_skipped_and_named(folder, capsys):
    (folder / "ant" / "notes.txt").write_text("not a picture")
    broken = folder / "wasp" / "broken.jpg"
    save(noise((300, 300)), broken)
    broken.write_bytes(broken.read_bytes()[:2000])
    data = PictureFolder(folder)
    assert len(data) == 6
    assert [path.name for path, _ in data.skipped] == ["notes.txt", "broken.jpg"]
    assert all(path.name in reason for path, reason in data.skipped)
    (line,) = capsys.readouterr().out.splitlines()
    assert "notes.txt" in line
    assert "broken.jpg" in line


def test_hidden_files_and_checkpoint_folders_are_ignored_in_silence(folder, capsys):
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / "ant" / ".DS_Store").write_bytes(b"x")
    (folder / "ant" / "Thumbs.db").write_bytes(b"x")
    data = PictureFolder(folder)
    assert (data.classes, data.skipped, capsys.readouterr().out) == (("ant", "wasp"), [], "")


def test_empty_folders_are_refused_and_say_what_to_do(folder):
    with pytest.raises(EmptyData, match="there is no folder"):
        PictureFolder(folder / "nowhere")
    with pytest.raises(EmptyData, match="one folder per class"):
        PictureFolder(folder / "ant")
    (folder / "bee").mkdir()
    (folder / "bee" / "bad.png").write_bytes(b"")
    with pytest.raises(EmptyData, match=r"bee.*no readable picture.*bad\.png is empty"):
        PictureFolder(folder)


def test_one_class_alone_is_refused_by_name(tmp_path):
    save(noise(), tmp_path / "cat" / "a.png")
    with pytest.raises(DataError, match="only the class cat"):
        PictureFolder(tmp_path)


def test_a_folder_of_splits_is_not_taken_for_a_folder_of_classes(folder, tmp_path):
    for split in ("train", "Val"):
        save(noise(), tmp_path / "root" / split / "cat" / "a.png")
    with pytest.raises(DataError, match=r"splits \(Val, train\), not classes.*root.train"):
        PictureFolder(tmp_path / "root")


def test_the_reasons_are_those_of_the_empty_class_alone(folder):
    (folder / "ant" / "ant.txt").write_text("words")
    (folder / "ant-hill").mkdir()
    with pytest.raises(EmptyData, match=r"class ant-hill in .* delete the class$"):
        PictureFolder(folder)


def test_the_fingerprint_follows_the_contents_and_the_transform(folder):
    before = PictureFolder(folder).fingerprint
    assert PictureFolder(folder).fingerprint == before
    assert PictureFolder(folder, transform=str).fingerprint != before
    save(noise(seed=99), folder / "ant" / "0.jpg")
    assert PictureFolder(folder).fingerprint != before


def test_the_transform_gets_an_upright_rgb_picture(folder):
    save(Image.new("LA", (5, 4)), folder / "ant" / "a.png")
    modes = {PictureFolder(folder, transform=lambda picture: picture.mode)[i][0] for i in range(7)}
    assert modes == {"RGB"}


@pytest.mark.parametrize("labels", [[0, 1, 2], torch.tensor([2, 0]), np.array([1, 1]), [1.0, 2.0]])
def test_good_labels_come_back_as_int64(labels):
    assert check_labels(labels, 3).dtype == torch.int64


@pytest.mark.parametrize(
    "labels, named", [([0, 3, -1], "-1, 3"), ([0, 7], "7"), ([0.5, 1], "0.5"), ([float("nan")], "nan")]
)
def test_bad_labels_are_named(labels, named):
    with pytest.raises(BadLabels, match=named):
        check_labels(labels, 3)


def test_written_pictures_are_read_again_with_their_labels(tmp_path):
    pairs = [(noise(seed=0), 1), (noise(seed=1), 0), (noise(seed=2), 1)]
    data = PictureFolder(write_pictures(pairs, ("cat", "dog"), tmp_path / "new"), transform=np.asarray)
    assert data.counts() == {"cat": 1, "dog": 2}
    assert all((data[i][0] == np.asarray(pairs[j][0])).all() for i, j in enumerate((1, 0, 2)))
