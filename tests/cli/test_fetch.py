import hashlib
import time

import huggingface_hub.constants as hub_constants
import pytest
from torchvision.datasets import OxfordIIITPet
from torchvision.models import get_model_weights
from typer.testing import CliRunner

from course import runtime
from course.cli import diagnosis
from course.cli.app import app
from course.data import downloads, huggingface
from course.errors import UnknownName
from course.models import weights
from course.zoo import full_profile
from tests.full_profile import CHECKPOINTS
from tests.loopback import serving, serving_hub
from tests.standins import SMALL_MODEL, archives_of, lay_out_pets, sst2, wikiann

ALL = len(full_profile.DOWNLOADS)


def call(*arguments: str):
    return CliRunner().invoke(app, ["fetch", *arguments], env={"COLUMNS": "200"})


@pytest.fixture
def published(home, tmp_path, monkeypatch):
    """Everything that the full profile needs, small stand-ins, on two servers; (files, hub)."""
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(downloads, "WAIT_S", 0.01)
    repositories = {
        "datasets/stanfordnlp/sst2": sst2(),
        "datasets/unimelb-nlp/wikiann": wikiann(),
        full_profile.CONVNEXT.name: SMALL_MODEL,
        **dict.fromkeys(
            (huggingface.ENCODER, huggingface.CASED, huggingface.BERT, huggingface.ROBERTA, huggingface.GPT2),
            SMALL_MODEL,
        ),
    }
    with serving() as server, serving_hub(repositories) as its_hub:
        server.files = archives_of(lay_out_pets(tmp_path / "published"))
        known = tuple((server.url(name), hashlib.md5(content).hexdigest()) for name, content in server.files.items())
        monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", known)
        for name in CHECKPOINTS.values():
            file = f"{name}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.pth"
            server.files[file] = name.encode()
            monkeypatch.setattr(get_model_weights(name)["DEFAULT"].value, "url", server.url(file))
        monkeypatch.setattr(weights, "KERAS_ADDRESS", server.address)
        for name, (file, _) in weights.KERAS.items():
            server.files[file.rpartition("/")[2]] = name.encode()
            monkeypatch.setitem(weights.KERAS, name, (file, hashlib.md5(name.encode()).hexdigest()))
        monkeypatch.setattr(hub_constants, "ENDPOINT", its_hub.address)  # as HF_ENDPOINT does when it is imported
        template = f"{its_hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(hub_constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield server, its_hub


def finding():
    (found,) = diagnosis._full_profile()
    return found


def test_the_list_shows_sizes_and_licences_and_fetches_nothing(published, home):
    shown = call("--list")
    assert shown.exit_code == 0
    for item in full_profile.DOWNLOADS:
        (line,) = [line for line in shown.output.splitlines() if line.startswith(f"{item.name} ")]
        assert (
            item.licence in line
            and item.source in line
            and f"{item.megabytes:,.0f}" in line
            and line.rstrip().endswith("no")
        )
    assert published[0].asked == published[1].asked == []
    assert not home.exists()


def test_everything_is_fetched_once_and_the_full_profile_marked(published, home):
    server, its_hub = published
    assert runtime.choose_profile("auto", "cpu")[0] == "quick"
    server.faults = ["cut", "", "tamper"]
    done = call("--profile", "full")
    assert done.exit_code == 0 and f"{ALL} of {ALL} ready" in done.output and "now means full" in done.output
    assert runtime.choose_profile("auto", "cpu")[0] == "full"
    asked = len(server.asked), len(its_hub.asked)
    assert call().exit_code == 0 and (len(server.asked), len(its_hub.asked)) == asked
    assert call("--list").output.count(" yes") == ALL
    assert finding().status == diagnosis.OK and "everything is downloaded" in finding().found


def test_one_is_fetched_alone_and_marks_nothing(published, home):
    done = call("--only", "reviews", "--only", "segmenter")
    assert done.exit_code == 0 and "2 of 2 ready" in done.output
    assert not full_profile.marker_path().exists()
    assert finding().status == diagnosis.NOT_NEEDED and f"{ALL - 2} of {ALL} downloads missing" in finding().found


def test_the_last_one_fetched_alone_completes_the_full_profile(published):
    call(*[word for item in full_profile.DOWNLOADS[1:] for word in ("--only", item.name)])
    assert not full_profile.marker_path().exists()
    assert "now means full" in call("--only", "pets").output


def test_the_doctor_says_what_is_damaged_and_nothing_else(published, home, capsys):
    call()
    (path,) = (home / "data" / "checkpoints").glob("resnet50-*.pth")
    path.write_bytes(b"cut")
    capsys.readouterr()
    found = finding()
    assert found.status == diagnosis.WARNING and f"1 of {ALL} downloads missing (102 MB): resnet50" in found.found
    assert capsys.readouterr().out == ""


def test_one_that_fails_does_not_keep_the_others_from_coming(published):
    del published[0].files["images.tar.gz"]
    done = call()
    assert done.exit_code == 1 and f"{ALL - 1} of {ALL} ready" in done.output
    assert "course: pets:" in done.output and "404" in done.output
    assert not full_profile.marker_path().exists()


def test_the_copied_folder_of_another_machine_will_do_without_a_network(published, home, tmp_path, monkeypatch):
    call()
    (home / "data").rename(tmp_path / "class-room")
    server, its_hub = published
    server.files.clear()
    its_hub.repositories.clear()
    assert finding().status == diagnosis.WARNING and finding().fix == "course fetch --profile full"
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "class-room"))
    full_profile.marker_path().unlink()
    assert call().exit_code == 0 and full_profile.marker_path().exists()
    assert not (home / "data").exists()


def test_without_a_network_each_says_so_within_seconds(published, home, monkeypatch):
    monkeypatch.setattr(hub_constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        get_model_weights("resnet50")["DEFAULT"].value, "url", "http://127.0.0.1:9/resnet50-00000000.pth"
    )
    started = time.monotonic()
    done = call("--only", "resnet50", "--only", "reviews", "--only", "encoder")
    assert time.monotonic() - started < 20
    assert done.exit_code == 1 and done.output.count('PROFILE = "quick" needs no download') == 3


def test_the_quick_profile_needs_nothing_and_other_names_are_unknown(home):
    assert call("--profile", "quick").output == "the quick profile needs no download\n"
    with pytest.raises(UnknownName, match="did you mean 'full'"):
        CliRunner().invoke(app, ["fetch", "--profile", "fulll"], catch_exceptions=False)
    with pytest.raises(UnknownName, match="did you mean 'pets'"):
        full_profile.select(["pet"])
