"""Files of known types: reproducible, long enough, and what they claim to be."""

import gzip
import io
import json
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from course.zoo.sample_files import BINARY_TYPES, MIN_BYTES, TEXT_TYPES, draw_files

FILES = draw_files(0, per_type=2)


def test_a_seed_draws_the_same_files_on_any_day_and_another_seed_others(monkeypatch):
    today = draw_files(1, per_type=1)
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    monkeypatch.setattr(time, "gmtime", lambda *_, real=time.gmtime: real(*_ or [2_000_000_000]))
    monkeypatch.setattr(time, "localtime", lambda *_, real=time.localtime: real(*_ or [2_000_000_000]))
    assert draw_files(1, per_type=1) == today
    assert all(one != other for one, other in zip(draw_files(1, per_type=1), draw_files(2, per_type=1), strict=True))


def test_every_type_is_drawn_equally_often():
    assert [kind for kind, _ in FILES] == [kind for kind in (*TEXT_TYPES, *BINARY_TYPES) for _ in range(2)]


@pytest.mark.parametrize("kind", TEXT_TYPES)
def test_text_files_are_text_and_long_enough_to_be_cut(kind):
    for content in (content for name, content in FILES if name == kind):
        assert content.decode("utf-8") and len(content) >= MIN_BYTES


def test_files_can_be_read_by_what_reads_their_type():
    content = dict(FILES)
    assert json.loads(content["json"])["items"]
    assert compile(content["python"], "python", "exec")
    assert Image.open(io.BytesIO(content["png"])).size == Image.open(io.BytesIO(content["jpeg"])).size
    assert content["pdf"].startswith(b"%PDF-")
    assert zipfile.ZipFile(io.BytesIO(content["zip"])).namelist()
    assert gzip.decompress(content["gzip"])
    assert np.load(io.BytesIO(content["npy"])).shape == (20, 20)
