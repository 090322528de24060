"""Pictures listed in a CSV file, and duplicates of training pictures among the test pictures."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Subset, TensorDataset

from course.data.duplicates import find_duplicates
from course.data.picture_table import PictureTable
from course.data.pictures import PictureFolder
from course.errors import DataError, EmptyData
from tests.data.test_pictures import noise, save


@pytest.fixture
def written(tmp_path):
    """A function that writes a table beside four pictures; its path."""
    for number in range(4):
        save(noise(seed=number), tmp_path / "photos" / f"{number}.png")

    def write(content, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(content.encode(encoding))
        return path

    return write


ROWS = "photos/0.png,wasp\nphotos/1.png,ant\nphotos/2.png,wasp\n"


def test_paths_are_relative_to_the_table_and_classes_are_the_labels_in_order(written):
    data = PictureTable(written("path,label\n" + ROWS))
    assert data.classes == ("ant", "wasp")
    assert data.labels.tolist() == [0, 1, 1]
    assert [path.name for path in data.paths] == ["1.png", "0.png", "2.png"]
    assert data.counts() == {"ant": 1, "wasp": 2}
    picture, label = data[0]
    assert (picture.shape, label) == ((3, 30, 40), 0)


def test_an_absolute_path_is_taken_as_it_is(written, tmp_path):
    content = f'path,label\n"{tmp_path / "photos" / "3.png"}",bee\nphotos/1.png,ant\n'
    assert PictureTable(written(content)).paths[1] == tmp_path / "photos" / "3.png"


@pytest.mark.parametrize(
    "content, encoding",
    [
        ("path,label\n" + ROWS, "utf-8-sig"),
        ("Label;PATH\n" + "wasp;photos/0.png\nant;photos\\1.png\nwasp;photos/2.png\n", "utf-8"),
        ("path\tnote\tlabel\r\nphotos/0.png\tx\twasp\r\nphotos/1.png\t\tant\r\nphotos/2.png\t\twasp\r\n", "utf-8"),
        ("path, label\n" + ROWS.replace(",", " , ") + "\n\n", "utf-8"),
    ],
    ids=["byte order mark", "semicolons and backslashes", "tabs and another column", "spaces and empty lines"],
)
def test_tables_as_spreadsheets_write_them_are_read(written, content, encoding):
    data = PictureTable(written(content, encoding))
    assert (data.classes, data.labels.tolist()) == (("ant", "wasp"), [0, 1, 1])


def test_labels_may_be_any_unicode(written):
    data = PictureTable(written("path,label\nphotos/0.png,Käfer\nphotos/1.png,蟻\n"))
    assert data.classes == ("Käfer", "蟻")


@pytest.mark.parametrize(
    "content, words",
    [
        ("file,label\n" + ROWS, r"no column path \(its first line says: file, label\)"),
        (ROWS, "no column path and no column label"),
        ("", "nothing"),
        ("path,label\nphotos/0.png,wasp\nphotos/9.png,ant\n", r"line 3: there is no file photos/9\.png"),
        ("path,label\nphotos/0.png,\n,ant\n", "line 2: no label; line 3: no path"),
        ("path,label\nphotos/0.png\n", "line 2: no label"),
        ("path,label\nphotos/0.png,ant\nphotos/0.png,wasp\n", "has the label wasp here and ant earlier"),
        ("path,label\nphotos,ant\n", "there is no file photos"),
        ("path,label\n" + "no.png,ant\n" * 9, "and 4 more lines"),
        ("path,label\nphotos/0.png,ant\n", "only the class ant"),
        ('path,label\n"' + "x" * 200_000, "is not valid CSV after line"),
    ],
)
def test_a_table_that_cannot_be_used_says_where_and_what_to_do(written, content, words):
    with pytest.raises(DataError, match=words):
        PictureTable(written(content))


def test_another_encoding_is_named_with_its_remedy(written):
    with pytest.raises(DataError, match=r"not in UTF-8 \(byte .* 0xe4\).*save it again as UTF-8"):
        PictureTable(written("path,label\nphotos/0.png,Käfer\n", "latin-1"))
    with pytest.raises(DataError, match="not in UTF-8"):
        PictureTable(written("path,label\n" + ROWS, "utf-16"))


def test_a_missing_table_and_one_without_rows_are_refused(written, tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        PictureTable(tmp_path / "none.csv")
    with pytest.raises(DataError, match="cannot be read"):
        PictureTable(tmp_path)
    with pytest.raises(EmptyData, match="lists no pictures"):
        PictureTable(written("path,label\n"))


def test_a_file_that_is_no_picture_is_left_out_and_named(written, tmp_path, capsys):
    (tmp_path / "photos" / "notes.txt").write_text("words")
    data = PictureTable(written("path,label\nphotos/notes.txt,ant\n" + ROWS))
    assert len(data) == 3
    assert "notes.txt" in capsys.readouterr().out


def test_the_fingerprint_follows_the_labels(written):
    before = PictureTable(written("path,label\n" + ROWS)).fingerprint
    assert PictureTable(written("path,label\n" + ROWS)).fingerprint == before
    swapped = ROWS.replace("wasp", "x").replace("ant", "wasp").replace("x", "ant")
    assert PictureTable(written("path,label\n" + swapped)).fingerprint != before


@pytest.fixture
def two_folders(tmp_path):
    for number, split in enumerate(("train", "test")):
        for label in ("ant", "wasp"):
            save(noise(seed=10 * number + len(label)), tmp_path / split / label / "0.png")
    return tmp_path


def test_folders_without_a_common_picture_are_silent(two_folders, capsys):
    assert find_duplicates(PictureFolder(two_folders / "train"), PictureFolder(two_folders / "test")) == []
    assert capsys.readouterr().out == ""


def test_a_training_picture_in_the_test_folder_is_named_whatever_its_name_and_format(two_folders, capsys):
    save(noise(seed=3), two_folders / "test" / "wasp" / "copy.bmp")
    found = find_duplicates(PictureFolder(two_folders / "train"), PictureFolder(two_folders / "test"))
    assert found == [("ant/0.png", "wasp/copy.bmp")]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("warning: 1 of the 3 test pictures are also in training")
    assert "wasp/copy.bmp (in training: ant/0.png)" in line


def test_duplicates_are_found_in_subsets_and_in_any_data_set_of_pairs():
    x = torch.rand(6, 3, 4, 4)
    x[5] = x[1]
    data = TensorDataset(x, torch.arange(6))
    assert find_duplicates(Subset(data, [0, 1, 2]), Subset(data, [3, 4, 5])) == [(1, 5)]
    pictures = [(Image.fromarray(np.full((2, 2, 3), value, np.uint8)), 0) for value in (1, 2, 1)]
    assert find_duplicates(pictures[:2], pictures[2:]) == [(0, 0)]
