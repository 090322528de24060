"""An uploaded picture and the predictor's answer to it, in both versions of ipywidgets."""

import base64
import datetime
import io
import re
import sys
import types

import ipywidgets
import pytest

from course.applications import uploads
from course.errors import CourseError
from tests.applications.test_predictor import a_predictor
from tests.data.test_pictures import noise


def content(**options):
    buffer = io.BytesIO()
    noise((300, 200)).save(buffer, "PNG", **options)
    return buffer.getvalue()


def value_of_version_7(name, data):
    metadata = {"name": name, "type": "image/png", "size": len(data), "lastModified": 1}
    return {name: {"metadata": metadata, "content": data}}


def value_of_version_8(name, data):
    when = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    file = {"name": name, "type": "image/png", "size": len(data), "content": memoryview(data), "last_modified": when}
    return (file,)


@pytest.mark.parametrize("shape", [value_of_version_7, value_of_version_8])
def test_both_shapes_of_an_uploads_value_are_read(shape):
    assert uploads.read_uploads(shape("a.png", b"123")) == [("a.png", b"123")]


@pytest.mark.parametrize("empty", [{}, ()])
def test_an_empty_upload_is_nothing(empty):
    assert uploads.read_uploads(empty) == []


def upload(box, name, data):
    """What the browser does when a file was chosen, in the version of ipywidgets that is installed."""
    button = box.children[0].children[0]
    if int(ipywidgets.__version__.split(".")[0]) >= 8:
        button.value = value_of_version_8(name, data)
    else:
        button.metadata, button.data = [value_of_version_7(name, data)[name]["metadata"]], [data]
        button._counter += 1
    return box.children[-1].value


def test_a_chosen_file_is_answered_with_its_picture_and_a_bar_a_class():
    page = upload(uploads.upload_box(a_predictor()), "cat.png", content())
    assert re.findall(r'aria-label="(\w+): \d+ percent"', page)
    assert {"ant", "bee", "wasp"} == set(re.findall(r'aria-label="(\w+):', page))
    picture = base64.b64decode(re.search(r"data:image/jpeg;base64,([^\"]+)", page)[1])
    assert picture[:2] == b"\xff\xd8"
    assert sum(map(int, re.findall(r": (\d+) percent", page))) == pytest.approx(100, abs=2)


def test_a_second_file_replaces_the_first_answer():
    box = uploads.upload_box(a_predictor())
    upload(box, "a.txt", b"words")
    assert "percent" in upload(box, "b.png", content())


def test_a_file_that_is_no_picture_is_told_by_name_and_escaped():
    page = upload(uploads.upload_box(a_predictor()), "<b>notes</b>.txt", b"words")
    assert "&lt;b&gt;notes&lt;/b&gt;.txt is not a picture" in page
    assert "<b>notes" not in page


def test_class_names_are_escaped_and_the_likeliest_comes_first():
    page = uploads.bars({"<i>a</i>": 0.2, "b": 0.7, "c": 0.1})
    assert page.index("b: 70 percent") < page.index("&lt;i&gt;a&lt;/i&gt;: 20 percent")
    assert "<i>" not in page


def test_of_many_classes_the_likeliest_are_shown():
    assert uploads.bars({str(i): 1 / 37 for i in range(37)}).count("aria-label") == uploads.SHOWN_CLASSES


def test_the_static_form_is_one_line_the_same_everywhere(capsys):
    uploads.try_out(a_predictor())
    uploads.try_out(a_predictor(), camera=True)
    assert capsys.readouterr().out == f"{uploads.STATIC}\n" * 2


@pytest.fixture
def colab(monkeypatch):
    """A google.colab whose browser replies with what the returned list holds."""
    replies = []
    output = types.ModuleType("google.colab.output")
    output.eval_js = lambda script: replies[0]
    package = types.ModuleType("google.colab")
    package.output = output
    monkeypatch.setitem(sys.modules, "google.colab", package)
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    return replies


def test_colabs_camera_is_answered_like_an_upload(colab):
    colab.append("data:image/jpeg;base64," + base64.b64encode(content()).decode())
    assert "percent" in uploads.describe_camera(a_predictor())


def test_a_camera_that_may_not_be_used_is_told(colab):
    colab.append("error: Permission denied")
    with pytest.raises(CourseError, match=r"Permission denied.*upload a picture"):
        uploads.take_picture()
    assert "Permission denied" in uploads.describe_camera(a_predictor())


def test_the_camera_is_offered_in_colab_and_phones_are_named_elsewhere(colab, monkeypatch):
    assert "camera=True" in uploads.upload_box(a_predictor()).children[1].value
    monkeypatch.delitem(sys.modules, "google.colab")
    assert "phone" in uploads.upload_box(a_predictor()).children[1].value
