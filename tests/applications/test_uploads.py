"""An uploaded picture and the predictor's answer to it."""

import base64
import io
import re
import sys
import types

import pytest

from course.applications import uploads
from course.errors import CourseError
from tests.applications.test_predictor import a_predictor
from tests.data.test_pictures import noise


def content(**options):
    buffer = io.BytesIO()
    noise((300, 200)).save(buffer, "PNG", **options)
    return buffer.getvalue()


def upload(name, data):
    """The page after a file was chosen in the browser."""
    file = {"name": name, "data": base64.b64encode(data).decode()}
    return uploads.answer_upload(a_predictor(), {"picture": file}).html


def test_a_chosen_file_is_answered_with_its_picture_and_a_bar_a_class():
    page = upload("cat.png", content())
    assert re.findall(r'aria-label="(\w+): \d+ percent"', page)
    assert {"ant", "bee", "wasp"} == set(re.findall(r'aria-label="(\w+):', page))
    picture = base64.b64decode(re.search(r"data:image/jpeg;base64,([^\"]+)", page)[1])
    assert picture[:2] == b"\xff\xd8"
    assert sum(map(int, re.findall(r": (\d+) percent", page))) == pytest.approx(100, abs=2)


def test_the_form_stays_for_another_picture_and_a_cancelled_choice_is_no_error():
    page = uploads.answer_upload(a_predictor(), {"picture": {"name": "a.txt", "data": ""}})
    assert page.is_form and '<input type="file"' in page.html
    assert uploads.answer_upload(a_predictor(), {"picture": {"name": "", "data": ""}}) == uploads.upload_page()


def test_a_file_that_is_no_picture_is_told_by_name_and_escaped():
    page = upload("<b>notes</b>.txt", b"words")
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
    assert "camera=True" in uploads.upload_page().html
    monkeypatch.delitem(sys.modules, "google.colab")
    assert "phone" in uploads.upload_page().html
