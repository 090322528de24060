import os
import time
from pathlib import Path

import huggingface_hub.constants as hub_constants
import pytest
import torch

from course.data import downloads
from course.data.huggingface import encoder_folder, encoder_repository, snapshot
from course.data.text_datasets import entities, reviews
from course.errors import DataError, DownloadFailed, NoNetwork, UnknownName
from course.models.weights import minilm_folder
from tests.loopback import serving_hub
from tests.standins import COMMIT, SMALL_MODEL, TAGS, lay_out_repository, parquet, sst2, wikiann

SST2, WIKIANN = sst2(), wikiann()


@pytest.fixture
def cache(home, tmp_path, monkeypatch) -> Path:
    """An empty cache of Hugging Face's, and nobody at the hub's address."""
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub_constants, "ENDPOINT", "http://127.0.0.1:9")
    return tmp_path / "hub"


@pytest.fixture
def by_hand(cache, tmp_path, monkeypatch) -> Path:
    """The hub/ of a folder laid out by hand."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "by-hand"))
    (tmp_path / "by-hand" / "hub").mkdir(parents=True)
    return tmp_path / "by-hand" / "hub"


@pytest.fixture
def hub(cache, monkeypatch):
    """A hub on loopback that has SST-2 and a small model."""
    with serving_hub({"datasets/stanfordnlp/sst2": SST2, "some/encoder": SMALL_MODEL}) as server:
        monkeypatch.setattr(hub_constants, "ENDPOINT", server.address)  # as HF_ENDPOINT does when it is imported
        template = f"{server.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(hub_constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield server


@pytest.mark.parametrize("offline", ["HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", None])
def test_reviews_are_read_from_hugging_faces_cache_without_a_network(cache, offline, monkeypatch):
    if offline:
        monkeypatch.setenv(offline, "1")
    lay_out_repository(cache, "datasets", "stanfordnlp/sst2", SST2)
    train, test = reviews("train"), reviews("test")
    assert train.texts == ["a fine film", "dull"]
    assert train.labels.dtype == torch.int64 and train.labels.tolist() == [0, 1]
    assert train.classes == ("negative", "positive")
    assert test.texts == ["it 's charming"], "the validation split: the test split has no labels"


def test_entities_are_read_from_a_folder_laid_out_by_hand(by_hand, home):
    lay_out_repository(by_hand, "datasets", "unimelb-nlp/wikiann", WIKIANN)
    train, test = entities("train"), entities("test")
    assert train.words == [["she", "lives", "in", "Zürich"], ["no", "names"]]
    assert train.tags == [[0, 0, 0, 5], [0, 0]]
    assert train.classes == TAGS
    assert test.words == [["from", "Łódź", "to", "Lille"]]
    assert not home.exists(), "nothing is written"


def test_files_that_were_copied_without_the_caches_links_will_do(by_hand):
    for name, content in SST2.items():
        path = by_hand / "datasets--stanfordnlp--sst2" / "snapshots" / "copied" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert len(reviews("train")) == 2


def test_an_encoder_in_the_hubs_layout_is_loaded_by_transformers_offline(by_hand, monkeypatch):
    from transformers import AutoModel, AutoTokenizer

    bundled = minilm_folder()
    names = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "model.safetensors")
    files = {name: (bundled / name).read_bytes() for name in names if (bundled / name).exists()}
    lay_out_repository(by_hand, "models", "distilbert/distilbert-base-uncased", files)
    folder = encoder_folder()
    model = AutoModel.from_pretrained(folder, local_files_only=True)
    tokens = AutoTokenizer.from_pretrained(folder, local_files_only=True)("Hello", return_tensors="pt")
    assert model(**tokens).last_hidden_state.shape[-1] == model.config.hidden_size


def test_a_snapshot_that_lacks_a_file_is_not_used(cache):
    files = {name: content for name, content in SST2.items() if "train" not in name}
    lay_out_repository(cache, "datasets", "stanfordnlp/sst2", files)
    with pytest.raises(NoNetwork):
        reviews("test")


def test_without_a_network_the_answer_comes_within_seconds_and_offers_the_quick_profile(cache):
    started = time.monotonic()
    with pytest.raises(
        NoNetwork, match=r"stanfordnlp/sst2 could not be fetched .*no server answers.*PROFILE = \"quick\""
    ):
        reviews("train")
    assert time.monotonic() - started < 8


def test_who_wants_to_be_offline_is_not_connected(hub, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    with pytest.raises(NoNetwork, match="HF_DATASETS_OFFLINE is set"):
        reviews("train")
    assert hub.asked == []


def test_what_the_hub_serves_is_fetched_once_into_our_own_folder_and_only_what_is_needed(hub, home, cache):
    assert reviews("train").texts == ["a fine film", "dull"]
    asked = len(hub.asked)
    assert len(reviews("test")) == 1
    assert len(hub.asked) == asked
    there = home / "data" / "hub" / "datasets--stanfordnlp--sst2" / "snapshots" / COMMIT
    assert sorted(path.name[:5] for path in (there / "data").iterdir()) == ["train", "valid"]
    assert not cache.exists()


@pytest.mark.parametrize("damage", [lambda content: content[:-5], lambda content: b"x" + content[1:]])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_damaged_file_of_ours_is_fetched_again(hub, home, name, damage, capsys):
    folder = encoder_folder("some/encoder")
    blob = (folder / name).resolve()
    blob.write_bytes(damage(SMALL_MODEL[name]) or b"?")
    assert (encoder_folder("some/encoder") / name).read_bytes() == SMALL_MODEL[name]
    assert f"{name} is damaged and not used" in capsys.readouterr().out


def test_a_damaged_file_of_others_is_left_alone_and_not_used(hub, by_hand, home):
    path = lay_out_repository(by_hand, "models", "some/encoder", SMALL_MODEL) / "model.safetensors"
    path.resolve().write_bytes(b"broken!")
    assert home in encoder_folder("some/encoder").parents
    assert path.read_bytes() == b"broken!"


def test_what_the_hub_serves_under_a_wrong_hash_is_refused(hub):
    hub.tampered = True
    with pytest.raises(DownloadFailed, match="are incomplete or have wrong hashes"):
        encoder_folder("some/encoder")


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_a_disk_that_is_full_is_said_and_the_rest_comes_later(hub, capsys):  # whose output needs no file
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3, hard))
    try:
        with pytest.raises(DownloadFailed, match=r"the disk is full .* free some space"):
            encoder_folder("some/encoder")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (encoder_folder("some/encoder") / "model.safetensors").read_bytes() == SMALL_MODEL["model.safetensors"]


def test_a_repository_that_is_not_there_is_said(hub):
    with pytest.raises(DownloadFailed, match=r"refuses no/such .*\"quick\""):
        encoder_folder("no/such")


def test_parquet_that_cannot_be_read_or_has_other_columns_is_said(cache):
    other = parquet({"text": ["a"]}, None)
    broken = {**SST2, "data/train-00000-of-00001.parquet": b"PAR1", "data/validation-00000-of-00001.parquet": other}
    lay_out_repository(cache, "datasets", "stanfordnlp/sst2", broken)
    with pytest.raises(DataError, match="cannot be read"):
        reviews("train")
    with pytest.raises(DataError, match=r"\['text'\], not 'sentence'"):
        reviews("test")


def test_another_split_is_unknown(cache):
    with pytest.raises(UnknownName, match="split of stanfordnlp/sst2"):
        reviews("validation")


def test_without_fetching_what_is_not_there_is_a_missing_file(hub):
    with pytest.raises(FileNotFoundError):
        snapshot(encoder_repository("some/encoder"), fetch=False)
    assert hub.asked == [] and downloads.own_folder().exists() is False
