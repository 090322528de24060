"""What a file is that is no notebook and no table, in words that its owner understands."""

import io
import zipfile

import pytest
from PIL import Image

from course.errors import ExerciseError
from course.judging.answers import cells_of
from course.judging.file_signatures import described


def picture(form):
    stream = io.BytesIO()
    Image.new("RGB", (2, 2)).save(stream, form)
    return stream.getvalue()


def a_zip():
    stream = io.BytesIO()
    zipfile.ZipFile(stream, "w").writestr("x.ipynb", "{}")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "an empty file"),
        (b" \n", "an empty file"),
        *[(picture(form), "a picture") for form in ("PNG", "JPEG", "GIF", "TIFF")],
        (a_zip(), "a zip, or a file of an office program"),
        (b"%PDF-1.7", "a PDF"),
        (b"\n<!DOCTYPE html><p>Sign in", "a web page"),
        (b"\1\0\2", "no text"),
    ],
)
def test_what_a_file_is_instead_of_a_notebook_is_said(content, what):
    assert described(content) == what
    with pytest.raises(ExerciseError, match=rf"x cannot be read: it is {what}, not a notebook; save the notebook"):
        cells_of(content, "x")


@pytest.mark.parametrize("text", ['{"cells": []}', "login,name\nada,Ada", "my dog ate it"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_nothing_else(text, encoding):
    assert described(text.encode(encoding)) == ""
