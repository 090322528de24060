"""The files that chapter 09 shows: the strange ones are refused, the good ones accepted."""

import pytest

from course.errors import CourseError
from course.zoo.strange_onnx import write_strange_files
from course.zoo.untrusted_onnx import read_onnx


def test_strange_files_are_refused_and_good_ones_are_not(tmp_path):
    strange, good = write_strange_files(tmp_path / "zoo")
    for path in strange.values():
        with pytest.raises(CourseError):
            read_onnx(path)
    assert all(read_onnx(path).graph.node for path in good.values())


def test_they_can_be_written_twice(tmp_path):
    assert write_strange_files(tmp_path / "zoo") == write_strange_files(tmp_path / "zoo")
