import json
import os
import stat
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from course.notebook import record

WRITER = """
import sys
from course.notebook import record

for n in range(200):
    record.append("hint", id=sys.argv[1], n=n, pad="x" * 500)
"""


def test_what_is_appended_is_read_back_in_order_with_a_utc_time(home):
    assert record.read() == []
    assert record.append("prediction", id="02-a", choice="é <b>\n")
    assert record.append("check", id="02-b", score=3)
    first, second = record.read()
    assert (first["kind"], first["choice"], second["kind"], second["score"]) == ("prediction", "é <b>\n", "check", 3)
    assert datetime.fromisoformat(first["time"]).utcoffset() == timedelta(0)
    assert len(record.path().read_bytes().splitlines()) == 2


def test_latest_is_the_newest_of_its_kind_and_id(home):
    record.append("quiz", id="q", choice="old")
    record.append("quiz", id="q", choice="new")
    record.append("prediction", id="q", choice="other kind")
    assert record.latest("quiz", "q")["choice"] == "new"
    assert record.latest("quiz", "nothing") is None


def test_a_torn_last_line_is_skipped_survives_and_spoils_no_later_line(home):
    record.append("hint", id="a")
    with record.path().open("ab") as file:
        file.write(b'{"version": 1, "time": "2026-')
    assert [event["id"] for event in record.read()] == ["a"]
    record.append("hint", id="b")
    assert [event["id"] for event in record.read()] == ["a", "b"]
    assert b'"time": "2026-\n' in record.path().read_bytes()


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe",
        b"[" * 5000,
        b"[1]",
        b"null",
        b'{"kind": "hint"}',
        b'{"version": 2, "kind": "hint", "id": "from a newer course"}',
        b'{"version": 1, "kind": 7}',
        b"",
    ],
)
def test_a_damaged_or_newer_line_is_skipped_and_survives(home, line):
    record.append("hint", id="a")
    with record.path().open("ab") as file:
        file.write(line + b"\n")
    record.append("hint", id="b")
    assert [event["id"] for event in record.read()] == ["a", "b"]
    assert line + b"\n" in record.path().read_bytes()


def test_what_cannot_be_read_is_counted_in_one_line_and_a_whole_record_has_no_complaint(home):
    assert record.content() == ([], "")
    record.append("hint", id="a")
    assert record.content().complaint == ""
    with record.path().open("ab") as file:
        file.write(b'\xff\n{"version": 1, "ki\n{"version": 2, "kind": "x"}\n{"version": "1", "kind": "x"}\n')
    assert [event["id"] for event in record.content().events] == ["a"]
    complaint = record.content().complaint
    assert "3 lines are damaged" in complaint and "1 line is from a newer version" in complaint
    assert str(record.path()) in complaint and "\n" not in complaint


def test_a_record_that_may_not_be_read_says_so(home):
    record.path().mkdir(parents=True)
    events, complaint = record.content()
    assert events == [] and "cannot be read" in complaint and "COURSE_HOME" in complaint


def test_a_home_that_cannot_be_made_is_said_in_one_line_and_never_raised(tmp_path, monkeypatch, capfd):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "file"))
    assert record.append("hint", id="a") is False
    printed = capfd.readouterr()
    assert printed.out.count("\n") == 1 and "COURSE_HOME" in printed.out
    assert printed.err == ""
    assert record.read() == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_home_is_said_in_one_line(home, capfd):
    home.mkdir()
    home.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert record.append("hint", id="a") is False
    assert "cannot be written" in capfd.readouterr().out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_in_one_line(home, capfd):
    home.mkdir()
    record.path().symlink_to("/dev/full")
    assert record.append("hint", id="a") is False
    printed = capfd.readouterr()
    assert printed.out.count("\n") == 1 and printed.err == ""


def test_fields_that_json_cannot_hold_are_the_callers_mistake(home):
    with pytest.raises(TypeError):
        record.append("check", score={1, 2})
    assert record.read() == []


def test_two_kernels_writing_at_once_lose_and_mix_nothing(home):
    kernels = [subprocess.Popen([sys.executable, "-c", WRITER, name]) for name in ("a", "b")]
    assert [kernel.wait(60) for kernel in kernels] == [0, 0]
    events = record.read()
    for name in ("a", "b"):
        assert [event["n"] for event in events if event["id"] == name] == list(range(200))
    assert all(json.loads(line) for line in record.path().read_text().splitlines())
