import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course.data import downloads
from course.data.downloads import download, has_hash
from course.errors import DownloadFailed, NoNetwork, SetupError
from tests.loopback import serving

CONTENT = bytes(range(256)) * 400  # 100 kB
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloads, "WAIT_S", 0.01)
    with serving() as server:
        server.files["file.bin"] = CONTENT
        yield server


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "data" / "file.bin"


def left_beside(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path.suffix != ".lock" and path != target)


def test_a_file_is_fetched_once_and_has_the_right_content(server, target):
    for _ in range(2):
        assert download(server.url("file.bin"), target, DIGEST) == target
    assert target.read_bytes() == CONTENT
    assert server.asked == [None]
    assert left_beside(target) == []


def test_md5_and_the_beginning_of_a_hash_will_do(server, target):
    download(server.url("file.bin"), target, f"md5:{hashlib.md5(CONTENT).hexdigest()}")
    assert has_hash(target, DIGEST[: len("sha256:") + 8]) and has_hash(target, "")
    assert not has_hash(target, "sha256:00000000")


def test_a_connection_that_is_cut_again_and_again_is_taken_up_where_it_ended(server, target):
    server.faults = ["cut"] * 6
    download(server.url("file.bin"), target, DIGEST)
    assert target.read_bytes() == CONTENT
    halves = [100 * 1024 - 100 * 1024 // 2**n for n in range(1, 7)]
    assert server.asked == [None, *(f"bytes={start}-" for start in halves)]


def test_what_a_killed_process_left_is_taken_up(server, target):
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(CONTENT[:70_000])
    download(server.url("file.bin"), target, DIGEST)
    assert target.read_bytes() == CONTENT
    assert server.asked == ["bytes=70000-"]


def test_a_process_killed_just_before_the_last_step_left_everything(server, target):
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(CONTENT)
    download(server.url("file.bin"), target, DIGEST)
    assert target.read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("left", [b"\0" * 50_000, CONTENT + b"more"], ids=["of another version", "too long"])
def test_a_part_that_does_not_belong_to_the_file_is_found_out_and_thrown_away(server, target, left):
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(left)
    download(server.url("file.bin"), target, DIGEST)
    assert target.read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(left)}-", None]


def test_a_server_that_ignores_range_starts_over_and_nothing_is_doubled(server, target):
    server.faults = ["cut", "whole"]
    download(server.url("file.bin"), target, DIGEST)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("damage", [lambda file: file[:-1], lambda file: b"x" + file[1:], lambda file: b""])
def test_a_file_that_is_cut_off_or_changed_is_fetched_again(server, target, damage):
    target.parent.mkdir()
    target.write_bytes(damage(CONTENT))
    download(server.url("file.bin"), target, DIGEST)
    assert target.read_bytes() == CONTENT


def test_bytes_tampered_with_on_the_way_are_fetched_again(server, target):
    server.faults = ["tamper"]
    download(server.url("file.bin"), target, DIGEST)
    assert target.read_bytes() == CONTENT


def test_what_stays_wrong_is_never_put_in_place(server, target):
    server.files["file.bin"] = b"<html>log in</html>"
    with pytest.raises(DownloadFailed, match=r"hash \w{8}….*a web page: is there a login.*PROFILE = \"quick\""):
        download(server.url("file.bin"), target, DIGEST)
    assert len(server.asked) == 2
    assert not target.exists() and left_beside(target) == []


def test_an_error_that_passes_is_waited_for(server, target):
    server.faults = ["503", "cut", "500", "429"]
    download(server.url("file.bin"), target, DIGEST)
    assert target.read_bytes() == CONTENT


def test_an_error_that_stays_is_named_and_what_came_is_kept(server, target):
    server.faults = ["cut", *["500"] * 10]
    with pytest.raises(DownloadFailed, match=r"answers 500 .*4 times; try again later; 0.1 MB are kept.*\"quick\""):
        download(server.url("file.bin"), target, DIGEST)
    server.faults = []
    download(server.url("file.bin"), target, DIGEST)
    assert server.asked[-1] == "bytes=51200-"
    assert target.read_bytes() == CONTENT


def test_a_file_that_is_not_there_is_not_asked_for_again(server, target):
    with pytest.raises(DownloadFailed, match=r"answers 404 Not Found; look for a newer version .*\"quick\""):
        download(server.url("other.bin"), target, DIGEST)
    assert len(server.asked) == 1


def test_a_redirection_is_followed_with_its_range(server, target):
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(CONTENT[:1000])
    server.faults = ["moved"]
    download(server.url("file.bin"), target, DIGEST)
    assert target.read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-"] * 2


def test_without_a_network_the_quick_profile_is_offered_at_once(target):
    started = time.monotonic()
    for url in ("http://127.0.0.1:9/file.bin", "http://no-such-host.invalid/file.bin"):
        with pytest.raises(NoNetwork, match=r"could not be fetched \(no server answers.*PROFILE = \"quick\""):
            download(url, target, DIGEST)
    assert time.monotonic() - started < 2 * downloads.CONNECT_TIMEOUT_S + 1


def test_a_download_that_the_disk_has_no_room_for_is_not_begun(server, target):
    server.faults = ["endless"]
    with pytest.raises(
        DownloadFailed, match=r"the disk is full \(1,000,000,000 MB to come, .* free\); free some space"
    ):
        download(server.url("file.bin"), target, DIGEST)
    assert not target.exists()


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_a_disk_that_is_full_halfway_is_said_and_the_rest_comes_later(server, target):
    program = (
        "import resource, sys; from pathlib import Path; from course.data import downloads\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)); downloads.CHUNK = 4096\n"
        "downloads.download(sys.argv[1], Path(sys.argv[2]), sys.argv[3])"
    )
    command = [sys.executable, "-c", program, server.url("file.bin"), str(target), DIGEST]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "DownloadFailed" in run.stderr and "the disk is full" in run.stderr
    assert not target.exists() and left_beside(target) == ["file.bin.part"], "only what the next try goes on from"
    download(server.url("file.bin"), target, DIGEST)
    assert server.asked[-1] == "bytes=65536-"
    assert target.read_bytes() == CONTENT


def test_a_folder_that_cannot_be_made_is_said(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadFailed, match=r"cannot be written .*COURSE_HOME"):
        download(server.url("file.bin"), tmp_path / "file" / "file.bin", DIGEST)


def test_two_processes_fetch_a_file_once(server, target):
    program = (
        "import sys; from pathlib import Path; from course.data import downloads\n"
        "downloads.download(sys.argv[1], Path(sys.argv[2]), sys.argv[3])"
    )
    command = [sys.executable, "-c", program, server.url("file.bin"), str(target), DIGEST]
    runs = [subprocess.Popen(command) for _ in range(2)]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert target.read_bytes() == CONTENT and server.asked == [None]


def test_a_folder_laid_out_by_hand_comes_first_and_only_ours_is_written(home, tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    assert downloads.folders() == [home / "data"]
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert downloads.folders() == [tmp_path, home / "data"]
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(SetupError, match="nowhere', which is not a folder"):
        downloads.folders()
